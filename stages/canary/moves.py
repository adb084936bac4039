"""Moves of a rollout that go on with other steps: the undo of a failure, the start of a canary, the ways out of it.

A worker's moves are fenced by its claim; those of a person or the clock change the row only in the state that they expect.
Callers hold the project's lock (core.ledger) and a transaction where a function does not open its own.
"""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Max, QuerySet

from gs2admin import engine
from gs2admin.transitions import Move, apply
from stages.canary.clocks import next_look, next_wake
from stages.core import journal, ledger
from stages.core.clock import clock_of
from stages.core.scenarios import CanaryPlan, way_of
from stages.models import CanaryReport, Rollout, RolloutCanary, Step
from stages.plan.steps import undo_of
from stages.states import BY_ID, Analysis, Cause, Leg, Protocol, RolloutState, StepState

UNLEASED: dict[str, Any] = {"lease_until": None, "leased_by": "", "woken_at": None}


def add_undo(rollout: Rollout, *, only_leg: str = "") -> int:
    """Append the steps that take back what was begun, and end the steps that have not begun; returns how many were added.

    An undo step runs its original's phase with the versions exchanged; its memo is {"done": the original's memo}.
    only_leg: take back the steps of this leg alone.
    """
    steps = list(Step.objects.filter(rollout=rollout).order_by("position"))
    found = undo_of(steps, strategy=way_of(rollout.scenario_copy).strategy, only_leg=only_leg)
    last = Step.objects.filter(rollout=rollout).aggregate(last=Max("position"))["last"] or 0
    Step.objects.filter(rollout=rollout, state=StepState.PENDING).update(state=StepState.NO_PROGRESS)
    Step.objects.bulk_create(
        Step(
            rollout=rollout, position=last + number, microservice=step.microservice, old_version=step.new_version,
            new_version=step.old_version, target_name=step.target_name, phase=step.phase, kind=step.kind,
            config=step.config, memo={"done": step.memo}, leg=Leg.UNDO, undoes=step,
        )
        for number, step in enumerate(found, start=1)
    )
    Rollout.objects.filter(pk=rollout.pk).update(steps_total=F("steps_total") + len(found))
    return len(found)


def begin_undo(claim: journal.Claim, *, sentence: str, error: str) -> None:
    """Move running -> rolling_back (R3) and add the steps that take everything back. Raises MoveRefused, LeaseLost."""
    with transaction.atomic():
        ledger.lock(claim.project_id)
        if not apply(claim.rows, BY_ID["R3"], error=error, cause=Cause.STEP, leg=Leg.UNDO):
            raise journal.MoveRefused
        RolloutCanary.objects.filter(pk=claim.rollout_id).update(weight=0)
        journal.append_claimed(claim, [journal.Line(sentence)])
        add_undo(Rollout.objects.get(pk=claim.rollout_id))


def begin_withdrawal(claim: journal.Claim, *, sentence: str) -> None:
    """Of a rollout that is being canceled, add the steps that take its gray part back. Raises MoveRefused, LeaseLost."""
    with transaction.atomic():
        ledger.lock(claim.project_id)
        if not claim.rows.filter(state=RolloutState.CANCELING).update(revision=F("revision") + 1):
            journal.raise_moved(claim)
        journal.append_claimed(claim, [journal.Line(sentence)])
        add_undo(Rollout.objects.get(pk=claim.rollout_id), only_leg=Leg.CANARY)


def canary_up(claim: journal.Claim, move_id: str) -> None:
    """Move running -> canary_analyzing (R6) or canary_hold (R7): the first weight counts from now, and the clocks start.

    The worker's lease ends; a person, or the ticker, goes on. Raises MoveRefused, LeaseLost.
    """
    with transaction.atomic():
        ledger.lock(claim.project_id)
        row = Rollout.objects.get(pk=claim.rollout_id)
        plan, now = way_of(row.scenario_copy).canary, clock_of(row)
        # A mesh release begins without players; its weight is set by hand.
        weight, pause = (0, None) if row.protocol == Protocol.ASM else (plan.weights[0].percent, plan.weights[0].pause_s)
        until = _after(now, pause)
        canary: dict[str, Any] = {"weight": weight, "weight_index": 0, "weight_until": until}
        if move_id == "R6":
            canary |= {"analysis_began_at": now, "wake_at": next_wake(until, next_look(plan, now, 0, now))}
        else:
            limit = _after(now, plan.time_limit_s)
            canary |= {"hold_until": limit, "wake_at": next_wake(until, limit)}
        if not apply(claim.rows, BY_ID[move_id], **UNLEASED):
            raise journal.MoveRefused
        RolloutCanary.objects.filter(pk=row.pk).update(**canary)
        journal.append_claimed(claim, [journal.Line(_up_sentence(plan, weight, move_id))])


def _up_sentence(plan: CanaryPlan, weight: int, move_id: str) -> str:
    who = f"{weight} % of the players get the new versions now."
    if move_id == "R6":
        count = f"{len(plan.metrics)} metric{' is' if len(plan.metrics) == 1 else 's are'}"
        return f"The canary is up: {who} {count} looked at {plan.reports} times."
    if plan.analysis == Analysis.NONE:
        return f"The canary is up: {who} It goes on by itself when its pauses are over."
    return f"The canary is up: {who} Somebody has to accept or reject it."


def leave_canary(rows: QuerySet[Rollout], rollout: Rollout, move: Move, *, line: str, **changes: Any) -> bool:
    """End the wait of a canary by one of H1, H2, H3, N1, N2; False when the rollout had another state already.

    rows: the rollout's row; where a worker makes the move, narrowed to its attempt. changes: further columns of the rollout.
    """
    forward = move.target == RolloutState.RUNNING
    if forward:
        changes["leg"] = Leg.FULL
    if not apply(rows, move, **changes, revision=F("revision") + 1):
        return False
    journal.end_canary(rollout.pk, **({} if forward else {"weight": 0}))
    journal.append(rollout.pk, rollout.stage_id, [journal.Line(line)])
    if not forward:
        add_undo(rollout, only_leg=Leg.CANARY)
    return True


def write_report(claim: journal.Claim, number: int, values: dict[str, Any], line: str) -> None:
    """Write the report of one interval with a line of output; a number is written once. Raises LeaseLost."""
    with transaction.atomic():
        journal.append_claimed(claim, [journal.Line(line)])
        CanaryReport.objects.get_or_create(rollout_id=claim.rollout_id, number=number, defaults=values)
        RolloutCanary.objects.filter(pk=claim.rollout_id).update(look=None)


def write_look(claim: journal.Claim, look: dict[str, Any], line: str) -> None:
    """Keep a look that decided nothing, as RolloutCanary.look; with a line of output when its reason is new. Raises LeaseLost."""
    with transaction.atomic():
        before = RolloutCanary.objects.values_list("look", flat=True).get(pk=claim.rollout_id) or {}
        same = (before.get("number"), before.get("why")) == (look["number"], look["why"])
        journal.append_claimed(claim, [] if same else [journal.Line(line)])
        RolloutCanary.objects.filter(pk=claim.rollout_id).update(look=look)


def sleep(claim: journal.Claim, until: datetime) -> None:
    """End the lease, because nothing is to be analyzed before `until`, or before the present weight's pause ends."""
    with transaction.atomic():
        if not claim.rows.filter(state=RolloutState.CANARY_ANALYZING).update(**UNLEASED):
            return
        canary = RolloutCanary.objects.get(pk=claim.rollout_id)
        RolloutCanary.objects.filter(pk=canary.pk).update(wake_at=next_wake(canary.weight_until, until))
        engine.wake_chores()


def _after(now: datetime, seconds: int | None) -> datetime | None:
    return None if seconds is None else now + timedelta(seconds=seconds)
