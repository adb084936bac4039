"""Runs a queue's jobs, first in first out, for a slice of time; then others get their turn."""
from __future__ import annotations

import logging
import time

from django.db import transaction

from gs2admin import engine
from gs2admin.spaces import NamespaceStatus
from jobqueue import sql
from jobqueue.execution import attempt, hold
from jobqueue.execution.attempt import Ended
from jobqueue.execution.hold import Hold, HoldLost, Keeper
from jobqueue.models import Job, Namespace, Queue
from jobqueue.notify import finished as notify_finished
from jobqueue.states import JobState, Next, after_attempt
from jobqueue.stats import Counts

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
    queue = Queue.objects.select_related("namespace__project").get(pk=queue_id)
    namespace = queue.namespace
    finished, wait_s, counts = 0, 0.0, Counts()
    try:
        if namespace.enable_auto_run and namespace.status == NamespaceStatus.ACTIVE:
            finished, wait_s = Slice(held, queue, namespace, counts).run()
    except HoldLost:
        log.warning("a queue was taken over", extra={"queue_id": queue_id})
        return
    with transaction.atomic():
        left = hold.let_go(held, finished=finished, wait_s=wait_s)
        counts.write(namespace.pk)
        if left and not wait_s and namespace.enable_auto_run:
            engine.ring(DRAIN, queue_id)


class Slice:
    """One turn of one queue."""

    def __init__(self, held: Hold, queue: Queue, namespace: Namespace, counts: Counts) -> None:
        self.held, self.queue, self.namespace, self.counts = held, queue, namespace, counts
        self.finished = 0
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
            self.finished += then.state != JobState.WAITING
            more = then.state != JobState.WAITING and time.monotonic() < ends
            job = self._settle(job, ended, then, more)
            if then.wait_s:
                return self.finished, then.wait_s
        return self.finished, 0.0

    def _look_ahead(self, after: int) -> None:
        rows = Job.objects.filter(queue=self.queue, state=JobState.WAITING, id__gt=after).order_by("id")
        self._ahead = list(rows.values_list("id", "script_id", "args", "max_try_count", "try_count")[:AHEAD])
        self._ahead.reverse()

    def _first(self) -> Row | None:
        self._look_ahead(0)
        while self._ahead:
            row = self._ahead.pop()
            if sql.claim_job(row[0]):
                return (*row[:4], row[4] + 1)
        return None

    def _attempt(self, job: Row) -> Ended:
        return attempt.perform(
            namespace=self.namespace,
            project=self.namespace.project,
            user_id=self.queue.user_id,
            script_id=job[1],
            args=job[2],
            tick=self.keeper.tick,
        )

    def _settle(self, job: Row, ended: Ended, then: Next, more: bool) -> Row | None:
        """Write the result and claim the next job, in one transaction; returns that job."""
        if more and not self._ahead:
            self._look_ahead(job[0])
        following = self._ahead.pop() if more and self._ahead else None
        with transaction.atomic():
            settled, claimed = sql.settle(
                job_id=job[0],
                tries=job[4],
                to=then.state,
                status_code=ended.status_code,
                result=ended.result,
                output=ended.output,
                took_ms=ended.took_ms,
                next_id=following[0] if following else None,
            )
            if not settled and Job.objects.filter(pk=job[0]).exists():
                raise HoldLost
            if settled:
                self.counts.add(job[1], then.state, ended.took_ms)
                notify_finished(self.namespace, self.queue.user_id, job[0])
        if self.keeper.due:
            self.keeper.tick()
        if following and claimed:
            return (*following[:4], following[4] + 1)
        # The next one was deleted meanwhile, or the job itself was: look again.
        return self._first() if more and (following or not settled) else None
