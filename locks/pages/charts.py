"""What happened to a namespace's mutexes over time, as numbers for two inline SVGs."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gs2admin.dashboard.charts import SPANS, Bar, Span, bars
from gs2admin.db import clock
from gs2admin.spans import span_of
from locks.models import LockNamespace
from locks.stats import sums


@dataclass(frozen=True)
class Chart:
    """bars: those with anything in them. sentence: the chart in words."""

    span: Span
    title: str
    bars: list[Bar]
    peak: int
    sentence: str
    total: int


def charts(namespace: LockNamespace, key: str) -> tuple[Chart, Chart]:
    """(the most held at once, refused tries with holdings that expired) in one of SPANS; one query."""
    span = SPANS.get(key) or SPANS["1h"]
    first = span_of(clock.now(), span.seconds) - timedelta(seconds=span.seconds * (span.bars - 1))
    held, denied, expired = ([0] * span.bars for _ in range(3))
    for row in sums(namespace.pk, since=first):
        place = int((row["at"] - first).total_seconds() // span.seconds)
        if 0 <= place < span.bars:
            held[place] = max(held[place], row["held"])
            denied[place] += row["denied"]
            expired[place] += row["expired"]
    none = [0] * span.bars
    most, refused, lost = max(held), sum(denied), sum(expired)
    title, other = f"Held at most, per {span.per}", f"Denied and expired, per {span.per}"
    return (
        Chart(span, title, bars(span, first, held, none, low_word="held at once"), most,
              f"{title}: at most {most:,} at once." if most else f"{title}: none in this time.", most),
        Chart(span, other, bars(span, first, denied, expired, low_word="denied", high_word="expired without unlock"),
              max(one + two for one, two in zip(denied, expired, strict=True)),
              f"{other}: {refused:,} denied, {lost:,} expired without unlock." if refused + lost
              else f"{other}: none in this time.", refused + lost),
    )  # fmt: skip
