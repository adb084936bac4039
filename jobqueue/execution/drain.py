"""Runs a queue's jobs, first in first out, for a slice of time; then other queues get their turn (turns.py)."""
from __future__ import annotations

import logging
import time

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.lease import LeaseLost
from jobqueue import notifications, sql
from jobqueue.execution import generations, namespaces
from jobqueue.execution.attempt import Ended
from jobqueue.execution.lease import QueueLease
from jobqueue.models import Job, Namespace, Queue
from jobqueue.sql import NextJob
from jobqueue.states import JobState, Next, after_attempt

log = logging.getLogger(__name__)
DRAIN = "jobqueue.tasks.drain"
SLICE_S = 0.25
AHEAD = 50
# An attempt that takes longer than this keeps a worker from everybody else for too long; its namespace is slow for a minute.
LONG_S = 0.7


def drain(queue_id: int, slice_s: float | None = None) -> bool:
    """Lease the queue and run its jobs for one slice; wake a worker when jobs are left. False: somebody else has the lease.

    A paused namespace's queue is let go as it is: it stays ready, and has its turn when the namespace is resumed.
    """
    lease = QueueLease.take(queue_id)
    if lease is None:
        return False
    serve(lease, slice_s=slice_s)
    return True


def serve(lease: QueueLease, finished: int = 0, slice_s: float | None = None) -> None:
    """Run jobs under a lease for one slice of slice_s seconds (SLICE_S), and end the lease.

    finished: how many jobs left the queue under it before.
    """
    queue_id = lease.queue_id
    namespace, auto, paused, untried = namespaces.current(lease.namespace_id)
    wait_s = 0.0
    try:
        if auto and not paused:
            turn = Slice(lease, namespace, SLICE_S if slice_s is None else slice_s)
            more, wait_s = turn.run()
            finished += more
            auto = not turn.switched_off
            if untried and not turn.long:
                sql.note_quick(lease.namespace_id)
    except LeaseLost:
        log.warning("a queue was taken over", extra={"queue_id": queue_id})
        return
    with transaction.atomic():
        left = lease.release(finished=finished, wait_s=wait_s, stop=not auto)
        if left and not wait_s and auto and not paused:
            engine.wake(DRAIN, queue_id)
    # Auto-run was turned on again before that was written: that update found the queue draining and did not wake it.
    if left and not auto and namespaces.current(lease.namespace_id).auto:
        begin(queue_id)


def begin(queue_id: int) -> bool:
    """Wake a queue that nobody drains, also when its head waits for its back-off. False: somebody drains it."""
    with transaction.atomic():
        idle = Queue.objects.filter(pk=queue_id, draining=False)
        if not idle.update(draining=True, rev=F("rev") + 1, started_rev=F("rev") + 1, next_at=None, woken_at=Now()):
            return False
        engine.wake(DRAIN, queue_id)
        return True


class Slice:
    """One turn of one queue. slice_s: after so many seconds no other job is begun."""

    def __init__(self, lease: QueueLease, namespace: Namespace, slice_s: float) -> None:
        self.lease, self.namespace, self.slice_s = lease, namespace, slice_s
        self.finished = 0
        self.switched_off = self.long = False
        self._began = 0.0
        self.notifies = notifications.wanted(namespace.run_notification)
        self._ahead: list[NextJob] = []

    def run(self) -> tuple[int, float]:
        """Returns (how many jobs left the queue, for how many seconds it is to be left alone; 0: not at all).

        Raises LeaseLost.
        """
        ends = time.monotonic() + self.slice_s
        job = self._first()
        while job is not None:
            if engine.beat("jobs"):
                ends = 0.0
            ended = self._attempt(job)
            then = after_attempt(
                status_code=ended.status_code, tries=job.tries, max_tries=job.max_tries, may_retry=ended.may_retry
            )
            more = then.state != JobState.WAITING and time.monotonic() < ends
            job = self._settle(job, ended, then, more)
            if then.wait_s:
                return self.finished, then.wait_s
        return self.finished, 0.0

    def _look_ahead(self, after: int) -> None:
        self._ahead = sql.ahead(self.lease.queue_id, after, AHEAD)
        self._ahead.reverse()

    def _first(self) -> NextJob | None:
        """Claim the first waiting job; checks auto-run too."""
        job = sql.claim_first(self.lease.queue_id, self.lease.fence)
        if job is None and not namespaces.current(self.lease.namespace_id).auto:
            self.switched_off = True
        return job

    def _attempt(self, job: NextJob) -> Ended:
        self._began = time.monotonic()
        with self.lease.effects():
            ended = generations.perform(
                job.generation,
                project=self.namespace.project,
                user_id=self.lease.user_id,
                script_id=job.script_id,
                args=job.args,
                tick=self._tick,
            )
        self._look_at_clock()
        return ended

    def _tick(self) -> None:
        self.lease.tick()
        self._look_at_clock()

    def _look_at_clock(self) -> None:
        """Note a long attempt, once per turn, while it runs: the other workers shall know before they begin the same."""
        if not self.long and time.monotonic() - self._began > LONG_S:
            self.long = True
            sql.note_slow(self.lease.namespace_id)

    def _settle(self, job: NextJob, ended: Ended, then: Next, more: bool) -> NextJob | None:
        """Write the result and claim the next job, in one transaction; returns that job."""
        if more and not self._ahead:
            self._look_ahead(job.id)
        following = self._ahead.pop() if more and self._ahead else None
        if sql.settles_alone(then.state) and not self.notifies:
            settled, claimed = self._write(job, ended, then, following)
        else:
            with transaction.atomic():
                settled, claimed = self._write(job, ended, then, following)
                if settled:
                    notifications.finished(self.namespace, self.lease.user_id, job.id)
        if settled:
            # Not when the job was deleted meanwhile: the delete has subtracted it already.
            self.finished += then.state != JobState.WAITING
        if self.lease.due:
            self.lease.tick()
        if following and claimed:
            return following._replace(tries=following.tries + 1)
        # The next job was deleted meanwhile, or this one was, or auto-run is off: look again.
        self._ahead = []
        return self._first() if more and (following or not settled) else None

    def _write(self, job: NextJob, ended: Ended, then: Next, following: NextJob | None) -> sql.Settled:
        found = sql.settle(
            job_id=job.id,
            tries=job.tries,
            to=then.state,
            status_code=ended.status_code,
            result=ended.result,
            output=ended.output,
            took_ms=ended.took_ms,
            namespace_id=self.lease.namespace_id,
            script=job.script_id,
            revision=ended.script_revision,
            next_id=following.id if following else None,
            fence=self.lease.fence,
        )
        if not found.settled and Job.objects.filter(pk=job.id).exists():
            raise LeaseLost
        return found
