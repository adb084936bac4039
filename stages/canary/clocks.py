"""When something is due for a canary, and what its reports add up to: functions of their arguments alone."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from stages.core.scenarios import CanaryPlan
from stages.states import Analysis, RolloutState


def next_wake(*moments: datetime | None) -> datetime | None:
    """The earliest of the moments; None when there is none."""
    return min((moment for moment in moments if moment is not None), default=None)


def ends_at(plan: CanaryPlan, began: datetime, number: int) -> datetime:
    """The end of the interval with this number, from 1; the last one ends with the analysis.

    began: RolloutCanary.analysis_began_at.
    """
    return began + timedelta(seconds=plan.delay_s + min(number * plan.interval_s, max(plan.duration_s, plan.interval_s)))


def next_look(plan: CanaryPlan, began: datetime, reports: int, now: datetime) -> datetime:
    """When the next report can be made, `now` at the earliest; reports: how many there are."""
    return max(now, ends_at(plan, began, reports + 1))


def last_call(plan: CanaryPlan, began: datetime) -> datetime:
    """Until when missing data is waited for: metrics arrive late, so one interval longer than the analysis, at most a minute."""
    return ends_at(plan, began, plan.reports) + timedelta(seconds=min(60, plan.interval_s))


@dataclass(frozen=True)
class Verdict:
    """The result of an analysis. score: 0 to 100."""

    passed: bool
    score: float


def verdict(plan: CanaryPlan, scores: Sequence[float]) -> Verdict | None:
    """The result that the reports so far give; None while it is open.

    scores: one per report, 0 to 100. It fails before the last report when even 100 for each of the rest would not reach
    the score that passes, so that players have bad versions for a shorter time.
    """
    total = sum(scores)
    left = plan.reports - len(scores)
    if left <= 0:
        mean = total / len(scores)
        return Verdict(_reaches(plan, mean), mean)
    best = (total + 100 * left) / plan.reports
    return None if _reaches(plan, best) else Verdict(False, best)


def _reaches(plan: CanaryPlan, score: float) -> bool:
    """Unrounded, because 79.96 is not 80; the rest is what adding up leaves."""
    return score >= plan.pass_score - 1e-9


class Due(StrEnum):
    """What is to be done with a canary now: withdraw it, go to the next weight, accept it, or look at it again."""

    EXPIRE = "canary_expire"
    ADVANCE = "advance"
    ACCEPT = "canary_accept"
    LOOK = "look"


def due(
    plan: CanaryPlan, state: str, now: datetime, *, hold_until: datetime | None, weight_until: datetime | None, weight_index: int
) -> Due:
    """The one thing to do now; called again, it names the next one.

    state: of the rollout. The times and weight_index are those of RolloutCanary. A time limit comes before everything
    else. Where nobody decides (Analysis.NONE), the end of the last pause accepts.
    """
    if hold_until is not None and hold_until <= now:
        return Due.EXPIRE
    if weight_until is not None and weight_until <= now:
        if weight_index + 1 < len(plan.weights):
            return Due.ADVANCE
        if state == RolloutState.CANARY_HOLD and plan.analysis == Analysis.NONE:
            return Due.ACCEPT
    return Due.LOOK
