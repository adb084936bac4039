"""The lease of a queue: one worker at a time runs the jobs of a player, for as long as it renews its lease."""
from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.db import fences
from gs2admin.lease import LeaseLost, Renewer
from jobqueue import sql
from jobqueue.execution.counters import recount
from jobqueue.models import Job, Queue
from jobqueue.states import JobState, after_attempt

log = logging.getLogger(__name__)
LOST_RESULT = '[{"component": "job", "message": "jobQueue.execution.lost", "code": "jobQueue.execution.lost"}]'


class QueueLease:
    """The right to run the jobs of one queue. fence: a number that rises with every lease of the queue."""

    def __init__(self, queue_id: int, fence: int, namespace_id: int, user_id: str) -> None:
        self.queue_id, self.fence, self.namespace_id, self.user_id = queue_id, fence, namespace_id, user_id
        self._renewer = Renewer(settings.JOB_LEASE_S / 4, self._extend)

    @classmethod
    def take(cls, queue_id: int) -> QueueLease | None:
        """Lease the queue for JOB_LEASE_S seconds; None while somebody else has a lease, or when the queue is gone.

        Writes what a lost holder did not write.
        """
        taken = sql.take(queue_id, settings.JOB_LEASE_S, engine.worker_label())
        if taken is None:
            return None
        lease = cls(queue_id, taken.fence, taken.namespace_id, taken.user_id)
        if taken.last_was_lost:
            try:
                lease.clear_up()
            except LeaseLost:
                return None
        return lease

    @property
    def rows(self) -> QuerySet[Queue]:
        """The queue's row, while this lease counts; else nothing."""
        return Queue.objects.filter(pk=self.queue_id, fence=self.fence)

    @property
    def due(self) -> bool:
        """A quarter of the lease is over since the last renewal."""
        return self._renewer.due

    def tick(self) -> None:
        """Renew the lease when that is due. Call it often, and before each call that a script makes. Raises LeaseLost."""
        with fences.apart():
            engine.beat("jobs")
            self._renewer.tick()

    def effects(self) -> AbstractContextManager[None]:
        """What is written in the block takes effect only while this lease counts; else LeaseLost is raised, and it is undone."""
        return fences.on_behalf(lambda: sql.keep(self.queue_id, self.fence))

    def renew(self) -> None:
        """Renew the lease now, for JOB_LEASE_S seconds. Raises LeaseLost."""
        self._renewer.now()

    def _extend(self) -> None:
        if not self.rows.update(lease_until=Now() + timedelta(seconds=settings.JOB_LEASE_S)):
            raise LeaseLost

    def release(self, *, finished: int, wait_s: float = 0.0, stop: bool = False) -> bool:
        """End the lease. Returns whether jobs are waiting; False also when the lease was lost.

        finished: how many jobs left the queue under this lease. wait_s: auto-run leaves the queue alone for so many seconds.
        stop: auto-run is off, so nobody drains the queue any more, whatever waits.

        The queue's row is locked first and the jobs are read after that: a push either sees that nobody drains the queue, or
        its jobs are seen here. Without the lock both may miss each other, and the job waits for ever.
        """
        with fences.apart(), transaction.atomic(savepoint=False):
            if not sql.lock(self.queue_id, self.fence):
                return False
            return sql.release(self.queue_id, self.fence, finished=finished, stop=stop, wait_s=wait_s)

    def clear_up(self) -> None:
        """Write what the last holder did not: the end of its attempt, and the queue's counters. Raises LeaseLost.

        The queue's row stays locked from before the count to the commit, and the fence is checked then: otherwise a holder
        that was stopped here would end the attempt of the next one. The job's row is locked first, as everywhere.
        """
        running = Job.objects.select_for_update().filter(queue_id=self.queue_id, state=JobState.RUNNING).order_by()
        with transaction.atomic():
            running.first()
            if self.rows.select_for_update().first() is None:
                raise LeaseLost
            # Read again: the last holder may have ended one job and claimed the next before the row was locked.
            while job := running.first():
                self._write_off(job)
            before, after = recount(self.queue_id)
        log.info("a holder of a queue was lost",
                 extra={"queue_id": self.queue_id, "before": before._asdict(), "after": after._asdict()})

    def _write_off(self, job: Job) -> None:
        """End the attempt of a lost holder: it counts as a try, with status 500 and LOST_RESULT."""
        then = after_attempt(status_code=500, tries=job.try_count, max_tries=job.max_try_count, may_retry=True)
        sql.settle(
            job_id=job.pk, tries=job.try_count, to=then.state, status_code=500, result=LOST_RESULT, output="", took_ms=0,
            namespace_id=self.namespace_id, script=job.script_id,
        )  # fmt: skip
