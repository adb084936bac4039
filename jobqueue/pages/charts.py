"""The attempts of a namespace as numbers for an inline SVG."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from gs2admin.dashboard.charts import SPANS, Bar, Span, bars
from gs2admin.db import clock
from gs2admin.spans import span_of
from jobqueue.models import Namespace
from jobqueue.stats import ScriptCounts, by_script, by_time
from jobqueue.words import FAILED, SUCCEEDED


@dataclass(frozen=True)
class ScriptRow:
    """One script's attempts in the span."""

    script: str
    attempts: int
    failed: int
    given_up: int
    average_ms: int

    @property
    def share(self) -> int:
        """Failed attempts per hundred."""
        return round(100 * self.failed / self.attempts) if self.attempts else 0


@dataclass(frozen=True)
class Chart:
    """bars: those with anything in them. sentence: the chart in words. scripts: those that failed, the worst first.

    spans: (ok, failed) of each bar, oldest first.
    """

    span: Span
    title: str
    bars: list[Bar]
    peak: int
    sentence: str
    total: int
    scripts: list[ScriptRow]
    spans: list[tuple[int, int]]

    @property
    def per_minute(self) -> list[tuple[int, int]] | None:
        """The last hour's attempts, where it is what the chart shows."""
        return self.spans if self.span.key == "1h" else None


def chart(namespace: Namespace, key: str) -> Chart:
    """The attempts of a namespace in one of SPANS; two queries, each added up by the database."""
    span = SPANS.get(key) or SPANS["1h"]
    now = clock.now()
    first = span_of(now, span.seconds) - timedelta(seconds=span.seconds * (span.bars - 1))
    ok, bad = [0] * span.bars, [0] * span.bars
    for counts in by_time(namespace.pk, since=first):
        place = int((counts.at - first).total_seconds() // span.seconds)
        if 0 <= place < span.bars:
            ok[place] += counts.ok
            bad[place] += counts.failed
    peak = max(map(sum, zip(ok, bad, strict=True)))
    title = f"Attempts per {span.per}"
    return Chart(span, title, bars(span, first, ok, bad, low_word=SUCCEEDED.inside, high_word=FAILED.inside), peak,
                 _sentence(title, ok, bad, peak), sum(ok) + sum(bad), _failing(by_script(namespace.pk, since=first)),
                 list(zip(ok, bad, strict=True)))


def _sentence(title: str, ok: list[int], bad: list[int], peak: int) -> str:
    total, failed = sum(ok) + sum(bad), sum(bad)
    if not total:
        return f"{title}: none in this time."
    return f"{title}: {total:,} in all, {failed:,} {FAILED.inside}; at most {peak:,} in one bar."


def _failing(scripts: list[ScriptCounts]) -> list[ScriptRow]:
    rows = [
        ScriptRow(row.script, row.ok + row.failed, row.failed, row.given_up, round(row.took_ms / (row.ok + row.failed)))
        for row in scripts if row.failed
    ]
    return sorted(rows, key=lambda row: -row.failed)[:10]
