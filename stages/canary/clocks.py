"""When a canary's clocks ring, and what its reports add up to: pure, tested as tables."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stages.core.scenarios import CanaryPlan
from stages.models.scenarios import Analysis


def next_wake(*moments: datetime | None) -> datetime | None:
    """The earliest of what is due; None when nothing is."""
    return min((moment for moment in moments if moment is not None), default=None)


def ends_at(plan: CanaryPlan, began: datetime, number: int) -> datetime:
    """When the interval with this number, from 1, is over; the last ends with the analysis."""
    return began + timedelta(seconds=plan.delay_s + min(number * plan.interval_s, max(plan.duration_s, plan.interval_s)))


def next_look(plan: CanaryPlan, began: datetime, reports: int, now: datetime) -> datetime:
    """When the next report can be made: `reports` are there already."""
    return max(now, ends_at(plan, began, reports + 1))


def last_call(plan: CanaryPlan, began: datetime) -> datetime:
    """When missing data is no longer waited for: metrics arrive a little late, so one more interval, at most a minute."""
    return ends_at(plan, began, plan.reports) + timedelta(seconds=min(60, plan.interval_s))


@dataclass(frozen=True)
class Verdict:
    """The end of an analysis: passed by the score, failed by it."""

    passed: bool
    score: float


def verdict(plan: CanaryPlan, scores: Sequence[float]) -> Verdict | None:
    """What the reports so far say: None while the end is open.

    It fails early when even full marks from now on would not reach the score: every minute less for bad versions.
    """
    total = sum(scores)
    left = plan.reports - len(scores)
    if left <= 0:
        mean = total / len(scores)
        return Verdict(mean >= plan.pass_score, round(mean, 1))
    best = (total + 100 * left) / plan.reports
    return Verdict(False, round(best, 1)) if best < plan.pass_score else None


@dataclass(frozen=True)
class Due:
    """What the clock has brought. action: canary_expire, advance, canary_accept or look."""

    action: str


def due(
    plan: CanaryPlan, state: str, now: datetime, *, hold_until: datetime | None, weight_until: datetime | None, weight_index: int
) -> Due:
    """The one thing to do now; the next look finds the next one.

    A time limit beats everything. Where nobody judges (analysis none), the end of the last pause accepts.
    """
    if hold_until is not None and hold_until <= now:
        return Due("canary_expire")
    if weight_until is not None and weight_until <= now:
        if weight_index + 1 < len(plan.weights):
            return Due("advance")
        if state == "canary_hold" and plan.analysis == Analysis.NONE:
            return Due("canary_accept")
    return Due("look")
