"""Holding a queue: whoever runs jobs of a player holds that player's queue, alone, for a lease."""
from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Now

from gs2admin import engine
from gs2admin.lease import LeaseLost, Renewer
from jobqueue import sql
from jobqueue.models import Job, Queue
from jobqueue.states import QUEUED, JobState, after_attempt

log = logging.getLogger(__name__)
NUMBERS = ("waiting", "head_at", "head_tries")
Numbers = tuple[int, datetime | None, int]
LOST = '[{"component": "job", "message": "jobQueue.execution.lost", "code": "jobQueue.execution.lost"}]'


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
    """Hold the queue; None while somebody else does. Clears up after a holder that was lost."""
    taken = sql.take(queue_id, settings.JOB_LEASE_S, engine.worker_label())
    if taken is None:
        return None
    *names, lost = taken
    held = Hold(queue_id, *names)
    if lost:
        try:
            _clear_up(held)
        except LeaseLost:
            return None
    return held


def _clear_up(held: Hold) -> None:
    """Write what the last holder did not: the end of its attempt, and the numbers of the queue. Raises LeaseLost.

    The queue's row stays locked from before the count to the commit, and the fence is checked then: a holder that was
    stopped here would else write off the attempt of the next one. The job's row is locked first, as everywhere.
    """
    running = Job.objects.select_for_update().filter(queue_id=held.queue_id, state=JobState.RUNNING).order_by()
    with transaction.atomic():
        running.first()
        if held.rows.select_for_update().first() is None:
            raise LeaseLost
        # A second look: the last holder may have settled one job and claimed the next between our taking and the lock.
        while job := running.first():
            _write_off(held, job)
        before, after = recount(held.queue_id)
    log.info("a holder of a queue was lost", extra={"queue_id": held.queue_id, "before": before, "after": after})


def _write_off(held: Hold, lost: Job) -> None:
    """An attempt that is still running belongs to a holder that is gone: it counts as a try, with a result of its own."""
    then = after_attempt(status_code=500, tries=lost.try_count, max_tries=lost.max_try_count, may_retry=True)
    sql.settle(
        job_id=lost.pk, tries=lost.try_count, to=then.state, status_code=500, result=LOST, output="", took_ms=0,
        namespace_id=held.namespace_id, script=lost.script_id,
    )  # fmt: skip


def recount(queue_id: int) -> tuple[Numbers, Numbers]:
    """Put waiting, head_at and head_tries right from the rows; returns them before and after. In a transaction.

    Only for who holds the queue and has not finished a job yet, or while nobody holds it: a holder subtracts what it has
    finished when it lets go. The queue's row is locked before the jobs are counted, so that a push is either seen or
    counts itself in afterwards.
    """
    rows = Queue.objects.filter(pk=queue_id)
    before = rows.select_for_update().values_list(*NUMBERS).first()
    waiting = Job.objects.filter(queue_id=queue_id, state__in=sorted(QUEUED)).count()
    rows.update(waiting=waiting, rev=F("rev") + 1, **head())
    return before, rows.values_list(*NUMBERS).first()


def head() -> dict[str, Any]:
    """What a queue's row says of its first waiting job, to update rows with: head_at, None when nothing waits, head_tries.

    Looked at by the database, which writes moments as they are in the job.
    """
    waiting = Job.objects.filter(queue_id=OuterRef("pk"), state=JobState.WAITING).order_by("id")
    return {
        "head_at": Subquery(waiting.values("created_at")[:1]),
        "head_tries": Coalesce(Subquery(waiting.values("try_count")[:1]), 0),
    }


def renew(hold: Hold) -> None:
    """Hold it for another lease. Raises LeaseLost."""
    if not hold.rows.update(lease_until=Now() + timedelta(seconds=settings.JOB_LEASE_S)):
        raise LeaseLost


class Keeper:
    """Renews a hold while its work goes on, and sees that it was lost before anything more is done in its name."""

    def __init__(self, hold: Hold) -> None:
        self._lease = Renewer(settings.JOB_LEASE_S / 4, lambda: renew(hold))

    @property
    def due(self) -> bool:
        """A quarter of the lease is over since the last renewal."""
        return self._lease.due

    def tick(self) -> None:
        """Call it often, and before each call that a script makes. Raises LeaseLost."""
        engine.beat("jobs")
        self._lease.tick()


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
