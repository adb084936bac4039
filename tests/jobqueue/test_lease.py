"""The lease of a queue: how long it lasts, when it is renewed, what its end writes, and what a lost holder leaves."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from gs2admin import engine, lease
from gs2admin.lease import LeaseLost
from jobqueue import sql
from jobqueue.execution.lease import LOST_RESULT, QueueLease
from jobqueue.models import Job, JobResult, Queue, Tally

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _seconds(settings):
    settings.JOB_LEASE_S = 40


@pytest.fixture
def clock(monkeypatch):
    """clock.now: what leases take for the monotonic clock."""

    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    found = Clock()
    monkeypatch.setattr(lease, "time", found)
    return found


def left_s(job) -> float:
    return (Queue.objects.get(pk=job.queue_id).lease_until - timezone.now()).total_seconds()


def test_a_free_queue_is_leased_to_one_and_a_queue_that_is_gone_to_nobody(auto, push, monkeypatch):
    monkeypatch.setattr(engine, "worker_label", lambda: "test:1")
    job = push(auto)
    taken = QueueLease.take(job.queue_id)
    assert (taken.queue_id, taken.fence, taken.namespace_id, taken.user_id) == (job.queue_id, 1, auto.pk, "u")
    assert 35 < left_s(job) <= 40 and Queue.objects.get().leased_by == "test:1"
    assert QueueLease.take(job.queue_id) is None and QueueLease.take(job.queue_id + 1) is None


def test_it_is_renewed_when_a_quarter_is_over_and_its_worker_is_seen_each_time(auto, push, clock, monkeypatch):
    beats = []
    monkeypatch.setattr(engine, "beat", beats.append)
    job = push(auto)
    taken = QueueLease.take(job.queue_id)
    Queue.objects.update(lease_until=Now() + timedelta(seconds=1))
    clock.now += 9.9
    taken.tick()
    assert not taken.due and left_s(job) < 2
    clock.now += 0.1
    assert taken.due
    taken.tick()
    assert not taken.due and 35 < left_s(job) <= 40 and beats == ["jobs", "jobs"]
    Queue.objects.update(lease_until=Now() + timedelta(seconds=1))
    taken.renew()
    assert 35 < left_s(job) <= 40


def test_another_queue_with_the_same_fence_is_left_alone(auto, push):
    one, other = push(auto), push(auto, user="v")
    taken, theirs = QueueLease.take(one.queue_id), QueueLease.take(other.queue_id)
    assert taken.fence == theirs.fence and list(taken.rows) == [one.queue]
    Queue.objects.update(lease_until=Now() + timedelta(seconds=1))
    taken.renew()
    assert left_s(other) < 2 < left_s(one)


def test_whoever_lost_it_cannot_renew_or_release_it(auto, push, forget_holder, clock):
    job = push(auto)
    old = QueueLease.take(job.queue_id)
    forget_holder(job.queue)
    new = QueueLease.take(job.queue_id)
    assert new.fence == 2
    before = Queue.objects.values().get()
    clock.now += 10
    for act in (old.renew, old.tick):
        with pytest.raises(LeaseLost):
            act()
    assert old.release(finished=1) is False and Queue.objects.values().get() == before
    assert list(new.rows) == [job.queue] and not old.rows.exists()


@pytest.mark.parametrize(("stop", "wait_s"), [(False, 0.0), (False, 20.0), (True, 0.0)])
def test_the_end_says_what_waits_and_when_the_queue_is_looked_at_again(auto, push, stop, wait_s):
    first, second = push(auto), push(auto)
    taken = QueueLease.take(first.queue_id)
    Job.objects.filter(pk=first.pk).update(state="done")
    assert taken.release(finished=1, wait_s=wait_s, stop=stop) is True
    row = Queue.objects.get()
    assert (row.lease_until, row.waiting, row.draining, row.head_at) == (None, 1, not stop, second.created_at)
    assert (row.next_at is None) == (wait_s == 0) and (wait_s == 0 or 15 < (row.next_at - timezone.now()).total_seconds() <= 20)
    again = QueueLease.take(first.queue_id)
    Job.objects.filter(pk=second.pk).update(state="done")
    assert again.release(finished=1) is False
    assert Queue.objects.values_list("waiting", "draining", "head_at", "head_tries").get() == (0, False, None, 0)


def test_by_default_a_queue_goes_on_at_once(auto, push):
    first, _ = push(auto), push(auto)
    Job.objects.filter(pk=first.pk).update(state="done")
    assert QueueLease.take(first.queue_id).release(finished=1) is True
    assert Queue.objects.values_list("draining", "next_at").get() == (True, None)


def test_what_another_queue_runs_is_not_written_off(auto, push, forget_holder):
    mine, other = push(auto), push(auto, user="v")
    for job in (mine, other):
        taken = QueueLease.take(job.queue_id)
        sql.claim_first(taken.queue_id, taken.fence)
    forget_holder(mine.queue)
    QueueLease.take(mine.queue_id)
    assert list(Job.objects.order_by("id").values_list("state", flat=True)) == ["waiting", "running"]
    assert JobResult.objects.get().job == mine


def test_what_a_lost_holder_left_is_written_off(auto, push, forget_holder):
    first, second = push(auto, tries=1), push(auto)
    lost = QueueLease.take(first.queue_id)
    sql.claim_first(lost.queue_id, lost.fence)
    forget_holder(first.queue)
    Queue.objects.update(waiting=9)
    assert QueueLease.take(first.queue_id).fence == 2
    assert list(Job.objects.order_by("id").values_list("state", "try_count")) == [("given_up", 1), ("waiting", 0)]
    assert JobResult.objects.values_list("job", "try_number", "status_code", "result", "output", "took_ms").get() == (
        first.pk, 0, 500, LOST_RESULT, "", 0)
    assert Queue.objects.values_list("waiting", "head_at").get() == (1, second.created_at)
    assert Tally.objects.values_list("namespace", "script", "failed", "given_up", "took_ms").get() == (auto.pk, "s", 1, 1, 0)


def test_a_lost_attempt_is_tried_again_while_tries_are_left(auto, push, forget_holder):
    job = push(auto, tries=2)
    lost = QueueLease.take(job.queue_id)
    sql.claim_first(lost.queue_id, lost.fence)
    forget_holder(job.queue)
    QueueLease.take(job.queue_id)
    assert Job.objects.values_list("state", "try_count").get() == ("waiting", 1)


def test_a_lease_that_is_lost_while_it_clears_up_is_none(auto, push, forget_holder, monkeypatch):
    job = push(auto)
    lost = QueueLease.take(job.queue_id)
    sql.claim_first(lost.queue_id, lost.fence)
    forget_holder(job.queue)
    real = sql.take

    def slow(*given):
        found = real(*given)
        Queue.objects.update(fence=found.fence + 1)  # somebody else took it meanwhile
        return found

    monkeypatch.setattr(sql, "take", slow)
    assert QueueLease.take(job.queue_id) is None
    assert Job.objects.get().state == "running" and not JobResult.objects.exists()
