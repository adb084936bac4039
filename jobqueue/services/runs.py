"""What people do with a player's queue: run the next job, run all of them, let a failed job be tried at once."""
from __future__ import annotations

import time
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from jobqueue.execution.drain import DRAIN
from jobqueue.models import Job, Namespace, Queue
from jobqueue.services.attempts import Ran, refuse_if_paused, run_waiting
from jobqueue.states import JobState

BUDGET_S = 1.5
MOST = 200


@dataclass(frozen=True)
class RanMany:
    """count: attempts made. failed: the last attempt, if it failed. last: no job waits any more."""

    count: int
    failed: Ran | None
    last: bool


def _by_hand(namespace: Namespace) -> None:
    if namespace.enable_auto_run:
        raise Conflict(f"The jobs of {namespace.name} are run by the server. Turn auto-run off to run them by hand.",
                       component="namespace", message="jobQueue.namespace.namespace.error.conflict")


def _facts(ran: Ran, user_id: str) -> dict:
    return {"user": user_id, "script": ran.job.script_id, "try": ran.job.try_count,
            "status": ran.result.status_code if ran.result else None}  # fmt: skip


def run_one(*, actor: Actor, namespace: Namespace, user_id: str, reason: str = "") -> Ran:
    """Run the player's next job and wait for it, with a line in the activity log.

    Raises NotFound, Denied, Conflict (auto-run is on, or a job of that player is running).
    """
    require(actor, "job.run", namespace)
    _by_hand(namespace)

    def settled(ran: Ran) -> None:
        record(actor=actor, action="job.run", obj=ran.job, project_id=namespace.project_id, player=user_id,
               after=_facts(ran, user_id), reason=reason)

    return run_waiting(namespace, user_id, settled)


def run_many(*, actor: Actor, namespace: Namespace, user_id: str, reason: str = "", budget_s: float = BUDGET_S) -> RanMany:
    """Run the player's jobs in order for about budget_s seconds, up to the first attempt that fails; call again to go on.

    Writes one line in the activity log per call that ran something. Raises what run_one raises.
    """
    require(actor, "job.run", namespace)
    _by_hand(namespace)
    ends, count, failed, ran = time.monotonic() + budget_s, 0, None, None
    try:
        while count < MOST and time.monotonic() < ends and failed is None:
            ran = run_waiting(namespace, user_id)
            if ran.job is None:
                break
            count += 1
            failed = ran if not ran.result or not 200 <= ran.result.status_code < 300 else None
            if ran.last:
                break
    finally:
        if count:
            queue = Queue.objects.select_related("namespace").filter(namespace=namespace, user_id=user_id).first()
            if queue is not None:
                with transaction.atomic():
                    record(actor=actor, action="job.run_all", obj=queue, project_id=namespace.project_id,
                           after={"user": user_id, "jobs": count, "failed": str(failed.job.name) if failed else ""},
                           reason=reason)
    return RanMany(count, failed, ran is None or ran.last)


def wake(*, actor: Actor, namespace: Namespace, user_id: str, reason: str = "") -> None:
    """Let the server try a failed job at once, instead of after its back-off.

    Raises NotFound, Denied, Conflict (auto-run is off, nothing of that player waits for a retry, or the namespace is paused).
    """
    require(actor, "job.run", namespace)
    with transaction.atomic():
        refuse_if_paused(namespace)
        rows = Queue.objects.filter(Q(lease_until=None) | Q(lease_until__lt=Now()), namespace=namespace, user_id=user_id)
        woken = namespace.enable_auto_run and rows.filter(draining=True, next_at__isnull=False).update(
            next_at=None, woken_at=Now(), rev=F("rev") + 1
        )
        if not woken:
            raise Conflict(f"No job of this player waits for its next try in {namespace.name} any more.", component="job",
                           message="jobQueue.job.job.error.conflict")
        queue = rows.select_related("namespace").get()
        engine.wake(DRAIN, queue.pk)
        record(actor=actor, action="job.wake", obj=queue, project_id=namespace.project_id,
               after={"user": user_id}, reason=reason)


def left_of(namespace: Namespace, user_id: str) -> int:
    """How many jobs of the player wait; counted up to 10,000."""
    rows = Job.objects.filter(queue__namespace=namespace, queue__user_id=user_id, state=JobState.WAITING).order_by()
    return rows.values("pk")[:10_000].count()
