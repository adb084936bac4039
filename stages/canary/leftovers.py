"""What an ended rollout has left behind, as people have it taken back, or forgotten."""
from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from stages.core import journal, ledger
from stages.core.leftovers import Left, left_by, rows_of
from stages.core.reasons import checked_reason
from stages.core.wake import TAKE_BACK
from stages.core.words import phrase_of
from stages.models import Rollout
from stages.states import FINAL


def take_back(*, actor: Actor, rollout: Rollout, reason: str = "") -> list[Left]:
    """Have a worker take back all that the rollout has left; returns what that is. Asked again, it goes on as before.

    Raises NotFound, Denied, Invalid (reason too long), Conflict (the rollout goes on, another one of the stage does, or
    nothing is left).
    """
    with transaction.atomic():
        row, found, reason = _locked(actor, rollout, reason)
        live = Rollout.objects.live().filter(stage=row.stage_id).first()
        if live is not None:
            raise _conflict(f"Rollout {live.number} goes on on {row.stage.name}. Wait until it has ended.")
        rows_of(row).filter(asked_at=None).update(asked_at=Now(), asked_by=actor.name, problem="", attempt=0, lease_until=None)
        named = ", ".join(left.what for left in found)
        journal.append(row.pk, row.stage_id, [journal.Line(f"{actor.name} has it taken back: {named}.")])
        record(actor=actor, action="rollout.take_back", obj=row, before={"left": [left.what for left in found]}, reason=reason)
        for left in found:
            engine.wake(TAKE_BACK, left.pk)
    return found


def forget(*, actor: Actor, rollout: Rollout, reason: str) -> list[Left]:
    """Believe the actor that nothing of it is left. Raises as take_back, and Invalid without a reason."""
    if not reason.strip():
        raise Invalid("Say how you know that it is gone.", component="stage",
                      message="freeze.stage.reason.error.require", extra={"field": "reason"})
    with transaction.atomic():
        row, found, reason = _locked(actor, rollout, reason)
        rows_of(row).delete()
        named = ", ".join(left.what for left in found)
        journal.append(row.pk, row.stage_id, [journal.Line(f"{actor.name} says that it is gone: {named}.")])
        record(actor=actor, action="rollout.forget_left", obj=row, before={"left": [left.what for left in found]}, reason=reason)
    return found


def _locked(actor: Actor, rollout: Rollout, reason: str) -> tuple[Rollout, list[Left], str]:
    require(actor, "canary.decide", rollout)
    reason = checked_reason(reason)
    ledger.lock(rollout.project_id)
    row = Rollout.objects.select_related("stage").get(pk=rollout.pk)
    if row.state not in FINAL:
        raise _conflict(f"Rollout {row.number} {phrase_of(row.state)}; what it makes is taken back when it has ended.")
    found = left_by(row)
    if not found:
        raise _conflict(f"Nothing of rollout {row.number} is left.")
    return row, found, reason


def _conflict(sentence: str) -> Conflict:
    return Conflict(sentence, component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.nothingLeft")
