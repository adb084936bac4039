"""One real server for all tests of the doors."""

from __future__ import annotations

import pytest

from gs2admin.identity import tokens
from tests.wire.server import Server, running


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Server:
    """gunicorn over a database of its own: projects isles (with the demo) and other."""
    with running(tmp_path_factory.mktemp("wire")) as found:
        yield found


@pytest.fixture
def full(db, monkeypatch, settings, tmp_path):
    """bench.fuzzing's World in this process: a project with something of everything; no worker is woken."""
    from bench.fuzzing.world import build
    from gs2admin import engine
    from jobqueue.scripting import pool

    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "files"}}
    settings.STORAGES = settings.STORAGES | {"user_data": place}
    settings.DATA_DIR = tmp_path
    settings.ALLOWED_HOSTS = ["testserver"]
    monkeypatch.setattr(engine, "wake", lambda task, pk: None)
    yield build()
    pool.runner().close()


@pytest.fixture(autouse=True)
def _no_credentials_remembered():
    """Rows of one test must not be met by the next."""
    tokens.forget_all()
    yield
    tokens.forget_all()
