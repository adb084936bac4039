"""The database away, slow, locked or full, kind by kind: what each door answers meanwhile and in how many seconds, and how many
seconds after it is over everything is as before.

Brings its own databases, because it stops and fills them: SQLite and PostgreSQL each on a small tmpfs. Needs root.
BENCH_KINDS: words separated by commas; only the kinds whose names have one of them.
"""
from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from bench.own_postgres import ROLE, own_postgres, possible
from bench.report import table
from bench.server import Server
from tests.conditions import TooSlow, looks, until
from tests.engine.proxy import Proxy

PASSWORD = "correct horse battery"
# How long it stays away, and how long its return may take. s.
AWAY_S, BACK_S = 8.0, 60.0
Kind = contextlib.AbstractContextManager


@dataclass
class Door:
    """One way in. seen: (status, seconds, what the answer says) while the database was away."""

    name: str
    ask: Callable[[], httpx.Response]
    good: int = 200
    seen: list[tuple[int, float, str]] = field(default_factory=list)

    def once(self) -> tuple[int, float, str]:
        """Ask once; status 0 when there was no answer within 40 s."""
        began = time.monotonic()
        try:
            answer = self.ask()
            return answer.status_code, time.monotonic() - began, answer.headers.get("Retry-After", "")
        except httpx.TransportError as problem:
            return 0, time.monotonic() - began, type(problem).__name__


def doors(server: Server) -> list[Door]:
    """The doors of a server with the project `default`, signed in before anything is broken."""
    made = json.loads(server.manage("createcredential", "default", "bench", "--role", "admin").splitlines()[-1])
    token = server.project_token(made["clientId"], made["clientSecret"])
    browser = server.sign_in("admin", PASSWORD).http
    plain = httpx.Client(base_url=server.url, timeout=40)
    bearer = {"Authorization": f"Bearer {token}"}

    def lock() -> httpx.Response:
        # A long name, so that few rows fit on a page, and a new one is needed soon.
        body, name = {"transactionId": f"t-{time.monotonic()}", "ttl": 1}, f"{time.monotonic()}-{'x' * 900}"
        return plain.post(f"/lock/bench/user/u/mutex/{name}/lock", json=body, headers=bearer)

    def push() -> httpx.Response:
        job = {"scriptId": "work", "args": json.dumps({"x": "x" * 2000})}
        return plain.post(f"/job-queue/bench/user/u-{time.monotonic()}/job", json={"jobs": [job]}, headers=bearer)

    server.manage("shell", "-c", MAKE_NAMESPACES)
    return [
        Door("page", lambda: browser.get("/p/default/")),
        Door("fragment", lambda: browser.get("/p/default/", headers={"HX-Request": "true"})),
        Door("GS2, a write", lock),
        Door(PUSHES, push),
        Door("GS2, a read", lambda: plain.get("/lock/bench", headers=bearer)),
        Door("own JSON", lambda: plain.get("/api/v1/stages", headers=bearer)),
        Door("SourceDeploy", lambda: plain.get("/sourcedeploy/api/v1/project", headers=bearer)),
        Door("ASM", lambda: plain.get("/v2/meshes/default/releases", headers={"X-Auth-Token": token})),
        Door("/readyz", lambda: plain.get("/readyz")),
        Door("/healthz", lambda: plain.get("/healthz")),
    ]


MAKE_NAMESPACES = (
    "from locks.services.namespaces import create_namespace as make\n"
    "from jobqueue.services.namespaces import create_namespace as queues, create_script_namespace as scripts\n"
    "from jobqueue.services.scripts import create_script as script\n"
    "from gs2admin.identity.actors import SYSTEM; from gs2admin.identity.models import Project\n"
    "whose = {'actor': SYSTEM, 'project': Project.objects.get(name='default')}\n"
    "make(**whose, name='bench'); queues(**whose, name='bench', enable_auto_run=True)\n"
    "script(actor=SYSTEM, namespace=scripts(**whose, name='default'), name='work', source='result = {ok = true}')"
)
JOBS_RUN = "from jobqueue.models import JobResult as R; print(R.objects.filter(status_code=200).values('job').distinct().count())"
PUSHES = "GS2, pushed jobs"


def nothing_lost(server: Server, pushed: int) -> bool:
    """Whether every job whose push was answered well has been run; prints both numbers."""
    ran = 0
    with contextlib.suppress(TooSlow):
        for _ in looks(BACK_S, every_s=1.0):
            ran = int(server.manage("shell", "-c", JOBS_RUN).split()[-1])
            if ran >= pushed:
                break
    print(f"jobs: {pushed} pushes were answered well, {ran} jobs have been run")
    return ran >= pushed


def measure(name: str, entries: list[Door], broken: Kind) -> tuple[list[list[object]], float]:
    """Break it, ask every door for AWAY_S, mend it; returns rows and the seconds until all is well again."""
    for entry in entries:
        entry.seen.clear()
    with broken, ThreadPoolExecutor(len(entries)) as pool:
        ends = time.monotonic() + AWAY_S

        def go_on(entry: Door) -> None:
            for _ in looks(ends - time.monotonic(), every_s=0.3):
                entry.seen.append(entry.once())

        list(pool.map(go_on, entries))
    began = time.monotonic()
    with contextlib.suppress(TooSlow):
        for entry in entries:
            until(lambda door=entry: door.once()[0] == door.good, BACK_S, every_s=0.2)
    back = time.monotonic() - began
    rows = []
    for entry in entries:
        statuses = sorted({status for status, _, _ in entry.seen})
        slowest = max(took for _, took, _ in entry.seen)
        retry = sorted({words for status, _, words in entry.seen if status == 503})
        rows.append([name, entry.name, " ".join(map(str, statuses)), " ".join(retry), f"{slowest:.1f}", f"{back:.1f}"])
    return rows, back


@contextlib.contextmanager
def filled(directory: Path) -> Iterator[None]:
    """No byte is left on that file system."""
    file = directory / "filling"
    try:
        with file.open("wb", buffering=0) as filling, contextlib.suppress(OSError):
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        filling.write(b"\0" * size)
        yield
    finally:
        file.unlink()


@contextlib.contextmanager
def locked(url: str, table_name: str) -> Iterator[None]:
    """Nobody else reads that table."""
    with psycopg.connect(url) as link:
        link.execute(f"LOCK TABLE {table_name}")
        yield


@contextlib.contextmanager
def slow_writes(url: str) -> Iterator[None]:
    """What writes to locks_mutex takes half a minute."""
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("CREATE FUNCTION slowly() RETURNS trigger AS 'BEGIN PERFORM pg_sleep(30); RETURN NEW; END' LANGUAGE plpgsql")
        link.execute("CREATE TRIGGER slowly BEFORE INSERT OR UPDATE ON locks_mutex FOR EACH ROW EXECUTE FUNCTION slowly()")
        try:
            yield
        finally:
            link.execute("DROP TRIGGER slowly ON locks_mutex")
            link.execute("DROP FUNCTION slowly()")


@contextlib.contextmanager
def no_slot(admin: str, url: str) -> Iterator[None]:
    """Somebody else has every connection that the role may have, the server's own are ended."""
    taken: list[psycopg.Connection] = []
    with psycopg.connect(admin, autocommit=True) as link:
        link.execute(f"ALTER ROLE {ROLE} CONNECTION LIMIT 10")
        link.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [ROLE])
        for _ in looks(3, every_s=0.05):
            with contextlib.suppress(psycopg.Error):
                taken.append(psycopg.connect(url))
        try:
            yield
        finally:
            for one in taken:
                one.close()
            link.execute(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")


@contextlib.contextmanager
def around(before: Callable[[], object], after: Callable[[], object]) -> Iterator[None]:
    """Call the one at the beginning, the other at the end."""
    before()
    try:
        yield
    finally:
        after()


@contextlib.contextmanager
def writing(file: Path) -> Iterator[None]:
    """Another process is in a transaction that writes."""
    link = sqlite3.connect(file, isolation_level=None)
    link.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        link.execute("ROLLBACK")
        link.close()


@contextlib.contextmanager
def sqlite_world() -> Iterator[tuple[dict[str, str], dict[str, Callable[[], Kind]]]]:
    """Environment of a server whose data directory is a small file system, and what can happen to it."""
    directory = Path(tempfile.mkdtemp(prefix="gs2admin-full-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(directory)], check=True)
    file = directory / "gs2admin.db.sqlite3"
    try:
        yield {"GS2ADMIN_DATA_DIR": str(directory), "DATABASE_URL": f"sqlite:///{file}"}, {
            "file locked by another process": lambda: writing(file),
            "disk full": lambda: filled(directory),
        }
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=False)
        directory.rmdir()


@contextlib.contextmanager
def postgres_world() -> Iterator[tuple[dict[str, str], dict[str, Callable[[], Kind]]]]:
    """The same for a PostgreSQL of our own, behind a relay."""
    with own_postgres() as own, tempfile.TemporaryDirectory(prefix="gs2admin-bench-") as directory:
        relay = Proxy(own.port)
        direct = f"postgres://{ROLE}@127.0.0.1:{own.port}/{ROLE}"
        over = f"postgres://postgres@127.0.0.1:{own.port}/{ROLE}"

        def open_again() -> None:
            relay.open = True

        try:
            yield {"GS2ADMIN_DATA_DIR": directory, "DATABASE_URL": f"postgres://{ROLE}@127.0.0.1:{relay.port}/{ROLE}"}, {
                "server stopped": lambda: around(own.stop, own.start),
                "link cut, new ones closed": lambda: around(relay.cut, open_again),
                "silent, links stay open": lambda: around(relay.hang, relay.flow),
                "one table locked": lambda: locked(over, "identity_user"),
                "writes take 30 s": lambda: slow_writes(over),
                "no connection slot": lambda: no_slot(own.admin, direct),
                "disk full": lambda: filled(own.small),
            }
        finally:
            relay.close()


def main() -> bool:
    """Print the table; False when an answer took longer than 13 s, /healthz longer than 1 s, or a return longer than 10 s."""
    if not possible():
        print("It needs root and PostgreSQL's programs.")
        return True
    world = postgres_world if os.environ["DATABASE_URL"].startswith("postgres") else sqlite_world
    wanted = [word for word in os.environ.get("BENCH_KINDS", "").split(",") if word]
    found: list[list[object]] = []
    with world() as (own, kinds):
        environ = dict(os.environ) | own | {"DJANGO_SUPERUSER_PASSWORD": PASSWORD, "WORKERS": "1", "JOB_WORKERS": "1"}
        with Server(environ) as server:
            entries = doors(server)
            for entry in entries:
                status = entry.once()[0]
                if status != entry.good:
                    print(f"{entry.name} answers {status} before anything is broken")
            pushed = 0
            for name, kind in kinds.items():
                if not wanted or any(word in name for word in wanted):
                    rows, _ = measure(name, entries, kind())
                    found += rows
                    table(name, ("kind", "door", "status", "retry", "slowest s", "back s"), rows)
                    pushed += sum(seen[0] == 200 for entry in entries for seen in entry.seen if entry.name == PUSHES)
            whole = nothing_lost(server, pushed)
    return whole and all(
        float(row[4]) <= (1.0 if row[1] == "/healthz" else 13.0) and float(row[5]) <= 10.0 for row in found
    )
