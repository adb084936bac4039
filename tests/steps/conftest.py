"""A cast for the step tests: executables that are allowed, and receivers of HTTP calls."""

import json
import sys
import textwrap
import time

import pytest

from stages.steps import KINDS, awake, cluster, kube, kube_gray, kube_work, signing, storage
from stages.steps.signing import with_signing

from .apiserver import ApiServer
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


@pytest.fixture
def over(monkeypatch):
    """over() ends the time of the step that runs, so that no test waits for it and none depends on the machine's load."""
    limits = []

    def make(seconds):
        limits.append(awake.Limit(seconds))
        return limits[-1]

    monkeypatch.setattr(kube, "Limit", make)
    monkeypatch.setattr(storage, "Limit", make)
    monkeypatch.setattr(awake, "LATE_S", 0.02)

    def act():
        limits[-1].until = time.monotonic()

    return act


@pytest.fixture
def api(settings, tmp_path, monkeypatch):
    """An API server with the Deployment lottery, and the cluster tokyo that leads to it."""
    for module, name in ((kube_work, "LOOK_S"), (kube_work, "SLOW_LOOK_S"), (kube_gray, "GONE_S")):
        monkeypatch.setattr(module, name, 0.005)
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.05)
    monkeypatch.setattr(cluster, "PAUSES_S", (0.005,))
    cluster.imported()  # takes some seconds, once
    server = ApiServer()
    server.add("lottery", "registry.example.com/game/lottery:1.4.0")
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(server.kubeconfig()))
    settings.STEP_KUBECONFIGS = {"tokyo": str(path)}
    yield server
    server.close()
    assert server.wrong == [], "every request fits the published document"
