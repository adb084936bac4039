"""The wake-up race: pushes fall between a drain's last look at its queue and the moment in which it lets the queue go.

On PostgreSQL neither sees the other's uncommitted rows. Unless the drain locks the queue's row before its closing look
(execution/lease.py, release), a push finds the queue draining and wakes nobody, the drain finds no job and stops, and the
job waits for ever. On SQLite writers stand in line anyway.
"""
from __future__ import annotations

import random
import threading
from datetime import timedelta
from queue import SimpleQueue

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from jobqueue import sql
from jobqueue.chores.queues import wake_due_queues
from jobqueue.execution import ahead, attempt, turns
from jobqueue.execution import drain as drains
from jobqueue.execution.attempt import Ended
from jobqueue.models import Job, Namespace, Queue
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace, update_namespace
from jobqueue.sql import Done
from jobqueue.states import JobState
from tests.conditions import until
from tests.races.conftest import together

PRODUCERS = 8
DRAINERS = 2
ROUNDS = 40 if settings.ON_POSTGRES else 5
WINDOW_S = 0.1


class Bells:
    """A doorbell that is rung after the commit, as with Redis, and answered by DRAINERS threads; no sweep repairs anything."""

    def __init__(self) -> None:
        self.rings: SimpleQueue[int | None] = SimpleQueue()
        self.rung = 0
        self.problems: list[BaseException] = []
        self.drain = drains.drain

    def ring(self, task: str, pk: int) -> None:
        """Wake a drain."""
        self.rung += 1
        transaction.on_commit(lambda: self.rings.put(pk))

    def answer(self) -> None:
        """Drain what is rung for, until None comes."""
        while (pk := self.rings.get()) is not None:
            self.drain(pk)

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
    monkeypatch.setattr(engine, "wake", found.ring)
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


@pytest.fixture
def together_too(auto, bells, monkeypatch):
    """Several queues have their turn at once, and every script runs well ahead of its claim."""

    def run(project, users, jobs) -> ahead.Ran:
        found = [Done(job.id, queue, job.tries, "{}", "", 0, None, job.script_id) for queue, some in jobs.items() for job in some]
        return ahead.Ran(found, set())

    monkeypatch.setattr(ahead, "run", run)
    Namespace.objects.filter(pk=auto.pk).update(slow_until=Now() - timedelta(seconds=1))
    bells.drain = turns.drain


def push(namespace, user: str) -> None:
    push_jobs(actor=SYSTEM, namespace=namespace, user_id=user, entries=[Entry("s")])


def assert_all_ran(count: int, tick=lambda: None) -> None:
    """Every job runs without anybody looking after it, and its queue says that nothing is left."""
    open_ones = Job.objects.exclude(state=JobState.DONE)

    def all_done() -> bool:
        tick()
        return not open_ones.exists()

    until(all_done, 10, lambda: f"{open_ones.count()} jobs wait for a drain that nobody rang for")
    assert Job.objects.count() == count
    until(lambda: not Queue.objects.exclude(lease_until=None).exists(), 10, "nobody holds a queue any more")
    for queue in Queue.objects.all():
        assert (queue.waiting, queue.draining, queue.lease_until, queue.head_at) == (0, False, None, None)


@pytest.mark.parametrize("by", ["drain", "turn"])
def test_a_push_that_is_not_committed_when_a_drain_takes_its_last_look_is_run(by, auto, bells, monkeypatch, request):
    """The last of eight producers has inserted its job when the drain of the others' jobs comes to its end."""
    name = "lock" if by == "drain" else "release_all"
    real = getattr(sql, name)
    if by == "turn":
        request.getfixturevalue("together_too")

    def last_look(*given):
        if armed.is_set() and not gate.is_set():
            gate.set()
            # In vain on SQLite, where the drain has the only write lock here.
            if settings.ON_POSTGRES and inside.wait(10):
                threading.Timer(3 * WINDOW_S, commit.set).start()
            else:
                commit.set()
        return real(*given)

    monkeypatch.setattr(sql, name, last_look)
    for number in range(5):
        armed, gate, inside, commit = (threading.Event() for _ in range(4))

        def produce(user=f"u{number}") -> None:
            push(auto, user)

        def produce_late(user=f"u{number}", gate=gate, inside=inside, commit=commit) -> None:
            connection.ensure_connection()
            assert gate.wait(10)
            with transaction.atomic():
                push(auto, user)
                inside.set()
                commit.wait(10)

        late = bells.thread(produce_late)
        for thread in [bells.thread(produce) for _ in range(PRODUCERS - 2)]:
            thread.join(30)
        armed.set()
        produce()
        late.join(30)
    assert_all_ran(5 * PRODUCERS)


@pytest.mark.parametrize("by", ["drain", "turn"])
def test_no_push_of_eight_producers_is_left_lying(by, auto, bells, request):
    """As it comes. Only the last push to a queue can be left lying, since any later one would wake a drain for both."""
    if by == "turn":
        request.getfixturevalue("together_too")
    start = threading.Barrier(PRODUCERS)

    def produce() -> None:
        for number in range(ROUNDS):
            start.wait(30)
            # Not all in step: each looks another number of times first.
            for _ in range(random.randrange(8)):
                Queue.objects.filter(user_id=f"u{number}").exists()
            push(auto, f"u{number}")

    for thread in [bells.thread(produce) for _ in range(PRODUCERS)]:
        thread.join(120)
    assert_all_ran(PRODUCERS * ROUNDS)
    assert bells.rung < PRODUCERS * ROUNDS, "a push to a queue that is being drained starts no drain of its own"


def test_auto_run_is_switched_to_and_fro_while_eight_producers_push(auto, bells):
    ended = threading.Event()

    def switch() -> None:
        on = True
        while not ended.is_set():
            on = not on
            update_namespace(actor=SYSTEM, namespace=auto, enable_auto_run=on)
            ended.wait(random.uniform(0, 0.01))

    def produce() -> None:
        for number in range(ROUNDS):
            namespace = Namespace.objects.select_related("project").get(pk=auto.pk)
            push(namespace, f"u{number % 4}")

    switcher = bells.thread(switch)
    for thread in [bells.thread(produce) for _ in range(PRODUCERS)]:
        thread.join(120)
    ended.set()
    switcher.join(30)
    both_ways = [lambda on=on: update_namespace(actor=SYSTEM, namespace=auto, enable_auto_run=on) for on in (True, False)]
    together(*both_ways)
    update_namespace(actor=SYSTEM, namespace=auto, enable_auto_run=True)
    # A queue that was released while auto-run was turned on is marked as due, and the workers' ticker wakes it.
    assert_all_ran(PRODUCERS * ROUNDS, tick=wake_due_queues)
