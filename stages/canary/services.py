"""What people and clocks do with a canary that is up: accept, reject, go to the next weight, set the weight."""
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
from stages.canary import moves as passages
from stages.canary.clocks import due, ends_at, next_wake
from stages.core import journal, ledger
from stages.core.actions import actions_of
from stages.core.clock import clock_of
from stages.core.scenarios import way_of
from stages.core.words import phrase_of
from stages.models import CanaryReport, Rollout
from stages.rollouts.services import RUN
from stages.states import BY_ID, TIMED, RolloutState, StepState


def accept_canary(*, actor: Actor, rollout: Rollout, reason: str = "") -> Rollout:
    """Give the new versions to everybody (H1). Raises NotFound, Denied, Conflict when no canary waits for a decision."""
    return _decide(actor, rollout, "canary_accept", "H1", reason, "accepted the canary: everybody gets the new versions.")


def reject_canary(*, actor: Actor, rollout: Rollout, reason: str = "") -> Rollout:
    """Withdraw the canary (H2): its players go back at once. Raises NotFound, Denied, Conflict."""
    return _decide(actor, rollout, "canary_reject", "H2", reason, "rejected the canary: it is withdrawn.", cause="user")


def _decide(actor: Actor, rollout: Rollout, action: str, move_id: str, reason: str, words: str, **changes: Any) -> Rollout:
    require(actor, "canary.decide", rollout)
    with transaction.atomic():
        now = _held(rollout, action)
        if now.family == "asm":
            needed, version = (100, "gray") if move_id == "H1" else (0, "original")
            if now.gray_weight != needed:
                raise Conflict(
                    f"The {version} version of rollout {now.number} does not have all the traffic; it has to, first.",
                    component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.trafficSplit",
                )
        if not passages.move_on(Rollout.objects.filter(pk=now.pk), now, BY_ID[move_id], line=f"{actor.name} {words}", **changes):
            raise _refused(now)
        record(actor=actor, action=f"rollout.{action}", obj=now, before={"state": now.state, "weight": now.gray_weight},
               after={"state": BY_ID[move_id].target}, reason=reason.strip()[:2000])
        engine.wake(RUN, now.pk)
    return _fresh(rollout)


def advance_canary(*, actor: Actor, rollout: Rollout, seen: int | None = None, reason: str = "") -> Rollout:
    """Go to the next weight of the scenario (H5). seen: the weight that the person saw; another one is refused.

    Raises NotFound, Denied, Conflict when no canary waits, or when it is at its last weight.
    """
    require(actor, "canary.decide", rollout)
    with transaction.atomic():
        now = _held(rollout, "advance")
        plan = way_of(now.scenario_copy).canary
        if seen is not None and seen != now.gray_weight:
            raise Conflict(
                f"The canary of rollout {now.number} is at {now.gray_weight} % already.", component="stage",
                message="freeze.stage.stage.error.conflict", code="freeze.stage.weightChanged",
            )
        if now.weight_index + 1 >= len(plan.weights):
            raise Conflict(
                f"{now.gray_weight} % is the last weight of rollout {now.number}. Accept or reject the canary.",
                component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.lastWeight",
            )
        _advance(now, actor.name)
        record(actor=actor, action="rollout.advance", obj=now, before={"weight": now.gray_weight},
               after={"weight": plan.weights[now.weight_index + 1].percent}, reason=reason.strip()[:2000])
    return _fresh(rollout)


def set_weight(*, actor: Actor, rollout: Rollout, weight: int, reason: str = "") -> Rollout:
    """Set a mesh release's gray weight, 0 to 100 (H5). Raises NotFound, Denied, Invalid, Conflict."""
    require(actor, "canary.decide", rollout)
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= 100:
        raise Invalid("The weight is a whole number from 0 to 100.", extra={"field": "weight"})
    with transaction.atomic():
        now = _held(rollout, "set_weight")
        if now.strategy == "blueGreen" and weight not in {0, 100}:
            raise Invalid("A blue/green release has all players on one side: the weight is 0 or 100.",
                          extra={"field": "weight"})
        apply(Rollout.objects.filter(pk=now.pk), BY_ID["H5"], gray_weight=weight, revision=F("revision") + 1)
        journal.append(now.pk, now.stage_id, [journal.Line(f"{actor.name} set the weight to {weight} %.")])
        record(actor=actor, action="rollout.set_weight", obj=now, before={"weight": now.gray_weight},
               after={"weight": weight}, reason=reason.strip()[:2000])
    return _fresh(rollout)


def remake_canary(*, actor: Actor, rollout: Rollout, versions: Mapping[str, str], reason: str = "") -> Rollout:
    """Make a mesh release's gray part anew with other versions of its microservices (H4); the weight falls to 0.

    Raises NotFound, Denied, Conflict, Invalid when a microservice is not part of the release.
    """
    require(actor, "canary.decide", rollout)
    with transaction.atomic():
        now = _held(rollout, "release_update")
        refuse_new_versions(now.stage)
        known = set(now.steps.exclude(leg="undo").values_list("microservice", flat=True))
        strange = sorted(set(versions) - known)
        if strange:
            raise Invalid(f"{', '.join(strange)} is not part of this release.", extra={"field": "versions"})
        to_set = ledger.frozen(now.project_id, {**now.to_set.versions, **versions})
        for name, version in versions.items():
            now.steps.filter(microservice=name).exclude(leg="undo").update(new_version=version)
        again = now.steps.filter(leg="canary")
        back = again.filter(state=StepState.SUCCEEDED).count()
        again.update(state=StepState.PENDING, attempt=0, started_at=None, ended_at=None, summary="", memo={})
        apply(
            Rollout.objects.filter(pk=now.pk), BY_ID["H4"], leg="canary", gray_weight=0, to_set=to_set,
            steps_done=F("steps_done") - back, revision=F("revision") + 1, **journal.NO_CLOCK,
        )
        said = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        journal.append(now.pk, now.stage_id, [journal.Line(f"{actor.name} makes the gray part anew: {said}.")])
        record(actor=actor, action="rollout.release_update", obj=now, before={"set": now.to_set.number},
               after={"set": to_set.number, "versions": dict(versions)}, reason=reason.strip()[:2000])
        engine.wake(RUN, now.pk)
    return _fresh(rollout)


def tick(rollout_id: int) -> bool:
    """What the clock has brought for one canary; safe to be called on several hosts at once. True when it moved.

    analysis: a worker is woken to look at the metrics.
    """
    with transaction.atomic():
        first = Rollout.objects.only("project_id").filter(pk=rollout_id).first()
        if first is None:
            return False
        ledger.lock(first.project_id)
        row = Rollout.objects.get(pk=rollout_id)
        now = clock_of(row)
        if row.state not in TIMED or row.wake_at is None or row.wake_at > now:
            return False
        plan = way_of(row.scenario_copy).canary
        match due(plan, row.state, now, hold_until=row.hold_until, weight_until=row.weight_until,
                  weight_index=row.weight_index).action:
            case "advance":
                _advance(row, "The scenario")
                return True
            case "canary_expire":
                return _by_clock(row, "H3", "Nobody decided in time: the canary is withdrawn.", cause="timeout")
            case "canary_accept":
                return _by_clock(row, "H1", "The last pause is over: everybody gets the new versions.", cause="system")
        return _wake_judge(row, now)


def _by_clock(row: Rollout, move_id: str, line: str, *, cause: str) -> bool:
    if not passages.move_on(Rollout.objects.filter(pk=row.pk), row, BY_ID[move_id], line=line, cause=cause):
        return False
    record(actor=SYSTEM, action=f"rollout.{BY_ID[move_id].action}", obj=row, before={"state": row.state},
           after={"state": BY_ID[move_id].target, "cause": cause})
    engine.wake(RUN, row.pk)
    return True


def _wake_judge(row: Rollout, now: datetime) -> bool:
    if row.state != RolloutState.CANARY_ANALYZING:
        Rollout.objects.filter(pk=row.pk).update(wake_at=next_wake(*(m for m in (row.hold_until,) if m)))
        return False
    if (row.lease_until and row.lease_until > now) or (row.rung_at and row.rung_at > now - timedelta(seconds=5)):
        return False
    Rollout.objects.filter(pk=row.pk).update(rung_at=now)
    engine.wake(RUN, row.pk)
    return True


def _advance(row: Rollout, who: str) -> None:
    """The next weight, from now; the row is locked and has one."""
    plan, now = way_of(row.scenario_copy).canary, clock_of(row)
    index = row.weight_index + 1
    weight = plan.weights[index]
    until = None if weight.pause_s is None else now + timedelta(seconds=weight.pause_s)
    look = None
    if row.state == RolloutState.CANARY_ANALYZING:
        look = ends_at(plan, row.analysis_began_at, CanaryReport.objects.filter(rollout=row).count() + 1)
    Rollout.objects.filter(pk=row.pk, state=row.state).update(
        gray_weight=weight.percent, weight_index=index, weight_until=until,
        wake_at=next_wake(until, row.hold_until, look), revision=F("revision") + 1,
    )
    journal.append(row.pk, row.stage_id, [
        journal.Line(f"{who} went on to the next weight: {weight.percent} % of the players get the new versions now.")
    ])


def _held(rollout: Rollout, action: str) -> Rollout:
    """The rollout under the project's lock, if this action may be done now. Raises Conflict."""
    ledger.lock(rollout.project_id)
    now = Rollout.objects.select_related("stage", "to_set").get(pk=rollout.pk)
    if action not in actions_of(now):
        raise _refused(now)
    return now


def _refused(now: Rollout) -> Conflict:
    return Conflict(
        f"Rollout {now.number} {phrase_of(now.state)}; no canary of it waits for that decision.",
        component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.noCanary",
    )


def _fresh(rollout: Rollout) -> Rollout:
    return Rollout.objects.select_related("stage").get(pk=rollout.pk)


