"""A cast for the step tests: executables that are allowed, and receivers of HTTP calls."""

import sys
import textwrap

import pytest

from stages.steps import KINDS, signing
from stages.steps.signing import with_signing

from .helpers import Context, Receiver


@pytest.fixture(autouse=True)
def _settings(settings, monkeypatch):
    monkeypatch.setattr(signing, "_root", signing.of_the_secret_key)  # these tests have no database
    settings.STEP_COMMANDS = {}
    settings.STEP_HTTP_ALLOW = ["127.0.0.1"]
    settings.LEASE_S = 20
    settings.SECRET_KEY = "a key for tests only, long enough to be taken for a real one"


@pytest.fixture
def allow(settings, tmp_path):
    """allow("name", "text of a script") makes an executable and puts it on the list; the path comes back."""

    def make(name, script, interpreter="/bin/sh"):
        path = tmp_path / name
        path.write_text(f"#!{interpreter}\n" + textwrap.dedent(script))
        path.chmod(0o755)
        settings.STEP_COMMANDS = {**settings.STEP_COMMANDS, name: str(path)}
        return path

    return make


@pytest.fixture
def allow_python(allow):
    """The same for a script in Python."""
    return lambda name, script: allow(name, script, interpreter=f"{sys.executable} -IS")


@pytest.fixture
def command():
    """A context for the command of that name."""

    def make(name, **given):
        fields = {key: given.pop(key) for key in list(given) if key in ("timeout_s", "repeatable")}
        return Context(KINDS["command"].validate({"command": name, **fields}), **given)

    return make


@pytest.fixture
def receiver():
    """receiver(answer) starts a server on loopback, where ``answer(handler)`` says what it answers."""
    started = []

    def make(answer):
        started.append(Receiver(answer))
        return started[-1]

    yield make
    for server in started:
        server.stop()


@pytest.fixture
def call():
    """A context for an HTTP step to that URL."""

    def make(url, memo=None, **fields):
        config = KINDS["http"].validate({"url": url, **fields})
        return Context(with_signing(config, target_uid="tokyo-7", rotation=1), memo=memo or {})

    return make
