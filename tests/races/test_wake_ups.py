"""The wake-up race: pushes fall between a drain's last look at its queue and the moment in which it lets the queue go.

On PostgreSQL neither sees the other's uncommitted rows. Without the closing look under the queue's row lock
(execution/hold.let_go) a push finds the queue draining and rings for nobody, the drain finds no job and stops, and the
job waits for ever. On SQLite writers stand in line anyway.
"""
from __future__ import annotations

import random
import threading
import time
from queue import SimpleQueue

import pytest
from django.conf import settings
from django.db import connection, transaction

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from jobqueue.execution import attempt, hold
from jobqueue.execution import drain as drains
from jobqueue.execution.attempt import Ended
from jobqueue.models import Job, Queue
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace
from jobqueue.states import JobState

PRODUCERS = 8
DRAINERS = 2
ROUNDS = 40 if settings.ON_POSTGRES else 5
WINDOW_S = 0.15


class Bells:
    """A doorbell that is rung after the commit, as with Redis, and answered by DRAINERS threads; no sweep repairs anything."""

    def __init__(self) -> None:
        self.rings: SimpleQueue[int | None] = SimpleQueue()
        self.rung = 0
        self.problems: list[BaseException] = []

    def ring(self, task: str, pk: int) -> None:
        """Wake a drain."""
        self.rung += 1
        transaction.on_commit(lambda: self.rings.put(pk))

    def answer(self) -> None:
        """Drain what is rung for, until None comes."""
        while (pk := self.rings.get()) is not None:
            drains.drain(pk)

    def thread(self, act) -> threading.Thread:
        """A started thread whose exception is kept and whose connection is closed."""
        def run() -> None:
            try:
                act()
            except BaseException as problem:  # noqa: BLE001  shown by the test
                self.problems.append(problem)
            finally:
                connection.close()

        made = threading.Thread(target=run, daemon=True)
        made.start()
        return made


@pytest.fixture
def bells(transactional_db, monkeypatch):
    found = Bells()
    monkeypatch.setattr(engine, "ring", found.ring)
    monkeypatch.setattr(attempt, "perform", lambda **_: Ended(200, "{}"))
    drainers = [found.thread(found.answer) for _ in range(DRAINERS)]
    yield found
    for _ in drainers:
        found.rings.put(None)
    for thread in drainers:
        thread.join(30)
    assert found.problems == []


@pytest.fixture
def auto(bells, project):
    return create_namespace(actor=SYSTEM, project=project, name="auto", enable_auto_run=True)


def push(namespace, user: str) -> None:
    push_jobs(actor=SYSTEM, namespace=namespace, user_id=user, entries=[Entry("s")])


def assert_all_ran(count: int) -> None:
    """Every job runs without anybody looking after it, and its queue says that nothing is left."""
    deadline = time.monotonic() + 10
    open_ones = Job.objects.exclude(state=JobState.DONE)
    while open_ones.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert open_ones.count() == 0, f"{open_ones.count()} jobs wait for a drain that nobody rang for"
    assert Job.objects.count() == count
    while Queue.objects.exclude(lease_until=None).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    for queue in Queue.objects.all():
        assert (queue.waiting, queue.draining, queue.lease_until, queue.head_at) == (0, False, None, None)


def test_what_eight_producers_push_at_a_drains_last_look_is_run(auto, bells, monkeypatch):
    real = hold.head

    def last_look(queue_id: int):
        found = real(queue_id)
        if found["head_at"] is None and not gate.is_set():
            gate.set()
            pushed.wait(WINDOW_S)  # in vain, unless nothing keeps the pushes out
        return found

    monkeypatch.setattr(hold, "head", last_look)
    for number in range(6):
        gate, pushed, left = threading.Event(), threading.Event(), threading.Semaphore(0)

        def produce(user=f"u{number}", gate=gate, left=left) -> None:
            connection.ensure_connection()
            assert gate.wait(10)
            push(auto, user)
            left.release()

        def tell(left=left, pushed=pushed) -> None:
            if all(left.acquire(timeout=20) for _ in range(PRODUCERS)):
                pushed.set()

        threads = [bells.thread(produce) for _ in range(PRODUCERS)] + [bells.thread(tell)]
        push(auto, f"u{number}")
        for thread in threads:
            thread.join(30)
    monkeypatch.setattr(hold, "head", real)
    assert_all_ran(6 * (PRODUCERS + 1))


def test_no_push_of_eight_producers_is_left_lying(auto, bells):
    """As it comes. Only the last push to a queue can be left lying, since any later one would wake a drain for both."""
    start = threading.Barrier(PRODUCERS)

    def produce() -> None:
        for number in range(ROUNDS):
            start.wait(30)
            time.sleep(random.uniform(0, 0.008))
            push(auto, f"u{number}")

    for thread in [bells.thread(produce) for _ in range(PRODUCERS)]:
        thread.join(120)
    assert_all_ran(PRODUCERS * ROUNDS)
    assert bells.rung < PRODUCERS * ROUNDS, "a push to a queue that is being drained starts no drain of its own"
