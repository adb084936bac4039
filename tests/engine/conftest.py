"""A host: a real `manage.py worker` on the test database, and eyes to see what its processes do."""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from gs2admin.processes import proc
from tests.conditions import until

RUN = "tests.engine.workapp.tasks.run"


def database_url() -> str:
    """The test database, as another process reaches it."""
    found = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{found['NAME']}"
    password = f":{found['PASSWORD']}" if found["PASSWORD"] else ""
    return f"postgres://{found['USER']}{password}@{found['HOST']}:{found['PORT'] or 5432}/{found['NAME']}"


class Host:
    """One supervised worker host. roles() shows its clusters' processes by role."""

    def __init__(self, directory: Path, **variables: str) -> None:
        self.directory = directory
        (directory / "events").touch()
        self.variables = {
            "GS2ADMIN_DATA_DIR": str(directory), "DATABASE_URL": database_url(), "SECRET_KEY": settings.SECRET_KEY,
            "TEST_LEDGER": str(directory),
            "DJANGO_SETTINGS_MODULE": "tests.engine.workapp.settings", "PYTHONWARNINGS": "",
            "WORKERS": "2", "JOB_WORKERS": "0",
            "GS2ADMIN_LATE_S": "3", "GS2ADMIN_DRAIN_S": "5", "GS2ADMIN_SWEEP_S": "1", **variables,
        }
        self.log = directory / "log"
        self.popen: subprocess.Popen | None = None
        self.seen: set[proc.Process] = set()

    def start(self) -> Host:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker"],
                env={**os.environ, **self.variables}, stdout=log, stderr=log, start_new_session=True,
            )
        return self

    def processes(self) -> list[proc.Look]:
        """All that runs of it, the supervisor first."""
        own = proc.look(self.popen.pid)
        found = ([own] if own else []) + proc.descendants(self.popen.pid)
        self.seen |= {look.process for look in found}
        return found

    def roles(self, name: str, cluster: int | None = None) -> list[int]:
        """Pids of the processes with that name ("qc-idle"), of one cluster when its main pid is given."""
        return [look.process.pid for look in self.processes()
                if look.name == name[:15] and cluster in (None, look.group)
                # What the main process forks has its name for a moment.
                and (name != "qc-main" or look.process.pid == look.group)]

    def workers(self, cluster: int) -> list[int]:
        """Pids of a cluster's workers, busy or not."""
        return self.roles("qc-idle", cluster) + self.roles("qc-busy", cluster)

    def ready(self, workers: int = 1) -> int:
        """Wait until a whole cluster is there, with so many workers at least; its main pid."""
        def whole():
            for main in self.roles("qc-main"):
                if len(self.workers(main)) >= workers and self.said(f'"pid": {main}, "after_s"'):
                    return main
            return None
        return until(whole, 15, lambda: f"a whole cluster; log:\n{self.log.read_text()[-3000:]}")

    def left(self) -> list[proc.Process]:
        """What still runs of all that was ever seen."""
        return [process for process in self.seen if proc.alive(process)]

    def ring(self, job: str, seconds: float, sweep_only: bool = False) -> None:
        """A new job, with its wake."""
        from gs2admin import engine

        (self.directory / f"{job}.todo").write_text(str(seconds))
        if not sweep_only:
            engine.wake(RUN, job)

    def events(self, job: str) -> list[str]:
        lines = (self.directory / "events").read_text().splitlines()
        return [line.split()[1] for line in lines if line.split()[0] == job]

    def pid_of(self, job: str) -> int:
        """The worker that started the job last."""
        lines = [line.split() for line in (self.directory / "events").read_text().splitlines()]
        return [int(pid) for name, event, pid in lines if (name, event) == (job, "start")][-1]

    def wait(self, job: str, event: str, seconds: float) -> float:
        """Wait for the job's event; how many seconds it took."""
        began = time.monotonic()
        until(lambda: event in self.events(job), seconds,
              lambda: f"{job} {event}; {self.events(job)}; log:\n{self.log.read_text()[-3000:]}")
        return time.monotonic() - began

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def end(self) -> None:
        if self.popen is None:
            return
        self.processes()
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGCONT)
            self.popen.terminate()
            try:
                self.popen.wait(15)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        for process in self.left():
            proc.kill(process)
        self.popen.wait()


@pytest.fixture
def host(transactional_db, tmp_path) -> Iterator[Host]:
    """A running host with two workers. Nothing of it is left after the test."""
    running = Host(tmp_path)
    with contextlib.ExitStack() as stack:
        stack.callback(running.end)
        yield running.start()


@pytest.fixture
def new_host(transactional_db, tmp_path) -> Iterator[Callable[..., Host]]:
    """new_host(**variables) makes a host that is not yet started."""
    made: list[Host] = []

    def make(**variables: str) -> Host:
        directory = tmp_path / f"host{len(made)}"
        directory.mkdir()
        made.append(Host(directory, **variables))
        return made[-1]

    yield make
    for one in made:
        one.end()
