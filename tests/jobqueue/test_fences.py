"""The fences of a queue: a worker that lost its lease claims nothing, and an attempt that was written off settles nothing."""
from __future__ import annotations

import pytest

from jobqueue import sql
from jobqueue.execution import drain as drains
from jobqueue.execution import namespaces
from jobqueue.execution.lease import QueueLease
from jobqueue.models import Job, JobResult
from jobqueue.states import JobState

pytestmark = pytest.mark.django_db


def settle(job, tries=1, to=JobState.DONE, **more) -> tuple[bool, bool]:
    return sql.settle(job_id=job.pk, tries=tries, to=to, status_code=200, result="{}", output="", took_ms=1,
                      namespace_id=job.queue.namespace_id, script=job.script_id, **more)


def states(*jobs) -> list[tuple[str, int]]:
    return [(row.state, row.try_count) for row in (Job.objects.get(pk=job.pk) for job in jobs)]


@pytest.fixture
def take_over(forget_holder):
    """take_over(queue) lets the lease end, and somebody else takes the queue; returns that lease."""

    def act(queue) -> QueueLease:
        forget_holder(queue)
        found = QueueLease.take(queue.pk)
        assert found is not None
        return found

    return act


def test_a_drain_that_lost_its_lease_before_its_first_job_runs_nothing(auto, push, scripts, take_over, monkeypatch):
    job, real = push(auto), namespaces.current

    def frozen(namespace_id):
        monkeypatch.setattr(namespaces, "current", real)
        take_over(job.queue)
        return real(namespace_id)

    monkeypatch.setattr(namespaces, "current", frozen)
    drains.drain(job.queue_id)
    assert scripts.ran == [] and states(job) == [("waiting", 0)]


def test_a_settled_attempt_claims_the_next_job_only_while_the_lease_lasts(auto, push, forget_holder):
    first, second, third = push(auto), push(auto), push(auto)
    lease = QueueLease.take(first.queue_id)
    assert sql.claim_first(lease.queue_id, lease.fence)
    assert settle(first, next_id=second.pk, fence=lease.fence) == (True, True)
    # Another worker takes the queue, and has not looked yet at the job that is running.
    forget_holder(first.queue)
    assert sql.take(lease.queue_id, 60, "another")
    assert settle(second, next_id=third.pk, fence=lease.fence) == (True, False)
    assert states(first, second, third) == [("done", 1), ("done", 1), ("waiting", 0)]


def test_an_attempt_that_was_written_off_does_not_settle_the_next_attempt(auto, push, scripts, take_over):
    job = push(auto)

    def frozen(args):
        lease = take_over(job.queue)
        assert sql.claim_first(lease.queue_id, lease.fence)
        assert states(job) == [("running", 2)], "the second attempt is under way"
        return 200

    scripts.on["s"] = frozen
    drains.drain(job.queue_id)
    assert states(job) == [("running", 2)], "the first attempt is not the one that runs"
    assert list(JobResult.objects.filter(job=job).values_list("try_number", "status_code")) == [(0, 500)]
