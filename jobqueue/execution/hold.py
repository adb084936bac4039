"""Holding a queue: whoever runs jobs of a player holds that player's queue, alone, for a lease."""
from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from jobqueue import sql
from jobqueue.models import Job, Queue
from jobqueue.states import QUEUED, JobState, after_attempt
from jobqueue.stats import count_one

LOST = '[{"component": "job", "message": "jobQueue.execution.lost", "code": "jobQueue.execution.lost"}]'


class HoldLost(Exception):
    """Somebody else holds the queue now; nothing may be written any more."""


@dataclass(frozen=True)
class Hold:
    """The right to run jobs of one queue."""

    queue_id: int
    fence: int
    namespace_id: int
    user_id: str

    @property
    def rows(self):
        """The queue, if the hold is still ours."""
        return Queue.objects.filter(pk=self.queue_id, fence=self.fence)


def take(queue_id: int) -> Hold | None:
    """Hold the queue; None while somebody else does. Clears up after a holder that was lost in the middle of a job."""
    taken = sql.take(queue_id, settings.JOB_LEASE_S, engine.worker_label())
    if taken is None:
        return None
    *names, left_behind = taken
    if left_behind:
        with transaction.atomic():
            _clear_up(queue_id)
    return Hold(queue_id, *names)


def _clear_up(queue_id: int) -> None:
    """An attempt that is still running belongs to a holder that is gone: it counts as a try, with a result of its own."""
    lost = Job.objects.select_related("queue").filter(queue_id=queue_id, state=JobState.RUNNING).first()
    if lost is None:
        return
    then = after_attempt(status_code=500, tries=lost.try_count, max_tries=lost.max_try_count, may_retry=True)
    settled, _ = sql.settle(
        job_id=lost.pk, tries=lost.try_count, to=then.state, status_code=500, result=LOST, output="", took_ms=0
    )
    if settled:
        count_one(lost.queue.namespace_id, lost.script_id, then.state, took_ms=0)
        recount(queue_id)


def recount(queue_id: int) -> None:
    """Put the counter right from the rows."""
    # One question per state, each with a partial index of its own.
    waiting = sum(Job.objects.filter(queue_id=queue_id, state=state).count() for state in QUEUED)
    Queue.objects.filter(pk=queue_id).update(waiting=waiting, rev=F("rev") + 1, **head(queue_id))


def head(queue_id: int) -> dict[str, Any]:
    """What the queue's row says of its first waiting job: head_at, None when nothing waits, and head_tries."""
    waiting = Job.objects.filter(queue_id=queue_id, state=JobState.WAITING).order_by("id")
    at, tries = waiting.values_list("created_at", "try_count").first() or (None, 0)
    return {"head_at": at, "head_tries": tries}


def renew(hold: Hold) -> None:
    """Hold it for another lease. Raises HoldLost."""
    if not hold.rows.update(lease_until=Now() + timedelta(seconds=settings.JOB_LEASE_S)):
        raise HoldLost


class Keeper:
    """Renews a hold while its work goes on, and finds out that it was lost before anything more is done in its name."""

    def __init__(self, hold: Hold) -> None:
        self.hold = hold
        self._renewed = time.monotonic()

    @property
    def due(self) -> bool:
        """A quarter of the lease is over since the last renewal; a process that was stopped sees so when it goes on."""
        return time.monotonic() - self._renewed > settings.JOB_LEASE_S / 4

    def tick(self) -> None:
        """Call it often, and before each call that a script makes. Raises HoldLost."""
        engine.beat("jobs")
        if self.due:
            renew(self.hold)
            self._renewed = time.monotonic()


def let_go(hold: Hold, *, finished: int, wait_s: float = 0.0, stop: bool = False) -> bool:
    """End holding; finished: jobs that left the queue meanwhile. Returns whether jobs are still waiting.

    stop: auto-run is off, nobody drains any more, whatever waits.

    The queue's row is locked first and the jobs are looked at after that: a push either sees that nobody drains any
    more, or its jobs are seen here. Without the lock both may look away at once, and the job waits for ever.
    """
    with transaction.atomic(savepoint=False):
        if not sql.lock(hold.queue_id, hold.fence):
            return False
        return sql.let_go(hold.queue_id, hold.fence, finished=finished, stop=stop, wait_s=wait_s)
