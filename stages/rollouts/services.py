"""The writes that people and programs ask of rollouts: promote, roll back, cancel, retry. Workers write in rollout/ledger.py."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from gs2admin.transitions import apply
from stages.approval import services as approvals
from stages.core import journal, ledger
from stages.core.actions import actions_of
from stages.gates import reads as gates
from stages.models import Rollout, Scenario, Stage
from stages.plan.preview_retry import preview_retry
from stages.plan.previews import STAGE_S_OWN, Preview, preview_promote, preview_rollback
from stages.plan.redo import ALL, FAILED, SKIP
from stages.rollouts import queue as queued
from stages.rollouts.create import RUN, Asking, create
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
) -> Rollout:
    """Start copying the source's versions onto the stage; asynchronous, the returned rollout is queued.

    Where a rule demands it, or with ask, the rollout waits for approval instead (services.approvals). scenario: another
    one of the stage than its own, or None for the plain way. protocol: the one it comes through. queue: wait for its
    turn while another rollout of the stage is live (services.queued).

    preview_digest: what the person saw; when anything moved since, nothing starts. request_key: the same key again
    returns the rollout that it started. override: start in spite of a stop or a freeze window (right gate.override,
    and a reason).
    Raises NotFound, Denied, Conflict (another rollout is live or waits for approval: extra["rollout"] is its number; the
    preview changed; the line is stopped or a freeze window is on), Invalid.
    """
    return _start(
        actor, "stage.promote", stage, reason, preview_digest, request_key,
        lambda row: preview_promote(row, scenario=scenario), override=override, ask=ask, protocol=protocol,
        queue=queue,
    )


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
    """Start going back, to "previous" or "pinned" (preview_rollback tells which versions); otherwise as promote_stage."""
    return _start(
        actor, "stage.rollback", stage, reason, preview_digest, request_key,
        lambda row: preview_rollback(row, to=to), override=override,
    )


def retry_rollout(
    *,
    actor: Actor,
    rollout: Rollout,
    reason: str = "",
    request_key: str | None = None,
    override: bool = False,
    how: str = ALL,
) -> Rollout:
    """Start a new rollout to the same versions as one that ended badly, linked to it.

    how: everything anew, from the failed step on, or past it (stages.plan.redo); skipping needs the right
    rollout.skip and a reason, and the pins move as if the step had been done.
    Raises Conflict when the rollout did not end badly, or when the stage has moved since, so that a retry would
    bring back an old plan; Invalid when it cannot go on from its failed step.
    """
    require(actor, "rollout.retry", rollout)
    if how not in {ALL, FAILED, SKIP}:
        raise Invalid("A retry is of everything, from the failed step on, or past it.", component="stage",
                      message="freeze.stage.how.error.invalid")
    if how == SKIP:
        require(actor, "rollout.skip", rollout)
        if not reason.strip():
            raise Invalid("Say why the step may be left out.", component="stage",
                          message="freeze.stage.reason.error.require", extra={"field": "reason"})
    stage = rollout.stage
    if rollout.state not in {RolloutState.FAILED, RolloutState.ERRORED, RolloutState.CANCELED}:
        raise Conflict(
            f"Rollout {rollout.number} is {rollout.get_state_display().lower()}; only one that failed can be retried.",
            component="stage",
            message="freeze.stage.stage.error.conflict",
            code="freeze.stage.notFailed",
        )
    _refuse_if_newer(stage, rollout, request_key)  # a plain read spares the hopeless ones the lock

    def look(row: Stage) -> Preview:
        _refuse_if_newer(row, rollout, request_key)
        return preview_retry(row, rollout, how)

    return _start(
        actor, "rollout.retry", stage, reason, None, request_key, look, override=override, protocol=rollout.protocol, redo=how,
    )


def _refuse_if_newer(stage: Stage, rollout: Rollout, request_key: str | None) -> None:
    """Raises Conflict when another rollout ran after that one; the one that this very request started is none."""
    newer = Rollout.objects.filter(stage=stage, id__gt=rollout.pk, started_at__isnull=False).order_by("-id").first()
    if newer and (request_key is None or newer.request_key != request_key):
        raise Conflict(
            f"Rollout {newer.number} ran on {stage.name} after rollout {rollout.number}, so retrying that would bring back "
            "an old plan. Promote or roll back instead.",
            component="stage",
            message="freeze.stage.stage.error.conflict",
            code="freeze.stage.retryTooLate",
        )


def _start(
    actor: Actor,
    action: str,
    stage: Stage,
    reason: str,
    preview_digest: str | None,
    request_key: str | None,
    look: Callable[[Stage], Preview],
    **more: Any,
) -> Rollout:
    """The one way a rollout of a stage comes to be, whoever asks by whichever door. more: the rest of Asking."""
    require(actor, action, stage)
    asking = Asking(reason, preview_digest, request_key, **more)
    if request_key is None and not asking.queue:
        _refuse_if_live(stage)  # a plain read spares the hopeless ones the lock
    try:
        with transaction.atomic():
            counters = ledger.lock(stage.project_id, rollouts_count=1)
            row = Stage.objects.select_related("source", "current_set").filter(pk=stage.pk, deleted_at=None).first()
            if row is None:
                raise NotFound(
                    f"There is no stage {stage.name}.", component="stage", message="freeze.stage.stage.error.notFound"
                )
            if request_key:
                same = Rollout.objects.filter(stage=row, request_key=request_key).first()
                if same:
                    transaction.set_rollback(True)  # the number that was taken above is given back
                    return same
            ahead = queued.ahead_of(row) if asking.queue else _refuse_if_live(row)
            preview = look(row)
            if asking.preview_digest is not None and asking.preview_digest != preview.digest:
                raise Conflict(
                    f"{row.name} or its source moved after this preview was made, so nothing was started. "
                    "Look at the new preview and confirm again.",
                    component="stage",
                    message="freeze.stage.stage.error.conflict",
                    code="freeze.stage.previewChanged",
                )
            passed = _pass_gates(actor, row, preview.kind, asking.override, asking.reason)
            needs = approvals.requirements_of(row, preview.kind, preview.scenario, asked=asking.ask)
            if needs and asking.protocol == Protocol.ASM:
                raise approvals.cannot_wait(row)
            if needs:
                approvals.refuse_second_request(row)
            return create(actor, action, preview, counters.rollouts_count, asking, passed, needs, ahead)
    except IntegrityError:
        # Two hosts at the same instant: the database let one through.
        _refuse_if_live(stage)
        same = Rollout.objects.filter(stage=stage, request_key=request_key).first() if request_key else None
        if same:
            return same
        raise


def _pass_gates(actor: Actor, stage: Stage, kind: str, override: bool, reason: str) -> list[str]:
    """What was overridden, as sentences; none as a rule. Raises Conflict where a gate is closed, Denied, Invalid."""
    closed = gates.holding(gates.closed(stage.project_id), stage.pk, kind)
    if closed and not override:
        raise gates.refusal(closed)
    if closed:
        require(actor, "gate.override", stage)
        if not reason.strip():
            raise Invalid("Say why it cannot wait: overriding a stop or a freeze window needs a reason.", component="stage",
                          message="freeze.stage.reason.error.require", extra={"field": "reason"})
    return [gate.sentence for gate in closed]


def _refuse_if_live(stage: Stage) -> None:
    live = Rollout.objects.live().filter(stage=stage).first()
    if live:
        raise Conflict(
            f"Rollout {live.number} by {live.requested_by} is already running on {stage.name}. "
            "Wait for its end, or cancel it first.",
            component="stage",
            message="freeze.stage.stage.error.conflict",
            code="freeze.stage.updating",
            extra={"rollout": live.number},
        )


def cancel_rollout(*, actor: Actor, rollout: Rollout, reason: str = "") -> Rollout:
    """Ask a rollout to stop. A queued one is canceled at once; a running one stops between or inside its steps.

    Raises NotFound, Denied (who merely requested one may cancel it only while it waits for approval), Conflict
    when it has ended or is already being canceled.
    """
    mine = (actor.kind, actor.id) == (rollout.requested_by_kind, rollout.requested_by_id)
    withdraws = mine and rollout.state == RolloutState.AWAITING_APPROVAL
    require(actor, "project.view" if withdraws else "rollout.cancel", rollout)
    with transaction.atomic():
        ledger.lock(rollout.project_id)
        now = Rollout.objects.select_related("stage").get(pk=rollout.pk)
        if withdraws and now.state != RolloutState.AWAITING_APPROVAL:
            require(actor, "rollout.cancel", rollout)  # it was approved just now
        move = move_for(now.state, "cancel")
        if move is None or "cancel" not in actions_of(now):
            raise Conflict(
                f"Rollout {now.number} is {now.get_state_display().lower()} and cannot be canceled.",
                component="stage",
                message="freeze.stage.stage.error.conflict",
                code="freeze.stage.notCancelable",
            )
        changes = {
            "cause": Cause.USER,
            "cancel_requested_by": actor.name,
            "cancel_requested_at": Now(),
            "revision": F("revision") + 1,
        }
        if move.target == RolloutState.CANCELED:
            # No step of it was done here, also none that the rollout had done that is retried.
            changes |= {"ended_at": Now(), "lease_until": None, "waiting": False, "steps_done": 0}
        if not apply(Rollout.objects.filter(pk=now.pk), move, **changes):
            raise Conflict(
                f"Rollout {now.number} ended just now.",
                component="stage",
                message="freeze.stage.stage.error.conflict",
                code="freeze.stage.notCancelable",
            )
        journal.end_canary(now.pk, weight=0)
        if move.target == RolloutState.CANCELED:
            now.steps.update(state=StepState.NO_PROGRESS)
            approvals.close_request(now, f"Canceled by {actor.name}.")
            journal.append(now.pk, now.stage_id, [journal.Line(f"Canceled by {actor.name} before it began.")])
            Stage.objects.filter(pk=now.stage_id).update(revision=F("revision") + 1, updated_at=Now())
        record(actor=actor, action="rollout.cancel", obj=now, before={"state": now.state},
               after={"state": move.target}, reason=reason.strip()[:2000])
        if move.target == RolloutState.CANCELING:
            engine.wake(RUN, now.pk)  # in case that no worker holds it just now
    return Rollout.objects.select_related("stage").get(pk=rollout.pk)


