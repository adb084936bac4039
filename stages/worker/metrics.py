"""Reads the values of queries over an interval from a Prometheus-compatible server. The address rules are those of http steps.

The server's API: GET {url}/api/v1/query_range?query&start&end&step, answered with {"status", "data": {"resultType":
"matrix", "result": [{"metric", "values": [[seconds, "text"], …]}]}} (prometheus.io, HTTP API).
"""
from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from stages.core.scenarios import CanaryPlan, Metric
from stages.steps import exchange
from stages.steps.text import clean_line, shortened
from stages.steps.urls import Url, parse

TURN_S = 0.1
REQUEST_S = 10.0
TRIES = 3
PAUSE_S = 1.0


class Unreachable(Exception):
    """The metrics cannot be read at all; str() is the end of a sentence."""


@dataclass(frozen=True)
class Series:
    """The values of one query over one interval."""

    count: int
    avg: float
    max: float
    min: float


def measure(plan: CanaryPlan, began: datetime, ended: datetime, tick: Callable[[], None]) -> dict[str, Any] | None:
    """The result of the metrics for one interval; None while one of them has no data.

    Returns {"score": 0 to 100, "passed": bool, "metrics": as in models.CanaryReport}. tick is called several times a second
    while it waits, and may raise. Raises Unreachable after TRIES.
    """
    found = []
    for number, metric in enumerate(plan.metrics, start=1):
        canary = _series(plan, metric.query, began, ended, tick)
        base = _series(plan, metric.base, began, ended, tick) if metric.base else None
        if canary is None or (metric.base and base is None):
            return None
        found.append(_compared(number, metric, canary, base))
    total = sum(each["weight"] for each in found) or 1
    score = round(100 * sum(each["weight"] for each in found if each["passed"]) / total, 1)
    return {"score": score, "passed": score >= plan.pass_score, "metrics": found}


def _compared(number: int, metric: Metric, canary: Series, base: Series | None) -> dict[str, Any]:
    deviation = 0.0
    if base is not None:
        deviation = 0.0 if canary.avg == base.avg else 100.0 if not base.avg else 100 * (canary.avg - base.avg) / abs(base.avg)
        worse = deviation if metric.better == "lower" else -deviation
        passed = worse <= metric.threshold
    else:
        passed = canary.avg <= metric.threshold if metric.better == "lower" else canary.avg >= metric.threshold
    return {
        "id": number, "name": metric.name, "weight": metric.weight, "passed": passed, "value": canary.avg,
        "threshold": metric.threshold, "better": metric.better, "deviation": round(deviation, 2),
        "base": vars(base) if base else None, "canary": vars(canary),
    }


def _series(plan: CanaryPlan, query: str, began: datetime, ended: datetime, tick: Callable[[], None]) -> Series | None:
    words = {"query": query, "start": f"{began.timestamp():.3f}", "end": f"{ended.timestamp():.3f}", "step": str(plan.step_s)}
    try:
        url = parse(f"{plan.url.rstrip('/')}/api/v1/query_range?{urlencode(words)}")
    except ValueError as error:
        raise Unreachable(str(error)) from None
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            _wait(PAUSE_S, tick)
        try:
            return _read(_ask(url, tick))
        except Unreachable as error:
            problem = str(error)
    raise Unreachable(problem)


def _ask(url: Url, tick: Callable[[], None]) -> bytes:
    call = exchange.Exchange(
        "GET", url, headers={"Accept": "application/json", "User-Agent": "gs2admin", "Connection": "close"}, body=b"",
        allow=settings.STEP_HTTP_ALLOW, timeout_s=REQUEST_S,
    )
    try:
        while not call.wait(TURN_S) and time.monotonic() - call.began < REQUEST_S:
            tick()
    finally:
        call.abort()
    answer = call.answer
    if answer is None:
        why = exchange.explain(call.error, url) if call.error else f"no answer within {REQUEST_S:g} s"
        raise Unreachable(f"{url.shown}: {clean_line(why)}")
    if answer.status != 200:
        text = shortened(clean_line(answer.body), 300)
        raise Unreachable(f"{url.shown} answered {answer.status}{': ' + text if text else ''}")
    if not answer.complete or len(answer.body) >= exchange.MAX_BODY_BYTES:
        raise Unreachable(f"{url.shown} answered too much or not to the end; aggregate the query, such as with sum()")
    return answer.body


def _read(body: bytes) -> Series | None:
    try:
        data = json.loads(body)
        if data["status"] != "success" or data["data"]["resultType"] != "matrix":
            raise ValueError
        texts = [pair[1] for series in data["data"]["result"] for pair in series["values"]]
        values = [value for value in map(float, texts) if math.isfinite(value)]
    except (ValueError, KeyError, TypeError, IndexError):
        raise Unreachable("what came back is not the answer of a Prometheus query") from None
    if not values:
        return None
    return Series(len(values), sum(values) / len(values), max(values), min(values))


def _wait(seconds: float, tick: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        tick()
        time.sleep(min(TURN_S, left))
