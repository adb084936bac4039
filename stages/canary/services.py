"""What people and the clock do with a canary that is up: accept, reject, go to the next weight, set the weight.

The functions for people ask for the right; callers need not ask again.
"""
from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import SYSTEM, Actor
from gs2admin.identity.rights import require
from gs2admin.transitions import apply
from stages.approval.services import refuse_new_versions
from stages.canary import moves
from stages.canary.clocks import Due, due, ends_at, next_wake
from stages.core import journal, ledger
from stages.core.actions import actions_of
from stages.core.clock import clock_of
from stages.core.reasons import checked_reason
from stages.core.scenarios import way_of
from stages.core.wake import RUN
from stages.core.words import phrase_of
from stages.models import CanaryReport, Rollout, RolloutCanary
from stages.states import BY_ID, TIMED, Cause, Leg, Protocol, RolloutState, StepState, Strategy

# A worker that was woken to read metrics is not woken again for so long. s.
WOKEN_S = 5
# What a canary step remembers of what it has made (steps.kube_gray).
KEPT = frozenset({"gray", "made_by"})


def accept_canary(*, actor: Actor, rollout: Rollout, reason: str = "") -> Rollout:
    """Give the new versions to everybody (H1); returns the rollout as it is then.

    Raises NotFound, Denied, Invalid (reason too long), Conflict when no canary waits for a decision.
    """
    return _decide(actor, rollout, "canary_accept", "H1", reason, "accepted the canary: everybody gets the new versions.")


def reject_canary(*, actor: Actor, rollout: Rollout, reason: str = "") -> Rollout:
    """Withdraw the canary (H2): its players get the old versions at once. Raises as accept_canary."""
    return _decide(actor, rollout, "canary_reject", "H2", reason, "rejected the canary: it is withdrawn.", cause=Cause.USER)


def _decide(
    actor: Actor, rollout: Rollout, action: str, move_id: str, reason: str, sentence: str, **changes: Any
) -> Rollout:
    require(actor, "canary.decide", rollout)
    reason = checked_reason(reason)
    with transaction.atomic():
        row = _allowed(rollout, action)
        if row.protocol == Protocol.ASM:
            needed, version = (100, "gray") if move_id == "H1" else (0, "original")
            if row.gray_weight != needed:
                raise Conflict(
                    f"The {version} version of rollout {row.number} does not have all the traffic; it has to, first.",
                    component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.trafficSplit",
                )
        rows = Rollout.objects.filter(pk=row.pk)
        if not moves.leave_canary(rows, row, BY_ID[move_id], line=f"{actor.name} {sentence}", **changes):
            raise _refusal(row)
        record(actor=actor, action=f"rollout.{action}", obj=row, before={"state": row.state, "weight": row.gray_weight},
               after={"state": BY_ID[move_id].target}, reason=reason)
        engine.wake(RUN, row.pk)
    return _fresh(rollout)


def advance_canary(*, actor: Actor, rollout: Rollout, seen: int | None = None, reason: str = "") -> Rollout:
    """Go to the next weight of the scenario (H5); returns the rollout as it is then.

    seen: the weight that the person saw, in percent; Conflict when it is another one by now. None: any.
    Raises NotFound, Denied, Invalid (reason too long), Conflict when no canary waits, or when it is at its last weight.
    """
    require(actor, "canary.decide", rollout)
    reason = checked_reason(reason)
    with transaction.atomic():
        row = _allowed(rollout, "advance")
        plan = way_of(row.scenario_copy).canary
        if seen is not None and seen != row.canary.weight:
            raise Conflict(
                f"The canary of rollout {row.number} is at {row.canary.weight} % already.", component="stage",
                message="freeze.stage.stage.error.conflict", code="freeze.stage.weightChanged",
            )
        if row.canary.weight_index + 1 >= len(plan.weights):
            raise Conflict(
                f"{row.canary.weight} % is the last weight of rollout {row.number}. Accept or reject the canary.",
                component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.lastWeight",
            )
        _advance(row, actor.name)
        record(actor=actor, action="rollout.advance", obj=row, before={"weight": row.canary.weight},
               after={"weight": plan.weights[row.canary.weight_index + 1].percent}, reason=reason)
    return _fresh(rollout)


def set_weight(*, actor: Actor, rollout: Rollout, weight: int, reason: str = "") -> Rollout:
    """Set a mesh release's gray weight, 0 to 100 percent (H5); returns the rollout as it is then.

    Raises NotFound, Denied, Invalid (not a whole number from 0 to 100; of blue/green not 0 or 100), Conflict.
    """
    require(actor, "canary.decide", rollout)
    reason = checked_reason(reason)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= 100:
        raise Invalid("The weight is a whole number from 0 to 100.", extra={"field": "weight"})
    with transaction.atomic():
        row = _allowed(rollout, "set_weight")
        if row.strategy == Strategy.BLUE_GREEN and weight not in {0, 100}:
            raise Invalid("A blue/green release has all players on one side: the weight is 0 or 100.",
                          extra={"field": "weight"})
        apply(Rollout.objects.filter(pk=row.pk), BY_ID["H5"], revision=F("revision") + 1)
        RolloutCanary.objects.filter(pk=row.pk).update(weight=weight)
        journal.append(row.pk, row.stage_id, [journal.Line(f"{actor.name} set the weight to {weight} %.")])
        record(actor=actor, action="rollout.set_weight", obj=row, before={"weight": row.canary.weight},
               after={"weight": weight}, reason=reason)
    return _fresh(rollout)


def remake_canary(*, actor: Actor, rollout: Rollout, versions: Mapping[str, str], reason: str = "") -> Rollout:
    """Make a mesh release's gray part anew with other versions of its microservices (H4); the weight becomes 0.

    versions: {microservice: version}. Raises NotFound, Denied, Conflict, Invalid when a microservice is not part of the
    release.
    """
    require(actor, "canary.decide", rollout)
    reason = checked_reason(reason)
    with transaction.atomic():
        row = _allowed(rollout, "release_update")
        refuse_new_versions(row.stage)
        known = set(row.steps.exclude(leg=Leg.UNDO).values_list("microservice", flat=True))
        strange = sorted(set(versions) - known)
        if strange:
            raise Invalid(f"{', '.join(strange)} is not part of this release.", extra={"field": "versions"})
        to_set = ledger.frozen(row.project_id, {**row.to_set.versions, **versions})
        for name, version in versions.items():
            row.steps.filter(microservice=name).exclude(leg=Leg.UNDO).update(new_version=version)
        gray = row.steps.filter(leg=Leg.CANARY)
        done = gray.filter(state=StepState.SUCCEEDED).count()
        for step in gray:  # what was made is remembered, so that it is taken back whatever happens to the new one
            kept = {key: value for key, value in step.memo.items() if key in KEPT}
            row.steps.filter(pk=step.pk).update(
                state=StepState.PENDING, attempt=0, started_at=None, ended_at=None, summary="", memo=kept
            )
        apply(
            Rollout.objects.filter(pk=row.pk), BY_ID["H4"], leg=Leg.CANARY, to_set=to_set, steps_done=F("steps_done") - done,
            revision=F("revision") + 1,
        )
        journal.end_canary(row.pk, weight=0)
        named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        journal.append(row.pk, row.stage_id, [journal.Line(f"{actor.name} makes the gray part anew: {named}.")])
        record(actor=actor, action="rollout.release_update", obj=row, before={"set": row.to_set.number},
               after={"set": to_set.number, "versions": dict(versions)}, reason=reason)
        engine.wake(RUN, row.pk)
    return _fresh(rollout)


def tick(rollout_id: int) -> bool:
    """Do what has come due for one canary; True when it moved or a worker was woken to read its metrics.

    Several hosts may call it for the same canary at the same time.
    """
    with transaction.atomic():
        first = Rollout.objects.only("project_id").filter(pk=rollout_id).first()
        if first is None:
            return False
        ledger.lock(first.project_id)
        row = Rollout.objects.select_related("canary").get(pk=rollout_id)
        canary, now = row.canary, clock_of(row)
        if row.state not in TIMED or canary.wake_at is None or canary.wake_at > now:
            return False
        plan = way_of(row.scenario_copy).canary
        match due(plan, row.state, now, hold_until=canary.hold_until, weight_until=canary.weight_until,
                  weight_index=canary.weight_index):
            case Due.ADVANCE:
                _advance(row, "The scenario")
                return True
            case Due.EXPIRE:
                return _by_clock(row, "H3", "Nobody decided in time: the canary is withdrawn.", cause=Cause.TIMEOUT)
            case Due.ACCEPT:
                return _by_clock(row, "H1", "The last pause is over: everybody gets the new versions.", cause=Cause.SYSTEM)
        return _wake_analysis(row, now)


def _by_clock(row: Rollout, move_id: str, line: str, *, cause: Cause) -> bool:
    if not moves.leave_canary(Rollout.objects.filter(pk=row.pk), row, BY_ID[move_id], line=line, cause=cause):
        return False
    record(actor=SYSTEM, action=f"rollout.{BY_ID[move_id].action}", obj=row, before={"state": row.state},
           after={"state": BY_ID[move_id].target, "cause": cause})
    engine.wake(RUN, row.pk)
    return True


def _wake_analysis(row: Rollout, now: datetime) -> bool:
    """Wake a worker to read the metrics, unless one is at it or was woken just now."""
    if row.state != RolloutState.CANARY_ANALYZING:
        RolloutCanary.objects.filter(pk=row.pk).update(wake_at=row.canary.hold_until)
        return False
    just_now = row.woken_at is not None and row.woken_at > now - timedelta(seconds=WOKEN_S)
    if just_now or (row.lease_until is not None and row.lease_until > now):
        return False
    Rollout.objects.filter(pk=row.pk).update(woken_at=now)
    engine.wake(RUN, row.pk)
    return True


def _advance(row: Rollout, who: str) -> None:
    """Go to the next weight, which there is, from now on; the project is locked. who: the subject of the line of output."""
    plan, now, index = way_of(row.scenario_copy).canary, clock_of(row), row.canary.weight_index + 1
    weight = plan.weights[index]
    until = None if weight.pause_s is None else now + timedelta(seconds=weight.pause_s)
    look = None
    if row.state == RolloutState.CANARY_ANALYZING:
        look = ends_at(plan, row.canary.analysis_began_at, CanaryReport.objects.filter(rollout=row).count() + 1)
    if not Rollout.objects.filter(pk=row.pk, state=row.state).update(revision=F("revision") + 1):
        raise _refusal(row)
    RolloutCanary.objects.filter(pk=row.pk).update(
        weight=weight.percent, weight_index=index, weight_until=until, wake_at=next_wake(until, row.canary.hold_until, look)
    )
    engine.wake_chores()
    journal.append(row.pk, row.stage_id, [
        journal.Line(f"{who} went on to the next weight: {weight.percent} % of the players get the new versions now.")
    ])


def _allowed(rollout: Rollout, action: str) -> Rollout:
    """The rollout as it is now, with the project locked. Raises Conflict when the action is not open in its state."""
    ledger.lock(rollout.project_id)
    row = Rollout.objects.select_related("stage", "to_set", "canary").get(pk=rollout.pk)
    if action not in actions_of(row):
        raise _refusal(row)
    return row


def _refusal(row: Rollout) -> Conflict:
    return Conflict(
        f"Rollout {row.number} {phrase_of(row.state)}; no canary of it waits for that decision.",
        component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.noCanary",
    )


def _fresh(rollout: Rollout) -> Rollout:
    return Rollout.objects.select_related("stage", "canary").get(pk=rollout.pk)
