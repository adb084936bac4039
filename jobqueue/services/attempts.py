"""Run a player's next job now, and wait for it."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from gs2admin.errors import Conflict
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from gs2admin.lease import LeaseLost
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue import notifications, sql
from jobqueue.execution import generations
from jobqueue.execution.lease import QueueLease
from jobqueue.models import Job, JobResult, Namespace, Queue
from jobqueue.services.namespaces import QUEUES
from jobqueue.states import QUEUED, JobState, after_attempt


@dataclass(frozen=True)
class Ran:
    """What was run. job and result are None when nothing waited; result alone, when the job was deleted meanwhile.

    last: no job of this player waits or runs any more.
    """

    job: Job | None
    result: JobResult | None
    last: bool


NOTHING = Ran(None, None, True)


def run_next(
    *, actor: Actor, namespace: Namespace, user_id: str, settled: Callable[[Ran], object] = lambda ran: None
) -> Ran:
    """Run the player's next job now and wait for it. Does nothing while auto-run is on: then the server runs the jobs.

    settled: called with the outcome inside the transaction that writes it, when a job was run.
    Raises NotFound, Denied, Conflict with code jobQueue.execution.conflict while another run of that player goes on, and
    Conflict while the namespace is paused.
    """
    require(actor, "job.run", namespace)
    return NOTHING if namespace.enable_auto_run else run_waiting(namespace, user_id, settled)


def run_waiting(namespace: Namespace, user_id: str, settled: Callable[[Ran], object] = lambda ran: None) -> Ran:
    """`run_next` for callers that have checked the right and the switch. Raises NotFound, Conflict."""
    refuse_if_paused(namespace)
    queue = Queue.objects.filter(namespace=namespace, user_id=user_id).first()
    if queue is None:
        return NOTHING
    lease = QueueLease.take(queue.pk)
    if lease is None:
        raise _running_already(user_id)
    finished = 0
    try:
        with lease.effects():
            job = _claim_first(queue.pk)
            if job is None:
                return NOTHING
            ended = generations.perform(
                job.generation, project=namespace.project, user_id=user_id, script_id=job.script_id, args=job.args,
                tick=lease.tick,
            )  # fmt: skip
        then = after_attempt(
            status_code=ended.status_code, tries=job.try_count, max_tries=job.max_try_count, may_retry=ended.may_retry
        )
        with transaction.atomic():
            ours = sql.settle(
                job_id=job.pk, tries=job.try_count, to=then.state, status_code=ended.status_code, result=ended.result,
                output=ended.output, took_ms=ended.took_ms, namespace_id=namespace.pk, script=job.script_id,
                revision=ended.script_revision,
            ).settled  # fmt: skip
            if ours:
                notifications.finished(namespace, user_id, job.pk)
            result = JobResult.objects.filter(job_id=job.pk, try_number=job.try_count - 1).first()
            last = not any(Job.objects.filter(queue_id=queue.pk, state=state).exists() for state in QUEUED)
            if ours:
                job.state, job.updated_at = then.state, result.tried_at
                settled(Ran(job, result, last))
        # After the commit: a job whose result was rolled back has not left the queue.
        finished = int(ours and then.state != JobState.WAITING)
        if not ours:
            _refuse_if_gone(namespace)
        return Ran(job, result, last)
    except LeaseLost:
        _refuse_if_gone(namespace)
        raise _running_already(user_id) from None
    finally:
        lease.release(finished=finished)


def _running_already(user_id: str) -> Conflict:
    return Conflict(
        f"A job of {user_id} is running already.",
        component="job",
        message="jobQueue.job.job.error.conflict",
        code="jobQueue.execution.conflict",
    )


def refuse_if_paused(namespace: Namespace) -> None:
    """Raises Conflict while the namespace is paused; its row is read anew."""
    if Namespace.objects.filter(pk=namespace.pk, paused_at__isnull=False).exists():
        raise Conflict(
            f"{namespace.name} is paused, so its jobs do not run. Somebody has to resume it first.",
            component="namespace", message="jobQueue.namespace.namespace.error.conflict", code="jobQueue.namespace.paused",
        )  # fmt: skip


def _refuse_if_gone(namespace: Namespace) -> None:
    """The namespace may have been deleted while its job ran. Raises NotFound."""
    if not Namespace.objects.filter(pk=namespace.pk, status=NamespaceStatus.ACTIVE).exists():
        raise QUEUES.gone()


def _claim_first(queue_id: int) -> Job | None:
    while True:
        job = Job.objects.filter(queue_id=queue_id, state=JobState.WAITING).order_by("id").first()
        if job is None:
            return None
        if sql.claim_job(job.pk):
            job.refresh_from_db()
            return job
