"""Every number that is kept beside rows is right again when whoever should have written it dies between the two writes."""
from __future__ import annotations

import logging

import pytest
from django.db.models import Sum
from django.db.models.functions import Coalesce

from gs2admin.identity.actors import SYSTEM
from jobqueue import notifications, sql
from jobqueue.chores import drift
from jobqueue.chores.queues import free_queues_of, start_left_queues, wake_due_queues, wake_lost_queues
from jobqueue.execution import drain as drains
from jobqueue.execution import lease as leases
from jobqueue.execution.lease import QueueLease
from jobqueue.models import GivenUp, Job, JobResult, Notification, Queue, Tally
from jobqueue.services import delete_job, run_next
from jobqueue.services.namespaces import update_namespace
from jobqueue.sql import run
from jobqueue.states import QUEUED, JobState

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def kill(monkeypatch):
    """kill(module, "name") kills at the next call of that function, before it; with late=True after it. Then it works again."""

    def act(module, name: str, late: bool = False) -> None:
        real = getattr(module, name)

        def die(*given, **more):
            monkeypatch.setattr(module, name, real)
            if late:
                real(*given, **more)
            raise Killed

        monkeypatch.setattr(module, name, die)

    return act


def numbers_are_those_of_the_jobs() -> None:
    """All of them, of all queues."""
    for queue in Queue.objects.all():
        waiting = Job.objects.filter(queue=queue, state=JobState.WAITING).order_by("id")
        head = waiting.first()
        assert queue.waiting == Job.objects.filter(queue=queue, state__in=sorted(QUEUED)).count(), queue
        assert (queue.head_at, queue.head_tries) == ((head.created_at, head.try_count) if head else (None, 0)), queue
    attempts = Tally.objects.aggregate(**{name: Coalesce(Sum(name), 0) for name in ("ok", "failed", "given_up")})
    good = JobResult.objects.filter(status_code__lt=300).count()
    assert attempts == {"ok": good, "failed": JobResult.objects.count() - good, "given_up": GivenUp.objects.count()}
    assert set(GivenUp.objects.values_list("job_id")) == set(Job.objects.filter(state=JobState.GIVEN_UP).values_list("pk"))


def nothing_is_woken(rings) -> None:
    rings.clear()
    assert start_left_queues() == wake_lost_queues() == wake_due_queues() == 0 and rings == []


def test_a_worker_that_dies_between_its_last_job_and_letting_go(auto, push, scripts, kill, rings, forget_holder):
    job = push(auto)
    kill(QueueLease, "release")
    with pytest.raises(Killed):
        drains.drain(job.queue_id)
    assert Job.objects.get(pk=job.pk).state == JobState.DONE and Queue.objects.get().waiting == 1
    forget_holder(job.queue)
    drains.drain(job.queue_id)
    assert not Queue.objects.get().draining
    numbers_are_those_of_the_jobs()
    nothing_is_woken(rings)
    assert drift.mend_queues() == 0


def test_a_worker_that_dies_so_while_more_jobs_wait(auto, push, scripts, kill, monkeypatch, rings, forget_holder):
    monkeypatch.setattr(drains, "SLICE_S", 0.0)
    jobs = [push(auto) for _ in range(3)]
    kill(QueueLease, "release")
    with pytest.raises(Killed):
        drains.drain(jobs[0].queue_id)
    forget_holder(jobs[0].queue)
    lease = QueueLease.take(jobs[0].queue_id)
    numbers_are_those_of_the_jobs()
    assert lease.release(finished=0)
    for _ in range(2):
        drains.drain(jobs[0].queue_id)
    numbers_are_those_of_the_jobs()
    nothing_is_woken(rings)


def test_an_undertaker_frees_a_queue_and_its_numbers_are_put_right_all_the_same(auto, push, scripts, kill, rings):
    from gs2admin import engine

    job = push(auto)
    kill(QueueLease, "release")
    with pytest.raises(Killed):
        drains.drain(job.queue_id)
    assert free_queues_of(engine.worker_label()) == 1
    drains.drain(job.queue_id)
    numbers_are_those_of_the_jobs()
    nothing_is_woken(rings)


def test_whoever_takes_over_may_die_too(auto, push, scripts, kill, rings, forget_holder):
    job = push(auto)
    kill(QueueLease, "release")
    with pytest.raises(Killed):
        drains.drain(job.queue_id)
    for _ in range(2):
        forget_holder(job.queue)
        kill(leases, "recount")
        with pytest.raises(Killed):
            drains.drain(job.queue_id)
    forget_holder(job.queue)
    drains.drain(job.queue_id)
    numbers_are_those_of_the_jobs()
    nothing_is_woken(rings)


def test_whoever_was_stopped_while_taking_over_does_not_write_off_the_next_holders_attempt(auto, push, monkeypatch, forget_holder):
    job = push(auto)
    lease = QueueLease.take(job.queue_id)
    assert sql.claim_first(job.queue_id, lease.fence)
    forget_holder(job.queue)
    real = sql.take

    def slow(*given):
        found = real(*given)
        monkeypatch.setattr(sql, "take", real)
        forget_holder(job.queue)  # stopped here for longer than its lease
        third = QueueLease.take(job.queue_id)
        assert sql.claim_first(job.queue_id, third.fence)
        return found

    monkeypatch.setattr(sql, "take", slow)
    assert QueueLease.take(job.queue_id) is None
    row = Job.objects.get(pk=job.pk)
    assert (row.state, row.try_count) == (JobState.RUNNING, 2) and JobResult.objects.count() == 1


@pytest.mark.parametrize("tail", [0, 1])
def test_a_run_by_hand_that_dies_before_it_lets_go_is_found_by_the_chore(tail, manual, push, scripts, kill, rings, caplog, forget_holder):
    job = push(manual)
    for _ in range(tail):
        push(manual)
    kill(QueueLease, "release")
    with pytest.raises(Killed):
        run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert Queue.objects.get().waiting == 1 + tail
    assert drift.mend_queues() == 0, "somebody holds it"
    forget_holder(job.queue)
    with caplog.at_level(logging.WARNING, "jobqueue.chores.drift"):
        assert drift.mend_queues() == 1
    [said] = caplog.records
    assert (said.queues, said.waiting_before, said.waiting_after, said.first_ids) == (1, 1 + tail, tail, [job.queue_id])
    numbers_are_those_of_the_jobs()
    nothing_is_woken(rings)
    assert drift.mend_queues() == 0


def test_a_run_by_hand_that_dies_in_its_job_is_found_by_the_chore(manual, push, scripts, kill, rings, forget_holder):
    job = push(manual)
    kill(sql, "settle")
    with pytest.raises(Killed):
        run_next(actor=SYSTEM, namespace=manual, user_id="u")
    forget_holder(job.queue)
    rings.clear()
    drift.mend_queues()
    assert rings == [(drains.DRAIN, job.queue_id)]
    drains.drain(job.queue_id)
    assert scripts.ran == [("u", "s", "{}")], "auto-run is off"
    assert Job.objects.get(pk=job.pk).state == JobState.WAITING and not Queue.objects.get().draining
    numbers_are_those_of_the_jobs()
    assert drift.mend_queues() == 0


def test_a_run_by_hand_whose_settling_fails_is_not_counted_out(manual, push, scripts):
    def fail(ran):
        raise RuntimeError

    push(manual)
    with pytest.raises(RuntimeError):
        run_next(actor=SYSTEM, namespace=manual, user_id="u", settled=fail)
    numbers_are_those_of_the_jobs_but_the_running_one = Queue.objects.get().waiting
    assert numbers_are_those_of_the_jobs_but_the_running_one == 1
    assert run_next(actor=SYSTEM, namespace=manual, user_id="u").last
    numbers_are_those_of_the_jobs()


def test_a_job_that_is_deleted_while_it_runs_is_counted_out_once(auto, push, drain, scripts):
    job, tail = push(auto, "gone"), push(auto, "fails")
    scripts.on["gone"] = lambda args: delete_job(actor=SYSTEM, namespace=auto, job=job) and 200
    scripts.on["fails"] = lambda args: 500
    drain(auto)
    assert Job.objects.get().pk == tail.pk
    assert Queue.objects.get().waiting == 1


def test_a_holder_that_was_too_slow_has_its_finished_jobs_counted_out_by_the_next(auto, push, scripts, forget_holder):
    jobs = [push(auto) for _ in range(3)]

    def frozen(args):
        if len(scripts.ran) == 2:
            forget_holder(jobs[0].queue)
            assert QueueLease.take(jobs[0].queue_id)
        return 200

    scripts.on["s"] = frozen
    drains.drain(jobs[0].queue_id)
    numbers_are_those_of_the_jobs()


def test_a_queue_whose_counter_is_wrong_is_not_woken_for_ever_and_mended_by_the_chore(auto, push, drain, scripts, rings, caplog):
    job = push(auto)
    drain(auto)
    Queue.objects.update(waiting=3, head_tries=2)
    nothing_is_woken(rings)
    with caplog.at_level(logging.WARNING, "jobqueue.chores.drift"):
        assert drift.mend_queues() == 1
    assert caplog.records[0].first_ids == [job.queue_id]
    numbers_are_those_of_the_jobs()


def test_a_queue_that_counts_too_little_is_started_after_the_chore(auto, push, scripts, rings):
    job = push(auto)
    Queue.objects.update(waiting=0, head_at=None, draining=False)
    rings.clear()
    assert start_left_queues() == 0 and drift.mend_queues() == 1 and start_left_queues() == 1
    assert rings == [(drains.DRAIN, job.queue_id)]
    numbers_are_those_of_the_jobs()


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_the_chore_looks_at_every_queue_and_leaves_right_ones_alone(batch, manual, push, scripts, monkeypatch):
    monkeypatch.setattr(drift, "BATCH", batch)
    jobs = [push(manual, user=f"u{n}") for n in range(5)]
    before = dict(Queue.objects.values_list("pk", "rev"))
    Queue.objects.filter(pk__in=[jobs[1].queue_id, jobs[4].queue_id]).update(waiting=7)
    assert drift.mend_queues() == 2 and drift.mend_queues() == 0
    changed = {pk for pk, rev in Queue.objects.values_list("pk", "rev") if before[pk] != rev}
    assert changed == {jobs[1].queue_id, jobs[4].queue_id}
    numbers_are_those_of_the_jobs()


def test_the_chore_makes_a_holder_that_comes_back_subtract_nothing(manual, push, scripts, forget_holder):
    job = push(manual)
    lease = QueueLease.take(job.queue_id)
    assert sql.claim_job(job.pk)
    assert sql.settle(job_id=job.pk, tries=1, to=JobState.DONE, status_code=200, result="{}", output="", took_ms=1,
                      namespace_id=manual.pk, script="s")[0]
    forget_holder(job.queue)
    assert drift.mend_queues() == 1
    assert not lease.release(finished=1)
    assert Queue.objects.get().waiting == 0


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("write", ["finished", "_gave_up"])
def test_an_attempts_line_and_notification_come_with_its_end_or_not_at_all(write, late, auto, push, scripts, kill, forget_holder):
    update_namespace(actor=SYSTEM, namespace=auto, run_notification={"enable": "Enabled"})
    auto.refresh_from_db()
    scripts.on["bad"] = lambda args: 500
    job = push(auto, "bad", tries=1)
    kill(*{"finished": (notifications, "finished"), "_gave_up": (run, "note_given_up")}[write], late)
    with pytest.raises(Killed):
        drains.drain(job.queue_id)
    assert not GivenUp.objects.exists() and not Notification.objects.exists() and not JobResult.objects.exists()
    forget_holder(job.queue)
    drains.drain(job.queue_id)
    assert GivenUp.objects.get().job_id == job.pk
    numbers_are_those_of_the_jobs()


def test_a_given_up_job_without_a_line_is_given_one_by_the_chore(manual, push, scripts, caplog):
    scripts.on["bad"] = lambda args: 404
    job = push(manual, "bad", tries=1)
    run_next(actor=SYSTEM, namespace=manual, user_id="u")
    kept = GivenUp.objects.values().get()
    GivenUp.objects.all().delete()
    with caplog.at_level(logging.WARNING, "jobqueue.chores.drift"):
        assert drift.mend_queues() == 1 and drift.mend_queues() == 0
    assert caplog.records[0].jobs == 1
    line = GivenUp.objects.values().get(job=job)
    assert {**line, "id": 0, "at": 0} == {**kept, "id": 0, "at": 0}
