"""Promote, roll back, retry and cancel, as people and programs request them. Workers write through stages.core.journal."""
from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from gs2admin.transitions import apply
from stages.approval.services import close_request
from stages.core import journal, ledger
from stages.core.actions import actions_of
from stages.core.reasons import checked_reason
from stages.core.wake import RUN
from stages.core.words import phrase_of
from stages.models import Rollout, Scenario, Stage
from stages.plan.preview_retry import preview_retry
from stages.plan.previews import STAGE_S_OWN, Preview, preview_promote, preview_rollback
from stages.plan.redo import ALL, FAILED, SKIP
from stages.rollouts.create import RolloutRequest
from stages.rollouts.start import start
from stages.states import Cause, Protocol, RolloutState, StepState, move_for


def promote_stage(
    *,
    actor: Actor,
    stage: Stage,
    reason: str = "",
    preview_digest: str | None = None,
    request_key: str | None = None,
    override: bool = False,
    ask: bool = False,
    scenario: Scenario | None = STAGE_S_OWN,
    protocol: str = Protocol.FREEZE,
    queue: bool = False,
    only: Collection[str] = (),
) -> Rollout:
    """Start copying the source's versions onto the stage. Returns at once; a worker runs the queued rollout.

    Where a rule needs it, or with ask=True, the rollout waits for approval first (stages.approval). scenario: another one
    of the stage than its own, or None for the plain way. protocol: the one that it comes through. queue: wait for its
    turn while another rollout of the stage is live (stages.rollouts.queue). only: the microservices that go, by name; empty: all
    that differ.

    preview_digest: of the preview that the person saw; if anything moved since, nothing starts. request_key: a second
    request with the same key returns the first one's rollout. override: start although a stop or a freeze window blocks it
    (right gate.override, and a reason).
    Raises NotFound, Denied, Invalid, Conflict (another rollout is live or waits for approval: extra["rollout"] is its
    number; the preview changed; a stop or a freeze window blocks it).
    """
    require(actor, "stage.promote", stage)
    request = RolloutRequest(reason, preview_digest, request_key, override, ask, protocol, queue=queue)
    return start(actor, "stage.promote", stage, request, lambda row: preview_promote(row, scenario=scenario, only=only))


def rollback_stage(
    *,
    actor: Actor,
    stage: Stage,
    to: str = "previous",
    reason: str = "",
    preview_digest: str | None = None,
    request_key: str | None = None,
    override: bool = False,
) -> Rollout:
    """Start going back. to: "previous" or "pinned" (preview_rollback says which versions). Otherwise as promote_stage."""
    require(actor, "stage.rollback", stage)
    request = RolloutRequest(reason, preview_digest, request_key, override)
    return start(actor, "stage.rollback", stage, request, lambda row: preview_rollback(row, to=to))


def retry_rollout(
    *,
    actor: Actor,
    rollout: Rollout,
    reason: str = "",
    request_key: str | None = None,
    override: bool = False,
    how: str = ALL,
) -> Rollout:
    """Start a new rollout to the same versions as one that ended badly; retry_of links the two.

    how: all steps again, from the failed step on, or past it (stages.plan.redo). Skipping the failed step needs the right
    rollout.skip and a reason; the stage's versions then change as if the step had been done.
    Raises NotFound, Denied, Conflict (the rollout did not end badly; another one ran on the stage since, so that a retry
    would bring back an old plan; or as promote_stage), Invalid (it cannot go on from its failed step).
    """
    require(actor, "rollout.retry", rollout)
    if how not in {ALL, FAILED, SKIP}:
        raise Invalid("A retry is of everything, from the failed step on, or past it.", component="stage",
                      message="freeze.stage.how.error.invalid")
    if how == SKIP:
        require(actor, "rollout.skip", rollout)
        if not reason.strip():
            raise Invalid("Say why the step may be skipped.", component="stage",
                          message="freeze.stage.reason.error.require", extra={"field": "reason"})
    if rollout.state not in {RolloutState.FAILED, RolloutState.ERRORED, RolloutState.CANCELED}:
        raise Conflict(
            f"Rollout {rollout.number} {phrase_of(rollout.state)}; only one that failed can be retried.",
            component="stage",
            message="freeze.stage.stage.error.conflict",
            code="freeze.stage.notFailed",
        )
    _refuse_if_newer(rollout.stage, rollout, request_key)  # a plain read spares the hopeless ones the lock

    def look(row: Stage) -> Preview:
        _refuse_if_newer(row, rollout, request_key)
        return preview_retry(row, rollout, how)

    request = RolloutRequest(reason, None, request_key, override, protocol=rollout.protocol, redo=how)
    return start(actor, "rollout.retry", rollout.stage, request, look)


def _refuse_if_newer(stage: Stage, rollout: Rollout, request_key: str | None) -> None:
    """Raises Conflict when another rollout ran after that one; the rollout of the same request key does not count."""
    newer = Rollout.objects.filter(stage=stage, id__gt=rollout.pk, started_at__isnull=False).order_by("-id").first()
    if newer and (request_key is None or newer.request_key != request_key):
        raise Conflict(
            f"Rollout {newer.number} ran on {stage.name} after rollout {rollout.number}, so retrying that would bring back "
            "an old plan. Promote or roll back instead.",
            component="stage",
            message="freeze.stage.stage.error.conflict",
            code="freeze.stage.retryTooLate",
        )


def cancel_rollout(*, actor: Actor, rollout: Rollout, reason: str = "") -> Rollout:
    """Cancel a rollout. A queued one ends at once; a running one becomes canceling and stops between or inside its steps.

    Raises NotFound, Denied (the requester without the right rollout.cancel may cancel only while it waits for approval),
    Invalid (reason too long), Conflict (it has ended or is being canceled).
    """
    mine = (actor.kind, actor.id) == (rollout.requested_by_kind, rollout.requested_by_id)
    withdraws = mine and rollout.state == RolloutState.AWAITING_APPROVAL
    require(actor, "project.view" if withdraws else "rollout.cancel", rollout)
    why = checked_reason(reason)
    with transaction.atomic():
        ledger.lock(rollout.project_id)
        now = Rollout.objects.select_related("stage").get(pk=rollout.pk)
        if withdraws and now.state != RolloutState.AWAITING_APPROVAL:
            require(actor, "rollout.cancel", rollout)  # it was approved just now
        move = move_for(now.state, "cancel")
        if move is None or "cancel" not in actions_of(now):
            raise _not_cancelable(f"Rollout {now.number} {phrase_of(now.state)}; it cannot be canceled.")
        changes: dict[str, Any] = {
            "cause": Cause.USER,
            "cancel_requested_by": actor.name,
            "cancel_requested_at": Now(),
            "revision": F("revision") + 1,
        }
        if move.target == RolloutState.CANCELED:
            # No step of it was done here, also none that the rollout had done that is retried.
            changes |= {"ended_at": Now(), "lease_until": None, "waiting": False, "steps_done": 0}
        if not apply(Rollout.objects.filter(pk=now.pk), move, **changes):
            raise _not_cancelable(f"Rollout {now.number} ended just now.")
        journal.end_canary(now.pk, weight=0)
        if move.target == RolloutState.CANCELED:
            now.steps.update(state=StepState.NO_PROGRESS)
            close_request(now, f"Canceled by {actor.name}.")
            journal.append(now.pk, now.stage_id, [journal.Line(f"Canceled by {actor.name} before it began.")])
            Stage.objects.filter(pk=now.stage_id).update(revision=F("revision") + 1, updated_at=Now())
        record(actor=actor, action="rollout.cancel", obj=now, before={"state": now.state},
               after={"state": move.target}, reason=why)
        if move.target == RolloutState.CANCELING:
            engine.wake(RUN, now.pk)  # no worker may hold its lease just now
    return Rollout.objects.select_related("stage").get(pk=rollout.pk)


def _not_cancelable(sentence: str) -> Conflict:
    return Conflict(sentence, component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.notCancelable")
