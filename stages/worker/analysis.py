"""The analysis of an automatic canary: one report per interval, then the move that the score decides."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction

from stages.canary import moves
from stages.canary.clocks import ends_at, last_call, verdict
from stages.core import ledger
from stages.core.clock import clock_of
from stages.core.journal import Claim, MoveRefused
from stages.core.scenarios import CanaryPlan, way_of
from stages.models import CanaryReport, Rollout
from stages.states import BY_ID, Cause, RolloutState
from stages.worker import metrics
from stages.worker.context import Watch, patiently

# Missing data is requested again after so long, at most an interval. s.
AGAIN_S = 10


def analyze(claim: Claim, rollout: Rollout) -> str:
    """Make each report that is due and move the rollout when its score is decided; else give up the lease until the next.

    rollout: with its canary. A report is written only when every metric of it has data. Returns a sentence when the metrics
    cannot be read, which ends the rollout as errored (N4), else "". Raises MoveRefused when somebody canceled meanwhile,
    LeaseLost.
    """
    plan, began = way_of(rollout.scenario_copy).canary, rollout.canary.analysis_began_at
    tick = _tick_of(claim)
    while True:
        reports = dict(CanaryReport.objects.filter(rollout=rollout).order_by("number").values_list("number", "score"))
        scores = list(reports.values())
        end = verdict(plan, scores)
        if end is not None:
            summary = f"The canary's score is {end.score:g}, {plan.pass_score} is needed"
            if end.passed:
                _move(claim, rollout, "N1", f"{summary}: everybody gets the new versions.", cause=Cause.SCORE)
            else:
                _withdraw(claim, rollout, f"{summary}.", cause=Cause.SCORE)
            return ""
        # The first one that is missing: a number that is there is not written again.
        number = next(number for number in range(1, len(reports) + 2) if number not in reports)
        first = ends_at(plan, began, number - 1) if number > 1 else began + timedelta(seconds=plan.delay_s)
        last, now = ends_at(plan, began, number), clock_of(rollout)
        if now < last:
            moves.sleep(claim, last)
            return ""
        found = metrics.measure(plan, first, last, tick)
        if found.unreadable or found.missing:
            _undecided(claim, plan, number, found, now)
        if found.unreadable:
            return f"The metrics can not be read: {found.unreadable}."
        if found.missing:
            if now >= last_call(plan, began):
                missing = f"The data of report {number} of {plan.reports} is missing: {found.missing}."
                _withdraw(claim, rollout, missing, cause=Cause.TIMEOUT)
            else:
                moves.sleep(claim, now + timedelta(seconds=min(AGAIN_S, plan.interval_s)))
            return ""
        _report(claim, plan, number, found, first, last)


def _report(claim: Claim, plan: CanaryPlan, number: int, found: metrics.Look, first: datetime, last: datetime) -> None:
    bad = ", ".join(each["name"] for each in found.metrics if not each["passed"])
    values = {
        "began_at": first, "ended_at": last, "passed": found.passed, "score": found.score,
        "pass_score": plan.pass_score, "step_s": plan.step_s, "metrics": found.metrics,
    }
    line = f"Report {number} of {plan.reports}: score {found.score:g}" + (f"; not good: {bad}." if bad else ".")
    patiently(lambda: moves.write_report(claim, number, values, line))


def _undecided(claim: Claim, plan: CanaryPlan, number: int, found: metrics.Look, now: datetime) -> None:
    """Keep what was answered, and say once why the report is not made."""
    why = found.unreadable or found.missing
    look = {"number": number, "at": now.isoformat(), "why": why, "metrics": found.metrics}
    line = f"Report {number} of {plan.reports} is not made yet: {why}."
    patiently(lambda: moves.write_look(claim, look, line))


def _withdraw(claim: Claim, rollout: Rollout, why: str, *, cause: str) -> None:
    _move(claim, rollout, "N2", f"{why} The canary is withdrawn.", cause=cause, error=why)


def _move(claim: Claim, rollout: Rollout, move_id: str, line: str, **changes: str) -> None:
    with transaction.atomic():
        ledger.lock(claim.project_id)
        if not moves.leave_canary(claim.rows, rollout, BY_ID[move_id], line=line, **changes):
            raise MoveRefused


def _tick_of(claim: Claim) -> Callable[[], None]:
    """What metrics.measure calls while it waits: renews the lease. Raises MoveRefused on a cancel, LeaseLost."""
    watch = Watch(claim)

    def tick() -> None:
        if watch.look() not in {None, RolloutState.CANARY_ANALYZING}:
            raise MoveRefused

    return tick
