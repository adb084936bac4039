"""A bar chart as numbers for an inline SVG: no script, no style attributes."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobqueue.models import Namespace
from jobqueue.stats import bucket, by_script, by_time

WIDTH, HEIGHT = 720, 112


@dataclass(frozen=True)
class Span:
    """What one of the buttons above the chart shows."""

    key: str
    label: str
    title: str
    bars: int
    seconds: int
    ago: str


SPANS = {
    "1h": Span("1h", "1 h", "Attempts per minute", 60, 60, "60 min ago"),
    "24h": Span("24h", "24 h", "Attempts per half hour", 48, 1800, "24 h ago"),
    "7d": Span("7d", "7 d", "Attempts per three hours", 56, 10_800, "7 days ago"),
}


@dataclass(frozen=True)
class Bar:
    """One bar: x, width, and top and height of both parts, in the drawing's units. words: what it says when pointed at."""

    x: float
    width: float
    ok_y: float
    ok_height: float
    bad_y: float
    bad_height: float
    words: str


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
    now = datetime.now(UTC)
    first = bucket(now, span.seconds) - timedelta(seconds=span.seconds * (span.bars - 1))
    ok, bad = [0] * span.bars, [0] * span.bars
    for at, good, failed in by_time(namespace.pk, since=first):
        place = int((at - first).total_seconds() // span.seconds)
        if 0 <= place < span.bars:
            ok[place] += good
            bad[place] += failed
    peak = max(map(sum, zip(ok, bad, strict=True)))
    return Chart(span, _bars(span, first, ok, bad, peak), peak, _sentence(span, ok, bad, peak), sum(ok) + sum(bad),
                 _failing(by_script(namespace.pk, since=first)), list(zip(ok, bad, strict=True)))


def _bars(span: Span, first: datetime, ok: list[int], bad: list[int], peak: int) -> list[Bar]:
    found = []
    step = WIDTH / span.bars
    for place, (good, failed) in enumerate(zip(ok, bad, strict=True)):
        if not good + failed:
            continue
        # A failure among many thousands still shows.
        high = {0: 0.0}.get(failed, max(1.5, failed / peak * (HEIGHT - 2)))
        low = {0: 0.0}.get(good, max(1.0, good / peak * (HEIGHT - 2)))
        at = first + timedelta(seconds=span.seconds * place)
        words = f"{at:%d %b %H:%M} UTC: {good:,} succeeded, {failed:,} failed"
        found.append(Bar(round(place * step + step * 0.15, 1), round(step * 0.7, 1), round(HEIGHT - low, 1), round(low, 1),
                         round(max(0.0, HEIGHT - low - high), 1), round(high, 1), words))
    return found


def _sentence(span: Span, ok: list[int], bad: list[int], peak: int) -> str:
    total, failed = sum(ok) + sum(bad), sum(bad)
    if not total:
        return f"{span.title}: none in this time."
    return f"{span.title}: {total:,} in all, {failed:,} failed; at most {peak:,} in one bar."


def _failing(scripts: list[tuple[str, int, int, int, int]]) -> list[ScriptRow]:
    rows = [
        ScriptRow(name, ok + failed, failed, given_up, round(took / (ok + failed)))
        for name, ok, failed, given_up, took in scripts if failed
    ]
    return sorted(rows, key=lambda row: -row.failed)[:10]
