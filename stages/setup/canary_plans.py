"""Checks the canary plan of a scenario; each refusal names its field."""
from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gs2admin.errors import Invalid
from stages.core.scenarios import ONE, WORST, CanaryPlan, Metric, Weight, stored
from stages.states import Analysis
from stages.steps.urls import parse

DAY_S = 86_400
NUMBERS = {  # field: (lowest, highest, what it is)
    "delay_s": (0, DAY_S, "The delay"),
    "duration_s": (1, 7 * DAY_S, "The duration"),
    "interval_s": (1, DAY_S, "The interval"),
    "step_s": (1, 3600, "The resolution"),
    "pass_score": (1, 100, "The score that passes"),
    "least_percent": (0, 100, "The share of values that is needed"),
}


def refuse(field: str, sentence: str) -> Invalid:
    """A refusal that a form shows beside its field."""
    return Invalid(sentence, component="scenario", message="freeze.scenario.canary.error.invalid", extra={"field": field})


def check_plan(given: Mapping[str, Any]) -> dict[str, Any]:
    """The plan as it is stored (scenarios.stored), with its defaults. Raises Invalid."""
    plain = CanaryPlan()
    unknown = sorted(set(given) - set(CanaryPlan.__dataclass_fields__))
    if unknown:
        raise refuse(unknown[0], f"A canary plan has no {', '.join(unknown)}.")
    analysis = given.get("analysis", plain.analysis)
    if analysis not in Analysis.values:
        raise refuse("analysis", f"The analysis is one of {', '.join(Analysis.values)}.")
    numbers = {name: _number(given.get(name, getattr(plain, name)), name) for name in NUMBERS}
    weights = _weights(given["weights"]) if "weights" in given else plain.weights
    limit = given.get("time_limit_s")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= 30 * DAY_S):
        raise refuse("time_limit_s", "The time limit is from 1 second to 30 days, or empty for none.")
    if analysis == Analysis.NONE and any(weight.pause_s is None for weight in weights):
        raise refuse("weights", "Without an analysis each weight needs a pause, or the canary would never go on.")
    # Stored also while a person decides, so that a later change to metrics finds them again.
    decide = analysis == Analysis.AUTO
    url = _url(given.get("url")) if decide or given.get("url") else ""
    metrics = _metrics(given.get("metrics")) if decide or given.get("metrics") else ()
    if decide and numbers["duration_s"] // numbers["interval_s"] > 500:
        raise refuse("interval_s", "That makes more than 500 reports; choose a longer interval.")
    return stored(CanaryPlan(weights=weights, analysis=analysis, time_limit_s=limit, url=url, metrics=metrics, **numbers))


def _number(value: Any, name: str) -> int:
    low, high, what = NUMBERS[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise refuse(name, f"{what} is a whole number from {low} to {high}.")
    return value


def _weights(given: Any) -> tuple[Weight, ...]:
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= 20:
        raise refuse("weights", "Give 1 to 20 weights, such as 5, 20, 50.")
    found = []
    for each in given:
        percent, pause = each.get("percent"), each.get("pause_s")
        if isinstance(percent, bool) or not isinstance(percent, int) or not 1 <= percent <= 100:
            raise refuse("weights", "A weight is a whole number from 1 to 100 percent.")
        if pause is not None and (isinstance(pause, bool) or not isinstance(pause, int) or not 1 <= pause <= 7 * DAY_S):
            raise refuse("weights", "A pause is from 1 second to 7 days, or nothing: then somebody has to go on.")
        if found and percent <= found[-1].percent:
            raise refuse("weights", "Each weight is higher than the one before: players who have the new version keep it.")
        found.append(Weight(percent, pause))
    return tuple(found)


def _url(given: Any) -> str:
    text = str(given or "").strip()
    try:
        parse(f"{text.rstrip('/')}/api/v1/query_range")
    except ValueError as error:
        raise refuse("url", f"Where the metrics are: {error}") from None
    return text


def _metrics(given: Any) -> tuple[Metric, ...]:
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= 10:
        raise refuse("metrics", "Metrics that decide are 1 to 10 queries.")
    return tuple(check_metric(each, f"Metric {number}") for number, each in enumerate(given, start=1))


def check_metric(given: Mapping[str, Any], what: str = "A metric") -> Metric:
    """One metric. Raises Invalid with the part that is wrong in extra["part"], so that a form shows it beside that."""
    try:
        metric = Metric(**given)
    except TypeError:
        raise refuse("metrics", "A metric has name, query, threshold, better, base, weight and series.") from None
    name = str(metric.name).strip()
    if not name or len(name) > 100:
        raise _wrong("name", f"{what} needs a name of at most 100 characters.")
    if not str(metric.query).strip() or len(metric.query) > 1000:
        raise _wrong("query", f"{what} needs a query of at most 1,000 characters.")
    if len(metric.base) > 1000:
        raise _wrong("base", f"{name}: what it is compared with has at most 1,000 characters.")
    if metric.better not in {"lower", "higher"}:
        raise _wrong("better", f"{name}: better is lower or higher.")
    number = metric.threshold
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise _wrong("threshold", f"{name}: the threshold is a number.")
    if isinstance(metric.weight, bool) or not isinstance(metric.weight, int) or not 1 <= metric.weight <= 100:
        raise _wrong("weight", f"{name}: its weight is a whole number from 1 to 100.")
    if metric.series not in (ONE, WORST):
        raise _wrong("series", f"{name}: series is one or worst.")
    return metric


def _wrong(part: str, sentence: str) -> Invalid:
    refusal = refuse("metrics", sentence)
    refusal.extra["part"] = part
    return refusal
