"""Asks a Prometheus-compatible server for the values of queries over an interval. The address rules are those of http steps."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from stages.canary.answers import Answer, Missing, Unreadable, error_of, read
from stages.canary.limits import compare
from stages.core.scenarios import WORST, CanaryPlan, Metric
from stages.steps import exchange
from stages.steps.text import clean_line, shortened
from stages.steps.urls import Url, parse

TURN_S = 0.1
REQUEST_S = 10.0
TRIES = 3
PAUSE_S = 1.0
# So much of the answers of one look is kept, and of one answer at most a quarter of it. Bytes.
KEPT_BYTES = 16 * 1024


@dataclass
class Look:
    """What one look at the metrics of an interval gave.

    metrics: as in CanaryReport.metrics; one without a result has {"id", "name", "raw", "problem"} alone. raw: the answers as
    they came, {"canary": text, "base": text}. missing, unreadable: why nothing was decided, as a sentence without its full
    stop; "" where it does not apply. score: 0 to 100; it counts where both are empty.
    """

    metrics: list[dict[str, Any]] = field(default_factory=list)
    missing: str = ""
    unreadable: str = ""
    score: float = 0.0
    passed: bool = False


def measure(plan: CanaryPlan, began: datetime, ended: datetime, tick: Callable[[], None]) -> Look:
    """Look at all metrics over one interval; the first one that cannot be read ends it.

    tick is called several times a second while it waits, and may raise.
    """
    look, missing = Look(), []
    for number, metric in enumerate(plan.metrics, start=1):
        asking = _Asking(plan, metric, began, ended, tick)
        found: dict[str, Any] = {"id": number, "name": metric.name}
        try:
            found |= asking.result()
        except Missing as problem:
            found["problem"] = str(problem)
            missing.append(f"{metric.name}: {problem}")
        except Unreadable as problem:
            found["problem"] = str(problem)
            look.unreadable = f"{metric.name}: {problem}"
        look.metrics.append(found | {"raw": asking.raw})
        if look.unreadable:
            return look
    look.missing = "; ".join(missing)
    if not missing:
        total = sum(each["weight"] for each in look.metrics)
        look.score = 100 * sum(each["weight"] for each in look.metrics if each["passed"]) / total
        look.passed = look.score >= plan.pass_score
    return look


class _Asking:
    """The questions about one metric. raw fills up with the answers as they came."""

    def __init__(self, plan: CanaryPlan, metric: Metric, began: datetime, ended: datetime, tick: Callable[[], None]) -> None:
        self._plan, self._metric, self._tick = plan, metric, tick
        self._times = {"start": f"{began.timestamp():.3f}", "end": f"{ended.timestamp():.3f}", "step": str(plan.step_s)}
        self._expected = int((ended - began).total_seconds() // plan.step_s) + 1
        questions = sum(1 + bool(each.base) for each in plan.metrics)
        self._kept = min(KEPT_BYTES // 4, KEPT_BYTES // questions)
        self.raw: dict[str, str] = {}

    def result(self) -> dict[str, Any]:
        """As limits.compare. Raises Missing, Unreadable."""
        problem: Missing | None = None
        answers: list[Answer | None] = []
        for side, query in (("canary", self._metric.query), ("base", self._metric.base)):
            try:
                answers.append(self._answer(side, query) if query else None)
            except Missing as found:  # the other side is asked all the same, so that people see both
                problem = problem or (found if side == "canary" else Missing(f"of what it is compared with, {found}"))
            except Unreadable as found:
                raise (found if side == "canary" else Unreadable(f"of what it is compared with, {found}")) from None
        if problem is not None:
            raise problem
        return compare(self._metric, *answers) | {"expected": self._expected}

    def _answer(self, side: str, query: str) -> Answer:
        try:
            url = parse(f"{self._plan.url.rstrip('/')}/api/v1/query_range?{urlencode({'query': query, **self._times})}")
        except ValueError as error:
            raise Unreadable(str(error).rstrip(".")) from None
        problem = Unreadable("")
        for attempt in range(TRIES):
            if attempt:
                _wait(PAUSE_S, self._tick)
            try:
                return self._enough(read(self._body(side, url), several=self._metric.series == WORST))
            except Unreadable as error:
                problem = error
        raise problem

    def _enough(self, answer: Answer) -> Answer:
        least = self._plan.least_percent
        for series in answer.series:
            count = len(series.values)
            if 100 * count < least * self._expected:
                where = f" of {series.labels}" if series.labels else ""
                raise Missing(f"only {count} of {self._expected} values{where} are there, and {least} % are needed")
        return answer

    def _body(self, side: str, url: Url) -> bytes:
        """The body of the answer, which is kept as raw. Raises Unreadable when there is no whole one with status 200."""
        self.raw[side] = ""
        answer, error = _ask(url, self._tick)
        if answer is None:
            raise Unreadable(f"{url.shown}: {error}")
        self.raw[side] = kept(answer.status, answer.body, self._kept)
        if 300 <= answer.status < 400:
            raise Unreadable(f"{url.shown} answered {answer.status}, a redirect, which is not followed: set the final address")
        if answer.status != 200:
            text = error_of(answer.body) or shortened(clean_line(answer.body).strip(), 300)
            raise Unreadable(f"{url.shown} answered {answer.status}{': ' + text if text else ''}")
        if len(answer.body) >= exchange.MAX_BODY_BYTES:
            raise Unreadable(
                f"the answer is longer than {exchange.MAX_BODY_BYTES // 1024} KiB: aggregate the query, such as with sum(), or "
                "choose a coarser resolution"
            )
        if not answer.complete:
            raise Unreadable("the answer did not come to its end")
        return answer.body


def kept(status: int, body: bytes, most: int) -> str:
    """The answer for people: the beginning of its body as harmless text, at most so many bytes, and what is left out.

    status: of HTTP; it is named unless it is 200.
    """
    text = clean_line(body[:most]).encode()[:most].decode(errors="ignore")
    left = f"… ({len(body):,} bytes in all)" if len(body) > most else ""
    return (f"HTTP {status}: " if status != 200 else "") + text + left


def _ask(url: Url, tick: Callable[[], None]) -> tuple[exchange.Answer | None, str]:
    """(answer, "") or (None, why there is none)."""
    call = exchange.Exchange(
        "GET", url, headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "gs2admin",
                             "Connection": "close"},
        body=b"", allow=settings.STEP_HTTP_ALLOW, timeout_s=REQUEST_S,
    )
    try:
        while not call.wait(TURN_S) and time.monotonic() - call.began < REQUEST_S:
            tick()
    finally:
        call.abort()
    if call.answer is not None:
        return call.answer, ""
    late = call.error is None or isinstance(call.error, TimeoutError)
    return None, f"no answer within {REQUEST_S:g} s" if late else clean_line(exchange.explain(call.error, url))


def _wait(seconds: float, tick: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        tick()
        time.sleep(min(TURN_S, left))
