"""Workers are started when something waits for them, stay while they are needed, and leave."""
from __future__ import annotations

import time

import pytest

from gs2admin.engine import sentinel
from gs2admin.engine.lanes import Lane, Lanes, drained, queues
from gs2admin.engine.sentinel import Guard


class Ended:
    """A process."""

    def is_alive(self) -> bool:
        return False


@pytest.fixture
def guard(monkeypatch) -> Guard:
    """The main process of a cluster with two lanes, which starts nobody but counts."""
    made = Guard.__new__(Guard)
    made.lanes = Lanes([Lane("rollouts", 4, "aa"), Lane("jobs", 2, "bb")])
    made.pool, made._keep_at = [], time.monotonic()
    made.spawned = []

    def spawn(lane: Lane) -> None:
        lane.alive.value += 1
        made.spawned.append(lane.queue)

    monkeypatch.setattr(made, "spawn_worker", spawn)
    made._grow()
    return made


def alive(guard: Guard) -> tuple[int, int]:
    return guard.lanes["rollouts"].alive.value, guard.lanes["jobs"].alive.value


def pushed(guard: Guard, queue: str) -> bool:
    """The pusher takes a task and hands it over; whether it asked for another worker."""
    assert guard.lanes[queue].take(0)
    guard.lanes.put({"ack_id": queue, "id": "1"})
    return drained(guard.lanes.short_fd)


def test_one_worker_of_each_queue_waits_and_another_starts_when_all_of_its_queue_are_busy(guard):
    assert alive(guard) == (1, 1)
    assert not pushed(guard, "jobs"), "the one that is idle takes it"
    assert pushed(guard, "jobs")
    guard._grow()
    assert alive(guard) == (1, 2)
    assert not guard.lanes["jobs"].take(0), "no more at once than JOB_WORKERS"
    assert guard.lanes["rollouts"].take(0)
    assert guard.lanes["jobs"].tasks.get() == {"ack_id": None, "id": "1"}


def test_the_pushers_own_looks_start_nobody(guard):
    """It holds a slot of each queue while it looks whether there is a task."""
    pushed(guard, "rollouts")
    assert guard.lanes["rollouts"].take(0) and not pushed(guard, "jobs")
    guard._grow()
    assert alive(guard) == (1, 1)


def test_who_is_not_needed_any_more_leaves_after_a_while_and_one_stays(guard, monkeypatch):
    for _ in range(3):
        pushed(guard, "rollouts")
    guard._grow()
    guard.lanes["rollouts"].give(), guard.lanes["rollouts"].give()
    guard._shrink()
    assert alive(guard) == (3, 1), "not yet"
    monkeypatch.setattr(sentinel, "KEEP_S", 0.0)
    guard._shrink()
    assert alive(guard) == (3, 1), "three were needed since the last look"
    guard.lanes["rollouts"].give()
    guard._shrink()
    assert alive(guard) == (1, 1) and guard.lanes["rollouts"].leaving == 2
    tasks = [guard.lanes["rollouts"].tasks.get() for _ in range(5)]
    assert [task for task in tasks if task == "STOP"] == ["STOP"] * 2


def test_a_worker_that_ends_by_itself_is_replaced_and_one_that_was_told_to_is_not(guard):
    lane, ended = guard.lanes["jobs"], []
    lane.alive.value, lane.leaving = 1, 1
    for before in ([], ["jobs"]):
        process = Ended()
        guard.pool, guard.lane_of, guard.pusher = [process], {process: lane}, None
        guard._ended = lambda process, role, queue: ended.append((role, queue))
        guard.spawned.clear()
        guard._reap()
        guard._grow()
        assert guard.spawned == before
    assert ended == [("worker", "jobs")] * 2 and lane.leaving == 0
    assert alive(guard) == (1, 1)


def test_the_job_queue_is_the_others_where_it_has_no_workers_of_its_own(settings):
    settings.WORKERS, settings.JOB_WORKERS = 4, 2
    assert queues() == [("gs2admin", 4), ("jobs", 2)]
    settings.JOB_WORKERS = 0
    assert queues() == [("gs2admin", 4)]
