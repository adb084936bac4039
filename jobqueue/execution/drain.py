"""Runs a queue's jobs, first in first out, for a slice of time; then others get their turn."""
from __future__ import annotations

import logging
import time

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.lease import LeaseLost
from jobqueue import sql
from jobqueue.execution import attempt, hold, namespaces
from jobqueue.execution.attempt import Ended
from jobqueue.execution.hold import Hold, Keeper
from jobqueue.models import Job, Namespace, Queue
from jobqueue.notifications import finished as notify_finished
from jobqueue.notifications import wanted
from jobqueue.states import JobState, Next, after_attempt

log = logging.getLogger(__name__)
DRAIN = "jobqueue.tasks.drain"
SLICE_S = 0.25
AHEAD = 50
Row = tuple[int, str, str, int, int]


def drain(queue_id: int) -> None:
    """Take the queue and run its jobs for one slice; rings again when jobs are left, so that no user starves others."""
    held = hold.take(queue_id)
    if held is None:
        return
    namespace, auto = namespaces.current(held.namespace_id)
    finished, wait_s = 0, 0.0
    try:
        if auto:
            turn = Slice(held, namespace)
            finished, wait_s = turn.run()
            auto = not turn.switched_off
    except LeaseLost:
        log.warning("a queue was taken over", extra={"queue_id": queue_id})
        return
    with transaction.atomic():
        left = hold.let_go(held, finished=finished, wait_s=wait_s, stop=not auto)
        if left and not wait_s and auto:
            engine.wake(DRAIN, queue_id)
    # Turned on again before that was written: whoever did so found the queue draining and did not ring.
    if left and not auto and namespaces.current(held.namespace_id)[1]:
        begin(queue_id)


def begin(queue_id: int) -> bool:
    """Ring for a queue that nobody drains, whether a job waits for its back-off or not; False when somebody does."""
    with transaction.atomic():
        idle = Queue.objects.filter(pk=queue_id, draining=False)
        if not idle.update(draining=True, rev=F("rev") + 1, started_rev=F("rev") + 1, next_at=None, rung_at=Now()):
            return False
        engine.wake(DRAIN, queue_id)
        return True


class Slice:
    """One turn of one queue."""

    def __init__(self, held: Hold, namespace: Namespace) -> None:
        self.held, self.namespace = held, namespace
        self.finished = 0
        self.switched_off = False
        self.notifies = wanted(namespace.run_notification)
        self.keeper = Keeper(held)
        self._ahead: list[Row] = []

    def run(self) -> tuple[int, float]:
        """Returns how many jobs left the queue, and how long it is to be left alone (0: not)."""
        ends = time.monotonic() + SLICE_S
        job = self._first()
        while job is not None:
            if engine.beat("jobs"):
                ends = 0.0
            ended = self._attempt(job)
            tries = job[4]
            then = after_attempt(
                status_code=ended.status_code, tries=tries, max_tries=job[3], may_retry=ended.may_retry
            )
            more = then.state != JobState.WAITING and time.monotonic() < ends
            job = self._settle(job, ended, then, more)
            if then.wait_s:
                return self.finished, then.wait_s
        return self.finished, 0.0

    def _look_ahead(self, after: int) -> None:
        self._ahead = sql.ahead(self.held.queue_id, after, AHEAD)
        self._ahead.reverse()

    def _first(self) -> Row | None:
        """Claim the first waiting job; also the look whether auto-run is still on."""
        row = sql.claim_first(self.held.queue_id, self.held.fence)
        if row is None and not namespaces.current(self.held.namespace_id)[1]:
            self.switched_off = True
        return row

    def _attempt(self, job: Row) -> Ended:
        return attempt.perform(
            namespace=self.namespace,
            project=self.namespace.project,
            user_id=self.held.user_id,
            script_id=job[1],
            args=job[2],
            tick=self.keeper.tick,
        )

    def _settle(self, job: Row, ended: Ended, then: Next, more: bool) -> Row | None:
        """Write the result and claim the next job, in one transaction; returns that job."""
        if more and not self._ahead:
            self._look_ahead(job[0])
        following = self._ahead.pop() if more and self._ahead else None
        if sql.settles_alone(then.state) and not self.notifies:
            settled, claimed = self._write(job, ended, then, following)
        else:
            with transaction.atomic():
                settled, claimed = self._write(job, ended, then, following)
                if settled:
                    notify_finished(self.namespace, self.held.user_id, job[0])
        if settled:
            # Not when it was deleted meanwhile: whoever did so has counted it out.
            self.finished += then.state != JobState.WAITING
        if self.keeper.due:
            self.keeper.tick()
        if following and claimed:
            return (*following[:4], following[4] + 1)
        # The next one was deleted meanwhile, or the job itself was, or auto-run is off: look again.
        self._ahead = []
        return self._first() if more and (following or not settled) else None

    def _write(self, job: Row, ended: Ended, then: Next, following: Row | None) -> tuple[bool, bool]:
        settled, claimed = sql.settle(
            job_id=job[0],
            tries=job[4],
            to=then.state,
            status_code=ended.status_code,
            result=ended.result,
            output=ended.output,
            took_ms=ended.took_ms,
            namespace_id=self.held.namespace_id,
            script=job[1],
            next_id=following[0] if following else None,
            fence=self.held.fence,
        )
        if not settled and Job.objects.filter(pk=job[0]).exists():
            raise LeaseLost
        return settled, claimed
