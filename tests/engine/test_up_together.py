"""Two hosts that are started at the same time on one empty database: one prepares it, the other waits, both serve."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError
from django.db import connection

from gs2admin.engine.alone import LOCK, alone
from gs2admin.processes import proc
from gs2admin.processes.preparing_page import SENTENCE
from tests.conditions import until
from tests.engine.conftest import database_url
from tests.engine.test_up import free_port

pytestmark = pytest.mark.processes
WAITS = "Another gs2admin is preparing this database; waiting for it, at most 300 s ..."


@pytest.fixture
def empty(tmp_path, db) -> Iterator[str]:
    """The address of a database with nothing in it, of the kind that the tests run on."""
    if connection.vendor == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.sqlite3"
        return
    url, name = database_url(), f"up_{os.getpid()}"
    with psycopg.connect(url, autocommit=True) as link:
        link.execute(f"DROP DATABASE IF EXISTS {name}")
        link.execute(f"CREATE DATABASE {name}")
    yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    with psycopg.connect(url, autocommit=True) as link:
        link.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Started:
    """A `manage.py up` on that database."""

    def __init__(self, log: Path, data: Path, database: str) -> None:
        data.mkdir(exist_ok=True)
        self.port, self.log = free_port(), log
        with log.open("wb") as out:
            self.popen = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), "up"],
                env={**os.environ, "GS2ADMIN_DATA_DIR": str(data), "DATABASE_URL": database, "PORT": str(self.port),
                     "SECRET_KEY": "the same on both hosts, and long enough to be taken for one", "GS2ADMIN_PROCESS": "",
                     "GS2ADMIN_DEMO": "1", "WORKERS": "1", "JOB_WORKERS": "0", "WEB_WORKERS": "1", "PYTHONWARNINGS": ""},
                stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def text(self) -> str:
        return self.log.read_text()

    def end(self) -> None:
        below = [look.process for look in proc.descendants(self.popen.pid)]
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(20)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        for process in below:
            proc.kill(process)


def test_both_come_up_with_one_administrator_and_no_error(empty, tmp_path):
    shared = connection.vendor == "sqlite"
    directories = [tmp_path / "data"] * 2 if shared else [tmp_path / "data-0", tmp_path / "data-1"]
    directories[0].mkdir()
    with _held(empty, directories[0]) as let_go:
        hosts = [Started(tmp_path / f"log-{n}", directories[n], empty) for n in range(2)]
        try:
            # Both stand before the door when it opens: nothing could make them meet more surely.
            for host in hosts:
                until(lambda host=host: WAITS in host.text(), 60, host.text)
                assert "Preparing the database" not in host.text()
                answer = httpx.get(f"http://127.0.0.1:{host.port}/readyz", timeout=20)
                assert (answer.status_code, answer.json()) == (503, {"ready": False, "message": SENTENCE})
            let_go()
            for host in hosts:
                until(lambda host=host: f"gs2admin is ready on http://127.0.0.1:{host.port}" in host.text(), 120, host.text)
            both = "".join(host.text() for host in hosts)
            assert both.count("Preparing the database ...") == 1 and both.count("with the password") == 1
            assert _count(empty, "identity_user") == 1 and _count(empty, "identity_project") == 1
        finally:
            for host in hosts:
                host.end()
    both = "".join(host.text() for host in hosts)
    assert "Traceback" not in both
    lines = [json.loads(line) for line in both.splitlines() if line.startswith("{")]
    assert [line for line in lines if line["level"] in ("error", "critical")] == []


class _held:
    """The lock, as another host has it."""

    def __init__(self, database: str, data: Path) -> None:
        if connection.vendor == "sqlite":
            code = f"import fcntl,sys\nf=open({str(data / 'preparing.lock')!r},'w')\nfcntl.flock(f,2)\nprint(1,flush=True)\nsys.stdin.read()"
        else:
            code = (f"import psycopg,sys\nc=psycopg.connect({database!r},autocommit=True)\n"
                    f"c.execute('SELECT pg_advisory_lock({LOCK})')\nprint(1,flush=True)\nsys.stdin.read()")  # fmt: skip
        self._popen = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._popen.stdout.readline() == b"1\n"

    def __enter__(self):
        return self._let_go

    def _let_go(self) -> None:
        """It dies: nobody has to tidy up after it."""
        self._popen.kill()
        self._popen.wait()
        self._popen.stdin.close()
        self._popen.stdout.close()

    def __exit__(self, *_: object) -> None:
        self._let_go()


def _count(database: str, table: str) -> int:
    if database.startswith("sqlite"):
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as link:
            return link.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    with psycopg.connect(database) as link:
        return link.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_the_wait_has_an_end_and_a_sentence(tmp_path, settings, transactional_db):
    settings.DATA_DIR = tmp_path
    said = []
    with _held(database_url(), tmp_path) as let_go:
        with pytest.raises(CommandError, match=r"has been preparing this database for 0\.3 s\. Look at its log"), alone(said.append, within_s=0.3):
            pytest.fail("the lock was had twice")
        assert said == ["Another gs2admin is preparing this database; waiting for it, at most 0.3 s ..."]
        let_go()
        with alone(said.append, within_s=10):
            pass
    with alone(said.append, within_s=0), pytest.raises(CommandError), alone(said.append, within_s=0):
        pytest.fail("the lock was had twice")
