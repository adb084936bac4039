"""A real server for the tests of the doors: gunicorn over a database of its own, and what is in it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
from django.apps import apps
from django.conf import settings

from tests.conditions import until

ROOT = Path(__file__).resolve().parents[2]
SEED = """
import json, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0, skip_checks=True)
call_command("collectstatic", interactive=False, verbosity=0)
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from gs2admin.identity.services.projects import create_project
from stages import demo
from stages.setup.stages import create_stage
from tests.wire import jobs_world, locks_world
def credential(project, name, role="service"):
    row, secret = create_credential(actor=SYSTEM, project=project, name=name, role=role)
    return {"clientId": row.client_id, "clientSecret": secret}
ours = create_project(actor=SYSTEM, name="isles", owner_id="isles-owner")
theirs = create_project(actor=SYSTEM, name="other", owner_id="other-owner", region="eu-west-1")
demo.build(ours)
jobs_world.build(ours)
locks_world.build(ours)
create_stage(actor=SYSTEM, project=ours, name="fresh", sort_number=90)
create_stage(actor=SYSTEM, project=theirs, name="theirs")
print(json.dumps({
    "ours": credential(ours, "game"),
    "theirs": credential(theirs, "game"),
    "viewer": credential(ours, "dashboard", "viewer"),
}))
"""


@dataclass
class Server:
    """A running gunicorn. url: without a trailing slash. credentials: ours, theirs, viewer."""

    url: str
    port: int
    pid: int
    env: dict[str, str]
    credentials: dict[str, dict[str, str]]
    log: Path
    tokens: dict[str, str] = field(default_factory=dict)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, trust_env=False))

    def python(self, code: str) -> str:
        """Run code in another process that sees the same database; returns what it printed."""
        code = "import django\ndjango.setup()\n" + code
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=60, check=False
        )
        assert run.returncode == 0, run.stderr
        return run.stdout

    def sql(self, query: str) -> list[tuple]:
        """The rows of a SELECT in the server's database; many times quicker than `python`."""
        url = self.env["DATABASE_URL"]
        if url.startswith("sqlite"):
            with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)) as link:
                return link.execute(query).fetchall()
        with psycopg.connect(url, autocommit=True) as link:
            return link.execute(query).fetchall()

    def row_counts(self) -> dict[str, int]:
        """{table: rows} of every model."""
        tables = [model._meta.db_table for model in apps.get_models()]
        return dict(self.sql(" UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in tables)))

    def login(self, who: str) -> str:
        """A project token of one of the credentials."""
        body = {"client_id": self.credentials[who]["clientId"], "client_secret": self.credentials[who]["clientSecret"]}
        return self.http.post(f"{self.url}/identifier/projectToken/login", json=body).json()["access_token"]

    def token(self, who: str = "ours") -> str:
        """A project token, fetched once."""
        if who not in self.tokens:
            self.tokens[who] = self.login(who)
        return self.tokens[who]

    def headers(self, who: str = "ours") -> dict[str, str]:
        """What an SDK sends with every authorised call."""
        return {"Authorization": f"Bearer {self.token(who)}", "X-GS2-CLIENT-ID": self.credentials[who]["clientId"]}

    def call(self, verb: str, path: str, *, who: str | None = "ours", **more) -> httpx.Response:
        """One request."""
        headers = (self.headers(who) if who else {}) | more.pop("headers", {})
        return self.http.request(verb, self.url + path, headers=headers, **more)

    def raw(self, data: bytes, *, hang_up: bool = False) -> bytes:
        """Send bytes as they are and read until the server closes; hang_up: nothing more will come."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as link:
            link.sendall(data)
            if hang_up:
                link.shutdown(socket.SHUT_WR)
            parts = []
            while part := link.recv(65536):
                parts.append(part)
        return b"".join(parts)

    def finish_rollouts(self) -> None:
        """Do what a worker does: carry every open rollout to its end."""
        self.python(
            "from stages.models import Rollout\nfrom stages.worker.tasks import run_rollout\n"
            "for row in Rollout.objects.live(): run_rollout(row.pk)"
        )

    def memory_peak(self) -> int:
        """The highest resident size, in bytes, that any worker of this server has had."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        peaks = [int(_status(pid)["VmHWM"].split()[0]) for pid in children]
        return max(peaks) * 1024


def _status(pid: str) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@contextlib.contextmanager
def database(folder: Path) -> Iterator[str]:
    """The URL of an empty database of the kind that the tests run on."""
    if settings.ON_SQLITE:
        yield f"sqlite:///{folder / 'wire.sqlite3'}"
        return
    parts = urlsplit(os.environ["DATABASE_URL"])
    name = f"wire_{os.getpid()}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as link:
        link.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            link.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.contextmanager
def running(folder: Path, **extra: str) -> Iterator[Server]:
    """A server with the demo in it; ends with exactly the processes that it started."""
    with database(folder) as url:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "GS2ADMIN"))} | {
            "DATABASE_URL": url,
            "GS2ADMIN_DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "gs2admin.settings",
            "REDIS_URL": "",
            **extra,
        }
        seeded = subprocess.run(
            [sys.executable, "-c", SEED], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert seeded.returncode == 0, seeded.stderr
        log = folder / "server.log"
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn"],  # with the project's gunicorn.conf.py
                cwd=ROOT,
                env=env | {"GS2ADMIN_LISTEN_FD": str(listener.fileno())},
                stdout=out,
                stderr=out,
                pass_fds=[listener.fileno()],
            )
        listener.close()
        try:
            server = Server(f"http://127.0.0.1:{port}", port, process.pid, env, json.loads(seeded.stdout.splitlines()[-1]), log)
            _wait(server, process)
            yield server
            server.http.close()
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=15)


def _wait(server: Server, process: subprocess.Popen) -> None:
    def answers() -> bool:
        assert process.poll() is None, server.log.read_text()
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(server.url + "/freeze/", timeout=5).status_code == 401
        return False

    until(answers, 30, server.log.read_text, every_s=0.05)
