"""Real servers over the test database, and a way to do several things at the same instant."""
from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from bench.place import clean_environment, environment
from bench.server import Server
from gs2admin.identity.models import User
from tests.engine.conftest import database_url

START_S = 10.0


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Run them in threads released at once; what each returned or raised, in order."""
    barrier, found = threading.Barrier(len(calls)), [None] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(START_S)
            found[index] = call()
        except Exception as problem:  # noqa: BLE001  it is the result
            found[index] = problem
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "one of the calls hangs"
    return found


def session_cookie(user: User) -> dict[str, str]:
    """The cookies of somebody who has signed in."""
    store = SessionStore()
    store[SESSION_KEY], store[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store.save()
    return {settings.SESSION_COOKIE_NAME: store.session_key}


@pytest.fixture(scope="session")
def collected(tmp_path_factory) -> Path:
    """Where the static files are collected once for all servers of these tests."""
    return tmp_path_factory.mktemp("static")


@pytest.fixture
def environ(transactional_db, tmp_path, collected, settings) -> dict[str, str]:
    """The environment of processes that see the test database; the steps of bench/steps are allowed here and there."""
    made = clean_environment() | environment(tmp_path, database_url()) | {"SECRET_KEY": settings.SECRET_KEY, "PYTHONWARNINGS": ""}
    (tmp_path / "static").symlink_to(collected)
    pairs = (pair.split("=") for pair in made["GS2ADMIN_COMMANDS"].split(","))
    settings.STEP_COMMANDS = dict(pairs)
    return made


@pytest.fixture
def serve(environ) -> Iterator[Callable[..., Server]]:
    """serve(**variables) starts web and worker; nothing of them is left after the test."""
    running: list[Server] = []

    def start(**variables: str) -> Server:
        running.append(Server(environ, **{"WORKERS": "2", "WEB_WORKERS": "2"} | variables))
        return running[-1].__enter__()

    yield start
    for server in running:
        if server.popen is not None:
            server.__exit__()
        assert not server.left(), "processes were left behind"


@pytest.fixture
def in_processes(environ) -> Callable[..., list[str]]:
    """in_processes(code, count=8) runs code in that many Python processes, which all begin it at once; their outputs."""
    def act(code: str, *, count: int) -> list[str]:
        prelude = "import django; django.setup(); print('ready', flush=True); input()\n"
        started = [
            subprocess.Popen([sys.executable, "-c", prelude + code], cwd=settings.BASE_DIR, env={**os.environ, **environ},
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for _ in range(count)
        ]
        try:
            for one in started:
                assert one.stdout.readline() == "ready\n"
            for one in started:
                one.stdin.write("\n")
                one.stdin.flush()
            return [one.communicate(timeout=60)[0] for one in started]
        finally:
            for one in started:
                one.kill()
                one.wait()

    return act
