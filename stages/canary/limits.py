"""Whether the values of a metric are within its limit: functions of their arguments alone.

The average of a series over the interval decides. An infinite value on the bad side (+Inf where lower is better) is worse
than any limit, so it decides alone. One on the good side hides nothing: the finite values decide, and where there are none it
is within every limit.
"""
from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages.canary.answers import Answer, Missing, Series
from stages.core.scenarios import Metric

# JSON has no infinity: a report holds the largest number instead, and pages show it as +Inf.
_LARGEST = sys.float_info.max


@dataclass(frozen=True)
class Summary:
    """The values of one series over one interval; avg is what decides."""

    count: int
    avg: float
    max: float
    min: float

    @property
    def stored(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"count": self.count, "avg": _finite(self.avg), "max": _finite(self.max), "min": _finite(self.min)}


def summary(values: Sequence[float], better: str) -> Summary:
    """The summary of at least one value, none of them NaN. better: "lower" or "higher"."""
    bad = _worst(better)
    finite = [value for value in values if math.isfinite(value)]
    avg = bad if bad in values else _mean(finite) if finite else -bad
    return Summary(len(values), avg, max(values), min(values))


def compare(metric: Metric, canary: Answer, base: Answer | None) -> dict[str, Any]:
    """How the metric did, as in CanaryReport.metrics without its id: every series of the canary, against every one of the base.

    The worst of all counts. Raises Missing when the base has no finite average, because nothing can be compared with it.
    """
    found = []
    for series in canary.series:
        new = summary(series.values, metric.better)
        hopeless = new.avg == _worst(metric.better)
        olds = [None] if base is None else [_old(each, metric.better, infinite=hopeless) for each in base.series]
        for old in olds:
            deviation = 0.0 if old is None else _deviation(new.avg, old.avg)
            excess = math.inf if hopeless else _excess(metric, new.avg, deviation, compared=old is not None)
            found.append((excess, series, new, old, deviation))
    excess, series, new, old, deviation = max(found, key=lambda each: each[0])
    return {
        "name": metric.name, "weight": metric.weight, "passed": excess <= 0, "value": _finite(new.avg),
        "threshold": metric.threshold, "better": metric.better, "deviation": _finite(round(deviation, 2)),
        "base": old.stored if old else None, "canary": new.stored, "series": len(canary.series),
        "base_series": len(base.series) if base else 0, "several": metric.series, "worst": series.labels,
        "remarks": [*canary.remarks, *(base.remarks if base else ())],
    }


def _worst(better: str) -> float:
    return math.inf if better == "lower" else -math.inf


def _old(series: Series, better: str, *, infinite: bool) -> Summary:
    """The summary of a series of the base. infinite: it may hold an infinite value, because the canary is the worst anyway."""
    beyond = next((value for value in series.values if math.isinf(value)), None)
    if beyond is not None and not infinite:
        sign = "+" if beyond > 0 else "-"
        raise Missing(f"what it is compared with is {sign}Inf at times, so nothing can be compared with it")
    return summary(series.values, better)


def _deviation(new: float, old: float) -> float:
    """By how many percent the new average is higher than the old one; of nothing every difference is infinitely many."""
    if new == old:
        return 0.0
    if not old or not math.isfinite(old):
        return math.copysign(math.inf, new)
    difference = new - old
    return 100 * (difference / abs(old)) if math.isfinite(difference) else difference


def _excess(metric: Metric, value: float, deviation: float, *, compared: bool) -> float:
    """How far the value is beyond the limit; 0 or less is within it. An equal value is within it in spite of rounding."""
    measured = deviation if compared else value
    # With a base the threshold is how many percent worse the value may be, whichever side is the good one.
    limit = -metric.threshold if compared and metric.better == "higher" else metric.threshold
    if math.isfinite(measured) and math.isclose(measured, limit, rel_tol=1e-9):
        return 0.0
    return measured - limit if metric.better == "lower" else limit - measured


def _mean(values: Sequence[float]) -> float:
    """The mean, between the smallest and the largest value whatever is rounded."""
    try:
        found = math.fsum(values) / len(values)
    except OverflowError:
        found = math.fsum(value / len(values) for value in values)
    return min(max(found, min(values)), max(values))


def _finite(value: float) -> float:
    return min(max(value, -_LARGEST), _LARGEST)
