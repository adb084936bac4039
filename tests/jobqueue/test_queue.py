"""A player's queue: first in first out, one at a time, retried, given up, never lost."""
from __future__ import annotations

import pytest

from gs2admin import engine
from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM
from jobqueue.chores.queues import free_queues_of, start_left_queues, wake_due_queues, wake_lost_queues
from jobqueue.execution import drain as drains
from jobqueue.execution.attempt import Ended
from jobqueue.execution.lease import QueueLease
from jobqueue.models import Job, JobResult, Namespace, Notification, Queue
from jobqueue.services import Entry, delete_job, namespaces, push_jobs, replay_job, run_next
from jobqueue.services.namespaces import delete_namespace, update_namespace
from jobqueue.states import JobState, after_attempt

pytestmark = pytest.mark.django_db
TASK = "jobqueue.tasks.drain"


def state(job) -> str:
    return Job.objects.get(pk=job.pk).state


def queue_of(job) -> Queue:
    return Queue.objects.get(pk=job.queue_id)


@pytest.mark.parametrize(
    ("status", "tries", "limit", "may_retry", "expected"),
    [
        (200, 1, 3, True, "done"), (299, 3, 3, True, "done"), (300, 1, 3, True, "waiting"), (404, 1, 3, True, "waiting"),
        (500, 3, 3, True, "given_up"), (500, 1, 3, False, "given_up"), (0, 1, 1, True, "given_up"),
    ],
)  # fmt: skip
def test_what_becomes_of_a_job_after_an_attempt(status, tries, limit, may_retry, expected):
    assert after_attempt(status_code=status, tries=tries, max_tries=limit, may_retry=may_retry).state == expected


def test_the_back_off_doubles_up_to_a_minute():
    waits = [after_attempt(status_code=500, tries=n, max_tries=100, may_retry=True, chance=1).wait_s for n in range(1, 9)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_push_begins_one_drain_and_further_pushes_none(auto, push, drain, scripts, rings):
    first, second = push(auto, args='{"n": 1}'), push(auto, args='{"n": 2}')
    assert rings == [(TASK, first.queue_id)]
    drain(auto)
    assert [ran[2] for ran in scripts.ran] == ['{"n": 1}', '{"n": 2}']
    assert state(first) == state(second) == JobState.DONE
    queue = queue_of(first)
    assert (queue.draining, queue.waiting, queue.lease_until) == (False, 0, None)
    push(auto)
    assert rings == [(TASK, first.queue_id)] * 2


def test_a_heavy_player_starves_nobody(auto, push, scripts, rings, monkeypatch):
    """A drain gives way after its slice, however much is left, and stands at the end of the line again."""
    monkeypatch.setattr(drains, "SLICE_S", 0.0)
    for _ in range(4):
        push(auto, user="heavy")
    push(auto, user="light")
    while rings:
        _, pk = rings.pop(0)
        drains.drain(pk)
    assert [user for user, *_ in scripts.ran] == ["heavy", "light", "heavy", "heavy", "heavy"]


def test_order_is_kept_over_failures_and_the_tail_waits(auto, push, drain, scripts, statuses):
    answers = iter([500, 200])
    scripts.on["bad"] = lambda args: next(answers)
    head, tail = push(auto, "bad"), push(auto, "good")
    drain(auto)
    assert (state(head), state(tail)) == ("waiting", "waiting")
    queue = queue_of(head)
    assert queue.next_at is not None and queue.draining
    drain(auto, over=True)
    assert statuses(head) == [500, 200] and statuses(tail) == [200]
    assert [ran[1] for ran in scripts.ran] == ["bad", "bad", "good"]


def test_a_job_is_given_up_after_its_tries_and_others_go_on(auto, push, drain, scripts, statuses):
    scripts.on["bad"] = lambda args: 404
    head, tail = push(auto, "bad", tries=2), push(auto)
    drain(auto), drain(auto, over=True)
    assert (state(head), state(tail)) == ("given_up", "done")
    assert statuses(head) == [404, 404]


def test_a_script_may_forbid_the_retry(auto, push, drain, scripts):
    scripts.on["never"] = lambda args: Ended(500, "[]", may_retry=False)
    job = push(auto, "never")
    drain(auto)
    assert state(job) == "given_up"


def test_zero_tries_means_the_default(manual, push):
    assert push(manual, tries=0).max_try_count == 3


def test_run_by_hand_runs_one_job_and_says_whether_it_was_the_last(manual, push, scripts):
    push(manual, "a"), push(manual, "b")
    first = run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert (first.job.script_id, first.result.status_code, first.last) == ("a", 200, False)
    second = run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert (second.job.script_id, second.last) == ("b", True)
    third = run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert (third.job, third.result, third.last) == (None, None, True)


def test_run_by_hand_tries_a_failed_job_at_once_and_it_is_not_the_last(manual, push, scripts, statuses):
    answers = iter([500, 200])
    scripts.on["s"] = lambda args: next(answers)
    job = push(manual)
    assert not run_next(actor=SYSTEM, namespace=manual, user_id="u").last
    assert run_next(actor=SYSTEM, namespace=manual, user_id="u").last
    assert statuses(job) == [500, 200]


def test_run_while_another_run_of_that_player_goes_on_is_refused(manual, push, scripts):
    job = push(manual)
    assert QueueLease.take(job.queue_id)
    with pytest.raises(Conflict) as refusal:
        run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert refusal.value.code == "jobQueue.execution.conflict"
    push(manual, user="other")
    assert run_next(actor=SYSTEM, namespace=manual, user_id="other").job


def test_an_attempt_whose_process_died_counts_and_the_job_goes_on(auto, push, drain, scripts, statuses, forget_holder):
    class Killed(BaseException):
        pass

    def die(args):
        raise Killed

    job, tail = push(auto, "deadly", tries=2), push(auto)
    scripts.on["deadly"] = die
    for _ in range(2):
        with pytest.raises(Killed):
            drains.drain(job.queue_id)
        drains.drain(job.queue_id)
        assert len(scripts.ran) in {1, 2}, "nobody else may run it while the lease holds"
        forget_holder(job.queue)
    drain(auto)
    assert statuses(job) == [500, 500] and state(job) == "given_up"
    assert "jobQueue.execution.lost" in JobResult.objects.filter(job=job).first().result
    assert state(tail) == "done" and queue_of(job).waiting == 0


def test_a_holder_that_comes_back_changes_nothing(auto, push, drain, scripts, statuses, forget_holder):
    job = push(auto)

    def frozen(args):
        if len(scripts.ran) == 1:
            forget_holder(job.queue)
            drains.drain(job.queue_id)
        return 200

    scripts.on["s"] = frozen
    drains.drain(job.queue_id)
    assert statuses(job)[0] == 500, "the frozen attempt was written off"
    assert JobResult.objects.filter(job=job, status_code=200).count() <= 1
    assert not Job.objects.filter(state="running").exists()


def test_a_holder_that_comes_back_is_stopped_before_its_script_does_more(auto, push, scripts, statuses, forget_holder, settings):
    job, effects = push(auto, tries=1), []
    settings.JOB_LEASE_S = 0  # its clock says at once that it is time to renew

    def frozen(args):
        forget_holder(job.queue)
        assert QueueLease.take(job.queue_id), "somebody else goes on"
        scripts.tick()
        effects.append("too late")
        return 200

    scripts.on["s"] = frozen
    drains.drain(job.queue_id)
    assert effects == [] and statuses(job) == [500]


def test_a_lost_drain_is_woken_and_a_waiting_one_when_its_time_has_come(auto, push, rings):
    from datetime import timedelta

    from django.db.models.functions import Now

    job = push(auto)
    rings.clear()
    assert wake_due_queues() == wake_lost_queues() == 0
    Queue.objects.update(woken_at=Now() - timedelta(minutes=1))
    assert wake_lost_queues() == 1 and rings == [(TASK, job.queue_id)]
    Queue.objects.update(next_at=Now() + timedelta(minutes=1), woken_at=Now() - timedelta(minutes=1))
    assert wake_due_queues() == wake_lost_queues() == 0
    Queue.objects.update(next_at=Now() - timedelta(seconds=1))
    assert wake_due_queues() == 1


def test_switching_auto_run_takes_effect_at_once_both_ways(manual, push, drain, scripts, rings):
    jobs = [push(manual, user=f"u{n}") for n in range(3)]
    update_namespace(actor=SYSTEM, namespace=manual, enable_auto_run=True)
    assert len(rings) == 3
    update_namespace(actor=SYSTEM, namespace=manual, enable_auto_run=False)
    drain(manual)
    assert scripts.ran == [] and {state(job) for job in jobs} == {"waiting"}


def test_a_push_that_read_the_switch_as_off_too_long_ago_is_found_by_the_sweep(manual, push, rings):
    push(manual, "s", user="u-1")
    Namespace.objects.filter(pk=manual.pk).update(enable_auto_run=True)  # as if its start_queues had looked before the push
    rings.clear()
    assert start_left_queues() == 1 and len(rings) == 1 and Queue.objects.get().draining
    assert start_left_queues() == 0
    Queue.objects.update(draining=False)
    Namespace.objects.filter(pk=manual.pk).update(enable_auto_run=False)
    assert start_left_queues() == 0


def test_turning_auto_run_on_for_many_queues_rings_for_a_few_and_leaves_the_rest_to_the_ticker(manual, push, rings, monkeypatch):
    monkeypatch.setattr(namespaces, "START_AT_ONCE", 2)
    monkeypatch.setattr(namespaces, "START_BATCH", 2)
    for number in range(7):
        push(manual, "s", user=f"u-{number}")
    rings.clear()
    update_namespace(actor=SYSTEM, namespace=manual, enable_auto_run=True)
    assert len(rings) == 2 and Queue.objects.filter(draining=True).count() == 7
    assert wake_due_queues() == 5 and len({str(ring) for ring in rings}) == 7
    assert wake_due_queues() == 0


def test_turning_auto_run_off_lets_no_further_job_begin_and_turning_it_on_goes_on(auto, push, scripts, rings):
    jobs = [push(auto) for _ in range(3)]
    scripts.on["s"] = lambda args: update_namespace(actor=SYSTEM, namespace=auto, enable_auto_run=False) and 200
    drains.drain(jobs[0].queue_id)
    assert [state(job) for job in jobs] == ["done", "waiting", "waiting"]
    assert not queue_of(jobs[0]).draining, "nobody has to look after it while auto-run is off"
    rings.clear()
    assert wake_lost_queues() == wake_due_queues() == 0
    scripts.on.clear()
    update_namespace(actor=SYSTEM, namespace=auto, enable_auto_run=True)
    assert rings == [(TASK, jobs[0].queue_id)]
    drains.drain(jobs[0].queue_id)
    assert {state(job) for job in jobs} == {"done"}


def test_turned_on_again_just_before_the_drain_that_saw_it_off_has_ended(auto, push, scripts, rings, monkeypatch):
    job = push(auto)
    update_namespace(actor=SYSTEM, namespace=auto, enable_auto_run=False)
    rings.clear()
    real = QueueLease.release

    def release(*given, **how):
        update_namespace(actor=SYSTEM, namespace=auto, enable_auto_run=True)
        assert rings == [], "it found the queue draining"
        return real(*given, **how)

    monkeypatch.setattr(QueueLease, "release", release)
    drains.drain(job.queue_id)
    assert rings == [(TASK, job.queue_id)] and queue_of(job).draining


def test_bad_pushes_leave_nothing_behind(manual):
    for entries, message in (
        ([Entry("s")] * 11, "jobQueue.job.jobs.error.tooMany"),
        ([Entry("s"), Entry("s", "{nope")], "jobQueue.jobEntry.args.error.invalid"),
        ([Entry("s", "NaN")], "jobQueue.jobEntry.args.error.invalid"),
        ([Entry("s", "[" * 100_000)], "jobQueue.jobEntry.args.error.invalid"),
    ):
        with pytest.raises(Invalid) as refusal:
            push_jobs(actor=SYSTEM, namespace=manual, user_id="u", entries=entries)
        assert refusal.value.message == message
    assert not Queue.objects.exists() and not Job.objects.exists()
    assert push_jobs(actor=SYSTEM, namespace=manual, user_id="u", entries=[]) == ([], False)


def test_arguments_are_kept_byte_for_byte(manual, push, scripts):
    text = '{ "id" : 9223372036854775807, "f": 1.50, "b": 12345678901234567890123 }'
    job = push(manual, args=text)
    assert Job.objects.get(pk=job.pk).args == text


def test_a_deleted_job_is_gone_with_its_running_attempt(manual, push, scripts):
    job = push(manual)
    scripts.on["s"] = lambda args: delete_job(actor=SYSTEM, namespace=manual, job=job) and 200
    ran = run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert ran.result is None and ran.last and not Job.objects.exists()
    assert queue_of(job).waiting == 0
    with pytest.raises(NotFound):
        delete_job(actor=SYSTEM, namespace=manual, job=job)


def test_a_given_up_job_is_replayed_as_a_new_one_linked_to_it(manual, push, scripts):
    scripts.on["s"] = lambda args: 500
    job = push(manual, tries=1)
    run_next(actor=SYSTEM, namespace=manual, user_id="u")
    with pytest.raises(Conflict):
        replay_job(actor=SYSTEM, namespace=manual, job=push(manual, user="v"))
    again = replay_job(actor=SYSTEM, namespace=manual, job=Job.objects.get(pk=job.pk))
    assert again.replay_of_id == job.pk and state(again) == "waiting" and state(job) == "given_up"


def test_a_namespace_being_deleted_takes_nothing_and_leaves_nothing(manual, push):
    push(manual)
    delete_namespace(actor=SYSTEM, namespace=manual)
    assert not Queue.objects.exists() and not Job.objects.exists()
    with pytest.raises(NotFound):
        delete_namespace(actor=SYSTEM, namespace=manual)


def test_notifications_are_rows(project, manual, push, scripts):
    setting = {"gatewayNamespaceId": "grn:x", "enable": "Enabled"}
    update_namespace(actor=SYSTEM, namespace=manual, push_notification=setting, run_notification=setting)
    manual.refresh_from_db()
    push(manual)
    run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert list(Notification.objects.values_list("subject", flat=True)) == ["Gs2JobQueue:Push", "Gs2JobQueue:RunNotification"]
    update_namespace(actor=SYSTEM, namespace=manual, push_notification={"enable": "Disabled"})
    manual.refresh_from_db()
    push(manual)
    assert Notification.objects.count() == 2


def test_rights(manual, push, viewer, stranger, actor_of):
    for user, refusal in ((viewer, Denied), (stranger, NotFound)):
        for act in (run_next, push_jobs):
            more = {"entries": []} if act is push_jobs else {}
            with pytest.raises(refusal):
                act(actor=actor_of(user), namespace=manual, user_id="u", **more)


def test_the_queue_of_a_dead_worker_is_free_at_once_and_of_a_living_one_not(auto, push, scripts, rings):
    mine, other = push(auto), push(auto, user="v")
    rings.clear()
    assert QueueLease.take(mine.queue_id) and QueueLease.take(other.queue_id)
    Queue.objects.filter(pk=other.queue_id).update(leased_by="elsewhere:1")
    assert free_queues_of(engine.worker_label()) == 1 and rings == [(TASK, mine.queue_id)]
    assert queue_of(mine).lease_until is None and queue_of(other).lease_until is not None
    assert free_queues_of(engine.worker_label()) == 0
    drains.drain(mine.queue_id)
    assert state(mine) == "done"
