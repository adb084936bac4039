"""The statements of the hot path change the rows that they name, and nothing of the queues, jobs and namespaces beside them."""
from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from jobqueue import sql
from jobqueue.execution.lease import QueueLease
from jobqueue.models import GivenUp, Job, JobResult, Namespace, Queue, Tally
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace
from jobqueue.states import JobState

pytestmark = pytest.mark.django_db
OLD = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def other(project) -> Namespace:
    """Another namespace of the project, with auto-run."""
    return create_namespace(actor=SYSTEM, project=project, name="other", enable_auto_run=True)


@pytest.fixture
def run(push):
    """run(namespace, **of the job): a job that is running under a lease; returns (the job, the lease)."""

    def act(namespace, **of):
        job = push(namespace, **of)
        lease = QueueLease.take(job.queue_id)
        assert sql.claim_first(lease.queue_id, lease.fence).id == job.pk
        return job, lease

    return act


def settle(job, tries=1, to=JobState.DONE, status_code=200, took_ms=1, **more) -> tuple[bool, bool]:
    return sql.settle(job_id=job.pk, tries=tries, to=to, status_code=status_code, result="{}", output="", took_ms=took_ms,
                      namespace_id=job.queue.namespace_id, script=job.script_id, **more)


def state(job) -> tuple[str, int]:
    return Job.objects.values_list("state", "try_count").get(pk=job.pk)


def fresh(job) -> bool:
    """Whether the job's row says that it was changed just now."""
    return timezone.now() - Job.objects.get(pk=job.pk).updated_at < timedelta(seconds=20)


# ── lease ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_that_is_running_says_that_the_last_holder_was_lost_and_others_do_not(auto, push, run):
    run(auto, user="other")
    mine = push(auto, user="mine")
    taken = sql.take(mine.queue_id, 60, "w")
    assert (taken.fence, taken.namespace_id, taken.user_id, bool(taken.last_was_lost)) == (1, auto.pk, "mine", False)
    assert sql.release(mine.queue_id, 1, finished=0, stop=False, wait_s=0)
    Job.objects.filter(pk=mine.pk).update(state="running", try_count=1)
    assert sql.take(mine.queue_id, -1, "w").last_was_lost, "its holder released the queue, but a job of it is running"
    Job.objects.filter(pk=mine.pk).update(state="waiting")
    assert sql.take(mine.queue_id, 60, "w").last_was_lost, "its holder did not release the queue"


def test_a_lease_and_its_end_raise_the_revision_by_one(auto, push):
    job = push(auto)
    before = Queue.objects.get().rev
    lease = QueueLease.take(job.queue_id)
    assert Queue.objects.get().rev == before + 1
    Queue.objects.update(woken_at=OLD)
    lease.release(finished=0)
    row = Queue.objects.get()
    assert row.rev == before + 2 and row.woken_at > OLD, "what waits was looked at just now"


def test_the_end_of_a_lease_looks_at_its_own_queue_and_changes_no_other(auto, push):
    first, mine = push(auto, user="first"), push(auto, user="mine")
    lease, theirs = QueueLease.take(mine.queue_id), QueueLease.take(first.queue_id)
    assert lease.fence == theirs.fence
    before = Queue.objects.values().get(pk=first.queue_id)
    Job.objects.filter(pk=mine.pk).update(state="done")
    assert lease.release(finished=1, wait_s=20) is False, "only the other's job waits"
    row = Queue.objects.get(pk=mine.queue_id)
    assert (row.waiting, row.draining, row.next_at, row.head_at, row.head_tries) == (0, False, None, None, 0)
    assert Queue.objects.values().get(pk=first.queue_id) == before


def test_a_queue_is_locked_by_its_holder_alone(auto, push, forget_holder):
    mine, other = push(auto, user="mine"), push(auto, user="other")
    assert set(Queue.objects.values_list("waiting", "fence", "head_tries")) == {(1, 0, 0)}
    old = QueueLease.take(mine.queue_id)
    QueueLease.take(other.queue_id)
    forget_holder(other.queue)
    new = QueueLease.take(other.queue_id)
    alone = connection.vendor == "sqlite"  # there a transaction has the only lock from its beginning
    assert sql.lock(mine.queue_id, old.fence) is True
    assert sql.lock(mine.queue_id, new.fence) is alone, "the fence of another queue"
    assert sql.lock(mine.queue_id, 7) is alone and sql.lock(other.queue_id, old.fence) is alone
    kept = [sql.keep(queue, lease.fence) for queue in (mine.queue_id, other.queue_id) for lease in (old, new)]
    assert kept == [True, False, False, True]


def test_a_drain_reads_the_switches_of_its_namespace(auto, manual):
    Namespace.objects.filter(pk=manual.pk).update(status="DELETING", revision=41)
    Namespace.objects.filter(pk=auto.pk).update(revision=42)
    Namespace.objects.filter(pk=manual.pk).update(paused_at=OLD)
    found = [(now.auto_run, now.status, now.revision, now.paused) for now in map(sql.namespace_now, (auto.pk, manual.pk))]
    assert found == [(True, "ACTIVE", 42, False), (False, "DELETING", 41, True)]
    assert sql.namespace_now(auto.pk + manual.pk) is None


def test_a_slow_job_is_noted_of_its_namespace_and_again_after_half_a_minute(auto, manual):
    def left_s() -> float | None:
        found = Namespace.objects.values_list("slow_until", flat=True).get(pk=auto.pk)
        return found and (found - timezone.now()).total_seconds()

    sql.note_slow(auto.pk)
    assert 40 < left_s() <= 60
    for before, written in ((35, False), (25, True), (-5, True)):
        Namespace.objects.filter(pk=auto.pk).update(slow_until=timezone.now() + timedelta(seconds=before))
        sql.note_slow(auto.pk)
        assert (left_s() > 40) is written
    assert Namespace.objects.get(pk=manual.pk).slow_until is None


def test_that_the_first_jobs_were_quick_is_noted_once_of_their_namespace(auto, manual):
    def noted(namespace):
        return Namespace.objects.values_list("slow_until", flat=True).get(pk=namespace.pk)

    assert sql.namespace_now(auto.pk).untried
    sql.note_quick(auto.pk)
    first = noted(auto)
    assert abs(timezone.now() - first) < timedelta(seconds=20) and noted(manual) is None
    assert not sql.namespace_now(auto.pk).untried and sql.namespace_now(manual.pk).untried
    sql.note_quick(auto.pk)
    assert noted(auto) == first
    Namespace.objects.filter(pk=auto.pk).update(slow_until=OLD)
    sql.note_quick(auto.pk)
    assert noted(auto) == OLD, "what is known of it is not made newer"


def test_what_stays_waiting_is_counted_from_its_first_job(auto, push):
    jobs = [push(auto, user="mine") for _ in range(3)]
    for number, job in enumerate(jobs):
        Job.objects.filter(pk=job.pk).update(created_at=OLD + timedelta(days=number), try_count=number + 1, max_try_count=9)
    lease = QueueLease.take(jobs[0].queue_id)
    assert lease.release(finished=0, wait_s=20)
    row = Queue.objects.get(pk=jobs[0].queue_id)
    assert (row.head_at, row.head_tries) == (OLD, 1)


# ── what comes next ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_look_ahead_finds_the_next_waiting_jobs_of_the_queue_in_order(auto, push):
    push(auto, user="before")
    mine = [push(auto, script=f"s{n}", args=f"[{n}]", user="mine", tries=n + 1) for n in range(6)]
    push(auto, user="after")
    Job.objects.filter(pk=mine[2].pk).update(state="running", try_count=1)
    Job.objects.filter(pk=mine[3].pk).update(state="done", try_count=1)
    found = sql.ahead(mine[0].queue_id, mine[0].pk, 10)
    wanted = [(mine[n].pk, f"s{n}", f"[{n}]", n + 1, 0) for n in (1, 4, 5)]
    assert [(one.id, one.script_id, one.args, one.max_tries, one.tries) for one in found] == wanted
    assert sql.ahead(mine[0].queue_id, mine[0].pk, 2) == found[:2]
    assert sql.ahead(mine[0].queue_id, mine[5].pk, 10) == []


@pytest.mark.parametrize(("given", "claimed"), [
    ({"state": "waiting", "try_count": 2}, True), ({"state": "waiting", "try_count": 3}, False),
    ({"state": "running", "try_count": 1}, False), ({"state": "done", "try_count": 1}, False), ({"state": "given_up", "try_count": 3}, False),
])  # fmt: skip
def test_a_job_is_claimed_while_it_waits_and_has_tries_left(auto, push, given, claimed):
    job, beside = push(auto), push(auto)
    lease = QueueLease.take(job.queue_id)
    then = ("running", given["try_count"] + 1) if claimed else tuple(given.values())
    for claim in (lambda: sql.claim_job(job.pk), lambda: sql.claim_first(job.queue_id, lease.fence) is not None):
        Job.objects.filter(pk=job.pk).update(**given, updated_at=OLD)
        Job.objects.filter(pk=beside.pk).update(state="done")
        assert claim() is claimed and state(job) == then and fresh(job) is claimed and state(beside) == ("done", 0)


HOLDS_BACK = {
    "auto-run is off": lambda job: Namespace.objects.filter(pk=job.queue.namespace_id).update(enable_auto_run=False),
    "its namespace closes": lambda job: Namespace.objects.filter(pk=job.queue.namespace_id).update(status="DELETING"),
    "its namespace is paused": lambda job: Namespace.objects.filter(pk=job.queue.namespace_id).update(paused_at=OLD),
    "another holds the queue": lambda job: Queue.objects.filter(pk=job.queue_id).update(fence=2),
}


@pytest.mark.parametrize("why", ["nothing", *HOLDS_BACK])
def test_the_next_job_is_claimed_only_by_the_holder_and_while_the_server_runs_jobs(auto, other, push, run, why):
    run(other), run(auto, user="beside")  # queues of the same fence, where everything is as it should be
    first, lease = run(auto)
    second = push(auto)
    HOLDS_BACK.get(why, lambda job: None)(second)
    claimed = why == "nothing"
    assert settle(first, next_id=second.pk, fence=lease.fence) == (True, claimed)
    assert state(second) == (("running", 1) if claimed else ("waiting", 0))
    Job.objects.filter(pk=second.pk).update(state="waiting", try_count=0)
    assert (sql.claim_first(second.queue_id, lease.fence) is not None) is claimed


def test_without_a_lease_or_a_name_nothing_is_claimed(auto, push, run):
    (first, _), second = run(auto), push(auto)
    assert settle(first, next_id=second.pk) == (True, False) and state(second) == ("waiting", 0)
    assert sql.claim_job(second.pk)
    assert settle(second) == (True, False)


# ── how an attempt ends ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("to", [JobState.DONE, JobState.WAITING, JobState.GIVEN_UP])
@pytest.mark.parametrize("given", [{"state": "waiting"}, {"state": "done"}, {"state": "running", "try_count": 2}])
def test_an_attempt_that_is_over_settles_nothing_and_claims_nothing(auto, push, run, given, to):
    (first, lease), second = run(auto), push(auto)
    Job.objects.filter(pk=first.pk).update(**given)
    before = state(first)
    assert settle(first, to=to, next_id=second.pk, fence=lease.fence) == (False, False)
    assert (state(first), state(second)) == (before, ("waiting", 0))
    assert not JobResult.objects.exists() and not Tally.objects.exists() and not GivenUp.objects.exists()


def test_an_attempt_is_settled_beside_those_of_others(auto, run):
    (mine, _), (theirs, _) = run(auto), run(auto, user="v")
    Job.objects.update(updated_at=OLD)
    assert settle(mine) == (True, False)
    assert (state(mine), state(theirs), fresh(mine), fresh(theirs)) == (("done", 1), ("running", 1), True, False)
    assert JobResult.objects.get().job == mine


def test_a_given_up_job_gets_one_line_of_its_own_player(auto, other, push, run):
    long = "x" * 201
    push(other, user="before"), push(auto, user="waits")
    job, _ = run(auto, script=long, user="mine", tries=1)
    push(other, user="after")
    assert settle(job, to=JobState.GIVEN_UP, status_code=404) == (True, False)
    sql.note_given_up(job.pk, 500)
    assert list(GivenUp.objects.values_list("job", "namespace", "user_id", "script", "status_code")) == [
        (job.pk, auto.pk, "mine", long[:200], 404)]


@pytest.mark.parametrize(("pid", "shard"), [(5, 5), (127, 63), (128, 0)])
def test_attempts_are_added_up_by_script_and_process(auto, run, monkeypatch, pid, shard):
    monkeypatch.setattr(os, "getpid", lambda: pid)
    long = "x" * 201
    for user, to, took_ms in (("a", "done", 5), ("b", "waiting", 7), ("c", "waiting", 11), ("d", "given_up", 13), ("e", "given_up", 17)):
        assert settle(run(auto, script=long, user=user)[0], to=JobState(to), status_code=404, took_ms=took_ms)[0]
    assert settle(run(auto, script="s", user="f")[0], took_ms=19)[0]
    sums = Tally.objects.order_by("-took_ms").values_list("namespace", "shard", "script", "ok", "failed", "given_up", "took_ms", "span_s")
    assert list(sums) == [(auto.pk, shard, long[:200], 1, 4, 2, 53, 60), (auto.pk, shard, "s", 1, 0, 0, 19, 60)]


# ── push ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_jobs_of_one_push_stand_in_the_order_of_their_entries(auto):
    for user in ("a", "a"):  # the second goes into a queue that is being drained
        jobs, _ = push_jobs(actor=SYSTEM, namespace=auto, user_id=user, entries=[Entry(f"s{n}", f"[{n}]", n + 1) for n in range(10)])
        rows = Job.objects.filter(pk__in=[job.pk for job in jobs]).order_by("pk")
        wanted = [(job.pk, job.name, f"s{n}", f"[{n}]", n + 1) for n, job in enumerate(jobs)]
        assert list(rows.values_list("pk", "name", "script_id", "args", "max_try_count")) == wanted


@pytest.mark.parametrize("draining", [True, False])
def test_a_push_wakes_a_queue_that_nobody_drains_and_no_other(auto, push, draining):
    job = push(auto)
    Queue.objects.update(draining=draining, woken_at=OLD)
    push(auto)
    assert (Queue.objects.get(pk=job.queue_id).woken_at == OLD) is draining


@pytest.mark.parametrize("user", ["u", "nobody else"])
def test_a_push_goes_into_its_own_queue_alone(auto, other, push, user):
    push(other, user=user), push(auto, user="v"), push(auto, user=user)
    before = {row["id"]: row for row in Queue.objects.values()}
    mine = Queue.objects.get(namespace=auto, user_id=user)
    push_jobs(actor=SYSTEM, namespace=auto, user_id=user, entries=[Entry("s", "{}", 3)] * 2)
    after = {row["id"]: row for row in Queue.objects.values()}
    assert {pk for pk in after if after[pk] != before[pk]} == {mine.pk}
    assert after[mine.pk] == before[mine.pk] | {"waiting": 3, "rev": mine.rev + 1}


@pytest.mark.django_db(transaction=True)
def test_a_push_that_is_one_statement_stands_where_nobody_can_be_woken_and_another_is_undone(auto, push, monkeypatch):
    def broken(*_) -> None:
        raise OSError("the queue of tasks is away")

    monkeypatch.setattr(engine, "wake", broken)
    if connection.vendor == "postgresql":
        job = push(auto)
        assert Job.objects.get() == job and Queue.objects.get().draining
    else:
        with pytest.raises(OSError):
            push(auto)
        assert not Job.objects.exists()
