"""The delivery metrics of a stage as bar charts, one bar per week."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gs2admin.dashboard.templatetags.gs import span
from stages.pages.delivery_metrics import Week

BAR_WIDTH = 20
# The tallest bar leaves a little room below the top of the drawing, which is 100 units high.
TALLEST = 96


@dataclass(frozen=True)
class Bar:
    """One week. x, y, height: in units of the drawing, which is 100 high. words: the value, for the tooltip and the table."""

    x: int
    y: float
    height: float
    words: str
    label: str


@dataclass(frozen=True)
class Chart:
    """One metric over the weeks. now: the value of the last week that has one, in words."""

    key: str
    title: str
    help: str
    bars: Sequence[Bar]
    peak: str
    now: str
    tone: str = "ok"


def charts_of(weeks: Sequence[Week], stage: str) -> list[Chart]:
    """The four charts. stage: its name."""
    return [
        chart_of("frequency", "Deployments", "Promotes a week that succeeded and changed something.", weeks,
                 lambda week: week.deployments, lambda number: f"{number:g} a week"),
        chart_of("lead", "Lead time", f"From registering a version to running on {stage}, median.", weeks,
                 lambda week: week.lead_s, span),
        chart_of("failures", "Change failure rate", "Promotes that failed, or had to be rolled back.", weeks,
                 lambda week: week.failure_rate, lambda number: f"{number:.0%}", "bad"),
        chart_of("restore", "Time to restore", "From a failure to the next success, median.", weeks,
                 lambda week: week.restore_s, span, "bad"),
    ]


def chart_of(
    key: str, title: str, help: str, weeks: Iterable[Week], value: Callable[[Week], float | None],
    words: Callable[[float], str], tone: str = "ok",
) -> Chart:
    """A chart. value: the metric in a week, None where there is none. words: a value for people."""
    rows = [(week, value(week)) for week in weeks]
    top = max((number for _, number in rows if number is not None), default=0) or 1
    bars = []
    for index, (week, number) in enumerate(rows):
        height = (number or 0) / top * TALLEST
        text = "–" if number is None else words(number)
        bars.append(Bar(index * BAR_WIDTH, 100 - height, height, text, f"{week.start.day} {week.start:%b}"))
    last = next((number for _, number in reversed(rows) if number is not None), None)
    peak = words(top) if any(number for _, number in rows) else ""
    return Chart(key, title, help, bars, peak, "nothing yet" if last is None else words(last), tone)
