"""The checks that each new rollout passes, whichever entry point requested it. Asks no right: its callers have done so."""
from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction

from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from stages.approval.reads import requirements_of
from stages.approval.services import cannot_wait, refuse_second_request
from stages.core import ledger
from stages.core.reasons import checked_reason
from stages.gates.reads import blocking, closed, refusal
from stages.models import Rollout, Stage
from stages.plan.previews import Preview
from stages.rollouts.create import Admission, RolloutRequest, create
from stages.rollouts.queue import last_ahead
from stages.states import Protocol


def start(actor: Actor, action: str, stage: Stage, request: RolloutRequest, look: Callable[[Stage], Preview]) -> Rollout:
    """Create a rollout of the stage, or return the one that the same request key created before.

    action: the right that the caller asked, for the activity log. look: makes the preview of the locked stage.
    Raises NotFound (the stage was deleted), Denied and Invalid (override without the right or a reason; a reason that is too
    long), Conflict (a rollout is live or waits for approval, the preview changed, a gate is closed, too many wait).
    """
    checked_reason(request.reason)
    if request.request_key is None and not request.queue:
        refuse_if_live(stage)  # a plain read spares the hopeless ones the lock
    try:
        with transaction.atomic():
            counters = ledger.lock(stage.project_id, rollouts_count=1)
            row = Stage.objects.select_related("source", "current_set").filter(pk=stage.pk, deleted_at=None).first()
            if row is None:
                raise NotFound(
                    f"There is no stage {stage.name}.", component="stage", message="freeze.stage.stage.error.notFound"
                )
            if same := _by_key(row, request.request_key):
                transaction.set_rollback(True)  # the number that was taken above is given back
                return same
            admission, preview = _admit(actor, row, request, look)
            return create(actor, action, preview, counters.rollouts_count, request, admission)
    except IntegrityError:
        # Two hosts at the same instant: the database let one through.
        refuse_if_live(stage)
        if same := _by_key(stage, request.request_key):
            return same
        raise


def _admit(
    actor: Actor, stage: Stage, request: RolloutRequest, look: Callable[[Stage], Preview]
) -> tuple[Admission, Preview]:
    """What the new rollout has to wait for, and its preview. Raises as start. The project's lock must be held."""
    ahead = last_ahead(stage) if request.queue else refuse_if_live(stage)
    preview = look(stage)
    if request.preview_digest is not None and request.preview_digest != preview.digest:
        raise Conflict(
            f"{stage.name} or its source moved after this preview was made, so nothing was started. "
            "Look at the new preview and confirm again.",
            component="stage",
            message="freeze.stage.stage.error.conflict",
            code="freeze.stage.previewChanged",
        )
    overridden = _pass_gates(actor, stage, preview.kind, request)
    needs = requirements_of(stage, preview.kind, preview.scenario, asked=request.ask)
    if needs and request.protocol == Protocol.ASM:
        raise cannot_wait(stage)
    if needs:
        refuse_second_request(stage)
    return Admission(overridden, needs, ahead), preview


def _pass_gates(actor: Actor, stage: Stage, kind: str, request: RolloutRequest) -> list[str]:
    """The sentences of the gates that were overridden. Raises Conflict where a gate blocks, Denied, Invalid."""
    gates = blocking(closed(stage.project_id), stage.pk, kind)
    if gates and not request.override:
        raise refusal(gates)
    if gates:
        require(actor, "gate.override", stage)
        if not request.reason.strip():
            raise Invalid("Say why it cannot wait: overriding a stop or a freeze window needs a reason.", component="stage",
                          message="freeze.stage.reason.error.require", extra={"field": "reason"})
    return [gate.sentence for gate in gates]


def refuse_if_live(stage: Stage) -> None:
    """Raises Conflict while a rollout of the stage is live; extra["rollout"] is its number."""
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


def _by_key(stage: Stage, request_key: str | None) -> Rollout | None:
    """The rollout that a request with this key created; None without a key."""
    return Rollout.objects.filter(stage=stage, request_key=request_key).first() if request_key else None
