"""What charts and lists read: counts per minute, the head of each queue, and a line for each given-up job."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Sum

from gs2admin.identity.actors import SYSTEM
from gs2admin.spans import span_of
from jobqueue.chores import tallies
from jobqueue.execution.attempt import Ended
from jobqueue.models import GivenUp, Queue, Tally
from jobqueue.services import delete_job, replay_job, run_next
from jobqueue.services.namespaces import delete_namespace
from locks.services import locked

pytestmark = pytest.mark.django_db


def totals(**words) -> tuple:
    found = Tally.objects.filter(**words).aggregate(a=Sum("ok"), b=Sum("failed"), c=Sum("given_up"), d=Sum("took_ms"))
    return tuple(found[key] or 0 for key in "abcd")


def test_a_slice_writes_its_counts_per_script(auto, push, drain, scripts):
    scripts.on["bad"] = lambda args: Ended(500, "[]", took_ms=7)
    push(auto, "good"), push(auto, "good"), push(auto, "bad", tries=1)
    drain(auto)
    assert totals(script="good") == (2, 0, 0, 0)
    assert totals(script="bad") == (0, 1, 1, 7)


def test_a_job_run_by_hand_is_counted_too(manual, push, scripts):
    push(manual, "good")
    run_next(actor=SYSTEM, namespace=manual, user_id="u")
    assert totals(namespace=manual) == (1, 0, 0, 0)


def test_a_lost_attempt_counts_as_a_failure(manual, push, scripts, forget_holder):
    from jobqueue import sql
    from jobqueue.execution.lease import QueueLease

    job = push(manual, tries=1)
    QueueLease.take(job.queue_id)
    sql.claim_job(job.pk)
    forget_holder(Queue.objects.get(pk=job.queue_id))
    QueueLease.take(job.queue_id)
    assert totals() == (0, 1, 1, 0)
    assert GivenUp.objects.get(job=job).status_code == 500


def test_the_queue_says_since_when_its_head_waits_and_how_often_it_was_tried(manual, push, scripts):
    scripts.on["bad"] = lambda args: 500
    first, second = push(manual, "bad"), push(manual, "good")
    queue = Queue.objects.get(pk=first.queue_id)
    assert queue.head_at is not None and queue.head_tries == 0
    run_next(actor=SYSTEM, namespace=manual, user_id="u")
    queue.refresh_from_db()
    assert queue.head_tries == 1
    delete_job(actor=SYSTEM, namespace=manual, job=first)
    queue.refresh_from_db()
    second.refresh_from_db()
    assert (queue.head_tries, queue.head_at) == (0, second.created_at)
    delete_job(actor=SYSTEM, namespace=manual, job=second)
    queue.refresh_from_db()
    assert (queue.head_at, queue.waiting) == (None, 0)


def test_a_given_up_job_has_a_line_that_a_replay_marks(manual, push, scripts):
    scripts.on["bad"] = lambda args: 404
    job = push(manual, "bad", tries=1)
    run_next(actor=SYSTEM, namespace=manual, user_id="u")
    line = GivenUp.objects.get(job=job)
    assert (line.namespace, line.user_id, line.script, line.status_code) == (manual, "u", "bad", 404)
    assert line.replayed_at is None
    replay_job(actor=SYSTEM, namespace=manual, job=job)
    line.refresh_from_db()
    assert line.replayed_at is not None


def test_minutes_become_spans_of_ten_and_old_spans_go(manual):
    now = datetime.now(UTC)
    old = span_of(now - timedelta(hours=5), 600)
    for minute in range(10):
        for shard in (1, 2):
            Tally.objects.create(namespace=manual, at=old + timedelta(minutes=minute), script="s", shard=shard, ok=3, failed=1)
    Tally.objects.create(namespace=manual, at=old, span_s=600, script="s", ok=100)
    Tally.objects.create(namespace=manual, at=now - timedelta(days=9), span_s=600, script="s", ok=5)
    fresh = Tally.objects.create(namespace=manual, at=span_of(now, 60), script="s", ok=1)
    tallies.roll_up()
    rows = Tally.objects.exclude(pk=fresh.pk)
    assert [(row.at, row.span_s, row.ok, row.failed) for row in rows] == [(old, 600, 160, 20)]
    assert tallies.roll_up() == 0


def test_one_host_rolls_up_at_a_time(manual):
    old = span_of(datetime.now(UTC) - timedelta(hours=5), 600)
    Tally.objects.create(namespace=manual, at=old, script="s", ok=3)
    with locked(tallies.ROLLING):
        assert tallies.roll_up() == 0, "another host is at it"
        assert Tally.objects.get().span_s == 60
    assert tallies.roll_up() == 1 and Tally.objects.get().span_s == 600


def test_counts_go_with_their_namespace(manual, push, scripts):
    scripts.on["bad"] = lambda args: 404
    push(manual, "bad", tries=1)
    run_next(actor=SYSTEM, namespace=manual, user_id="u")
    delete_namespace(actor=SYSTEM, namespace=manual)
    assert not Tally.objects.exists() and not GivenUp.objects.exists()
