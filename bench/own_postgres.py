"""A PostgreSQL of the bench's own, small enough to be filled: on a tmpfs, ended and unmounted at the end. Needs root."""
from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench.server import free_port
from tests.conditions import until

SIZE_MB, SMALL_MB, SLOTS = 160, 48, 30
# The server keeps its own rights, the application is an ordinary role: it gets none of the reserved slots.
ROLE = "bench"


def programs() -> Path | None:
    """Where initdb and pg_ctl are; None when they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class OwnPostgres:
    """url: of an empty database for ROLE; admin: of the superuser."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.data, self.small = directory, directory / "data", directory / "small"
        self.port = free_port()
        self.admin = f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([str(programs() / program), "-D", str(self.data), *arguments], check=True, user="postgres",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, cwd="/")  # fmt: skip

    def make(self) -> None:
        self._run("initdb", "--auth=trust", "--no-sync", "--locale=C.UTF-8", "--wal-segsize=1")
        self.start()
        with psycopg.connect(self.admin, autocommit=True) as link:
            link.execute(f"CREATE ROLE {ROLE} LOGIN")
            # On a disk of its own: PostgreSQL does not outlive a full disk of its log, and that is the kind "server stopped".
            link.execute(f"CREATE TABLESPACE small LOCATION '{self.small}'")
            link.execute(f"CREATE DATABASE {ROLE} OWNER {ROLE} TABLESPACE small")

    def start(self) -> None:
        options = (
            f"-p {self.port} -h 127.0.0.1 -k {self.directory} -c max_connections={SLOTS} -c max_wal_size=8MB -c min_wal_size=2MB"
            " -c shared_buffers=16MB -c fsync=off"
        )
        self._run("pg_ctl", "-w", "-o", options, "-l", str(self.directory / "log"), "start")

    def stop(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-w", "-m", "immediate", "stop")

    def answers(self) -> bool:
        """Whether it lets somebody in."""
        try:
            psycopg.connect(self.admin, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True


@contextlib.contextmanager
def own_postgres() -> Iterator[OwnPostgres]:
    """A running one."""
    directory = Path(tempfile.mkdtemp(prefix="gs2admin-pg-"))
    server = OwnPostgres(directory)
    mount(directory, SIZE_MB)
    try:
        server.small.mkdir()
        mount(server.small, SMALL_MB)
        # initdb wants a directory that its owner owns.
        shutil.chown(server.small, "postgres")
        server.make()
        until(server.answers, 20, "an own PostgreSQL")
        yield server
    finally:
        server.stop()
        for place in (server.small, directory):
            subprocess.run(["umount", "-l", str(place)], check=False)
        directory.rmdir()


def mount(place: Path, size_mb: int) -> None:
    """A small file system in memory."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=777", "tmpfs", str(place)], check=True)


def possible() -> bool:
    """Whether this process may mount, and PostgreSQL's programs are there."""
    return os.geteuid() == 0 and programs() is not None
