"""Bar charts as numbers for an inline SVG: no script, no style attributes."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 720, 112


@dataclass(frozen=True)
class Span:
    """What one of the buttons above a chart shows. per: what a bar stands for."""

    key: str
    label: str
    per: str
    bars: int
    seconds: int
    ago: str


SPANS = {
    "1h": Span("1h", "1 h", "minute", 60, 60, "60 min ago"),
    "24h": Span("24h", "24 h", "half hour", 48, 1800, "24 h ago"),
    "7d": Span("7d", "7 d", "three hours", 56, 10_800, "7 days ago"),
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


def bars(
    span: Span, first: datetime, low: Sequence[int], high: Sequence[int], *, low_word: str, high_word: str = ""
) -> list[Bar]:
    """Bars of two parts, one on top of the other; those without anything in them are left out. Without high_word of one part."""
    peak = max((below + above for below, above in zip(low, high, strict=True)), default=0)
    step, found = WIDTH / span.bars, []
    for place, (below, above) in enumerate(zip(low, high, strict=True)):
        if not below + above:
            continue
        # A failure among many thousands still shows.
        top = {0: 0.0}.get(above, max(1.5, above / peak * (HEIGHT - 2)))
        foot = {0: 0.0}.get(below, max(1.0, below / peak * (HEIGHT - 2)))
        at = first + timedelta(seconds=span.seconds * place)
        words = f"{at:%d %b %H:%M} UTC: {below:,} {low_word}" + (f", {above:,} {high_word}" if high_word else "")
        found.append(Bar(round(place * step + step * 0.15, 1), round(step * 0.7, 1), round(HEIGHT - foot, 1), round(foot, 1),
                         round(max(0.0, HEIGHT - foot - top), 1), round(top, 1), words))
    return found
