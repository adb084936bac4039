"""One call of a worker that is stopped in the middle: its lease runs out, another takes its queue over, and it goes on."""
from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from bench.frozen import tables
from bench.frozen.cases import Asked, Place, cases
from jobqueue.execution.lease import QueueLease
from tests.conditions import until

ROOT = Path(__file__).resolve().parents[2]
LEASE_S = 2
# The lease is over by then; who has not taken the queue over waits for a lock that the stopped process has.
OVER_S = LEASE_S + 0.5
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Played:
    """stale: the tables that changed after the take-over. waited: the take-over had to wait for the stopped worker's commit."""

    case: str
    point: str
    stale: list[str]
    waited: bool


class Worker:
    """bench/frozen/worker.py. Use as a context manager."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ | {"GS2ADMIN_JOB_LEASE_S": str(LEASE_S), "DJANGO_SETTINGS_MODULE": "gs2admin.settings",
                                  "LOG_LEVEL": "ERROR"}

    def __enter__(self) -> Worker:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "bench.frozen.worker"], cwd=ROOT, env=self.environ, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )
        self.answer()
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.send_signal(signal.SIGCONT)
        self.popen.kill()
        self.popen.communicate()

    def order(self, queue_id: int, point: str = "", nth: int = 1) -> None:
        """Drain that queue, and stop at the point the nth time that it is reached."""
        self.popen.stdin.write(json.dumps({"queue": queue_id, "point": point, "nth": nth}) + "\n")
        self.popen.stdin.flush()

    def answer(self) -> dict[str, str]:
        """What it said about the order."""
        assert select.select([self.popen.stdout], [], [], PATIENCE_S)[0], "the worker says nothing"
        return json.loads(self.popen.stdout.readline() or '{"ended": "it died"}')

    def stopped(self) -> bool:
        """Whether it has stopped itself. Raises AssertionError when it came to the end instead."""
        assert not select.select([self.popen.stdout], [], [], 0)[0], f"it never came to the point: {self.answer()}"
        pid, status = os.waitpid(self.popen.pid, os.WNOHANG | os.WUNTRACED)
        assert not pid or os.WIFSTOPPED(status), "the worker died"
        return bool(pid)


class Taker(threading.Thread):
    """Takes the queue over as soon as it can, and sees all tables in the same transaction."""

    def __init__(self, queue_id: int) -> None:
        super().__init__(daemon=True)
        self.queue_id, self.seen, self.problem = queue_id, None, None

    def run(self) -> None:
        try:
            until(self._take, PATIENCE_S, "a take-over", every_s=0.05)
        except BaseException as problem:  # noqa: BLE001  told by whoever waits for us
            self.problem = problem
        finally:
            connection.close()

    def _take(self) -> bool:
        with transaction.atomic():
            if QueueLease.take(self.queue_id) is None:
                return False
            self.seen = tables.rows()
        return True


def make(place: Place, name: str, number: int) -> int:
    """The queue with the job of a case in it."""
    asked: Asked = cases()[name](place, number)
    return place.push(f"worker-{number}", asked, place.auto).queue_id


def play(worker: Worker, place: Place, name: str, number: int, point: str, nth: int = 1) -> Played:
    """Stop the worker in a job of that case, and see what it changed afterwards."""
    queue_id = make(place, name, number)
    worker.order(queue_id, point, nth)
    until(worker.stopped, PATIENCE_S, f"{name}: its stop")
    taker = Taker(queue_id)
    taker.start()
    taker.join(OVER_S)
    waited = taker.is_alive()
    worker.popen.send_signal(signal.SIGCONT)
    taker.join(PATIENCE_S)
    if taker.problem:
        raise taker.problem
    ended: Any = worker.answer()
    assert ended == {"ended": "done"}, (name, ended)
    return Played(name, point, tables.changed(taker.seen, tables.rows()), waited)
