"""Moves of a rollout that go on with other steps: the undo of a failure, the canary that is up, what its metrics said.

Fenced by the claim where a worker makes them, conditional where a person or the clock does; callers hold the
project's lock (services.ledger) and a transaction.
"""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Max

from gs2admin.transitions import Move, apply
from stages.canary.clocks import next_look, next_wake
from stages.core import journal, ledger
from stages.core.clock import clock_of
from stages.core.scenarios import CanaryPlan, way_of
from stages.models import CanaryReport, Rollout, Step
from stages.plan.steps import undo_of
from stages.states import BY_ID, StepState

UNLEASED: dict[str, Any] = {"lease_until": None, "leased_by": "", "rung_at": None}


def add_undo(rollout: Rollout, *, only_leg: str = "") -> int:
    """Append the steps that take back what was begun, and put what has not begun aside; returns how many were added.

    An undo step runs its original's phase with the versions exchanged, and is told what that one remembered.
    """
    steps = list(Step.objects.filter(rollout=rollout).order_by("position"))
    found = undo_of(steps, strategy=way_of(rollout.scenario_copy).strategy, only_leg=only_leg)
    last = Step.objects.filter(rollout=rollout).aggregate(last=Max("position"))["last"] or 0
    Step.objects.filter(rollout=rollout, state=StepState.PENDING).update(state=StepState.NO_PROGRESS)
    Step.objects.bulk_create(
        Step(
            rollout=rollout, position=last + number, microservice=step.microservice, old_version=step.new_version,
            new_version=step.old_version, target_name=step.target_name, phase=step.phase, kind=step.kind,
            config=step.config, memo={"done": step.memo}, leg="undo", undoes=step,
        )
        for number, step in enumerate(found, start=1)
    )
    Rollout.objects.filter(pk=rollout.pk).update(steps_total=F("steps_total") + len(found))
    return len(found)


def begin_undo(claim: journal.Claim, *, sentence: str, error: str) -> None:
    """running -> rolling_back (R3) with the steps that take everything back."""
    with transaction.atomic():
        ledger.lock(claim.project_id)
        if not apply(claim.rows, BY_ID["R3"], error=error, cause="step", gray_weight=0, leg="undo"):
            raise journal.MoveRefused
        journal.append(claim.rollout_id, claim.stage_id, [journal.Line(sentence)], attempt=claim.attempt)
        add_undo(Rollout.objects.get(pk=claim.rollout_id))


def canary_up(claim: journal.Claim, move_id: str) -> None:
    """running -> canary_analyzing (R6) or canary_hold (R7): the first weight counts from now, and the clocks start.

    The worker lets go: a person, or the ticker, goes on.
    """
    with transaction.atomic():
        ledger.lock(claim.project_id)
        row = Rollout.objects.get(pk=claim.rollout_id)
        plan, now = way_of(row.scenario_copy).canary, clock_of(row)
        # A mesh release begins without players; its weight is set by hand.
        weight, pause = (0, None) if row.family == "asm" else (plan.weights[0].percent, plan.weights[0].pause_s)
        changes: dict[str, Any] = {"gray_weight": weight, "weight_index": 0, "weight_until": _after(now, pause)}
        if move_id == "R6":
            changes |= {"analysis_began_at": now, "wake_at": next_wake(changes["weight_until"], next_look(plan, now, 0, now))}
        else:
            changes["hold_until"] = _after(now, plan.time_limit_s)
            changes["wake_at"] = next_wake(changes["weight_until"], changes["hold_until"])
        if not apply(claim.rows, BY_ID[move_id], **changes, **UNLEASED):
            raise journal.MoveRefused
        line = journal.Line(_up_sentence(row, plan, weight, move_id))
        journal.append(claim.rollout_id, claim.stage_id, [line], attempt=claim.attempt)


def _up_sentence(row: Rollout, plan: CanaryPlan, weight: int, move_id: str) -> str:
    who = f"{weight} % of the players get the new versions now."
    if move_id == "R6":
        count = f"{len(plan.metrics)} metric{' is' if len(plan.metrics) == 1 else 's are'}"
        return f"The canary is up: {who} {count} looked at {plan.reports} times."
    if row.analysis == "none":
        return f"The canary is up: {who} It goes on by itself when its pauses are over."
    return f"The canary is up: {who} Somebody has to accept or reject it."


def move_on(rows, rollout: Rollout, move: Move, *, line: str, **changes: Any) -> bool:
    """Leave the canary (accept, reject, the clock, the metrics): H1, H2, H3, N1, N2. False when it had moved already.

    rows: a queryset narrowed to the rollout, and to the attempt where a worker makes the move.
    """
    values: dict[str, Any] = {**journal.NO_CLOCK, **changes, "revision": F("revision") + 1}
    if move.target == "running":
        values["leg"] = "full"
    else:
        values["gray_weight"] = 0
    if not apply(rows, move, **values):
        return False
    journal.append(rollout.pk, rollout.stage_id, [journal.Line(line)])
    if move.target == "canary_rejecting":
        add_undo(rollout, only_leg="canary")
    return True


def report(claim: journal.Claim, number: int, values: dict[str, Any], line: str) -> None:
    """Write one interval's report; the same number is not written twice."""
    with transaction.atomic():
        journal.write(claim, [journal.Line(line)])
        CanaryReport.objects.get_or_create(rollout_id=claim.rollout_id, number=number, defaults=values)


def sleep(claim: journal.Claim, until: datetime) -> None:
    """Nothing to judge before `until`, or the end of the present weight's pause: let go until then."""
    row = claim.rows.only("weight_until").first()
    if row is not None:
        claim.rows.filter(state="canary_analyzing").update(wake_at=next_wake(row.weight_until, until), **UNLEASED)


def _after(now: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)


