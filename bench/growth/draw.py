"""A line plot as a small SVG that is read on light and on dark ground. One colour per figure; the second database is dashed."""
from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.growth.figures import count, figure
from bench.growth.results import Axis

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 800, 330, 62, 276, 40, 52
DASHES = ("", "6 4")
STYLE = """
  text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: #1b2536; } .title { font-weight: 600; font-size: 13px; }
  .sheet { fill: #fff; } .grid { stroke: #d9e0ea; } .line { fill: none; stroke-width: 2; } .middle { text-anchor: middle; }
  .end { text-anchor: end; } .c0 { stroke: #1f5fbf; fill: #1f5fbf; } .c1 { stroke: #b3541e; fill: #b3541e; }
  .c2 { stroke: #2d7d46; fill: #2d7d46; } .c3 { stroke: #8a3f9e; fill: #8a3f9e; } .c4 { stroke: #7a6a00; fill: #7a6a00; }
  .line.c0, .line.c1, .line.c2, .line.c3, .line.c4 { fill: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4eaf4; } .sheet { fill: #111827; } .grid { stroke: #2c3a52; } .c0 { stroke: #7fb2ff; fill: #7fb2ff; }
    .c1 { stroke: #ffa873; fill: #ffa873; } .c2 { stroke: #74d191; fill: #74d191; } .c3 { stroke: #d59be6; fill: #d59be6; }
    .c4 { stroke: #e0cf5a; fill: #e0cf5a; }
  }
"""


def plot(axis: Axis, runs: dict[str, Sequence[dict]]) -> str:
    """runs: {database: points}. Along x numbers stand as their logarithms, words one after the other; up from 0."""
    places = _places([point["x"] for points in runs.values() for point in points])
    drawn = [point["values"].get(name) for points in runs.values() for point in points for name in axis.drawn]
    top = _round_up(max((value for value in drawn if value is not None), default=1.0))
    parts = ['<svg xmlns="http://www.w3.org/2000/svg"',
             f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(axis.title)}">',
             f"<style>{STYLE}</style>", f'<rect class="sheet" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
             f'<text class="title" x="{LEFT}" y="22">{escape(axis.title)}, {escape(axis.unit)}</text>']  # fmt: skip
    parts += _grid(axis, places, top)
    for row, name in enumerate(axis.drawn):
        for number, (kind, points) in enumerate(runs.items()):
            parts += _line(row, number, [(places[point["x"]], _y(point["values"][name], top))
                                         for point in points if name in point["values"]])  # fmt: skip
            x, y = WIDTH - RIGHT + 14, TOP + 8 + 20 * (row * len(runs) + number)
            parts.append(f'<line class="line c{row}"{_dash(number)} x1="{x}" x2="{x + 26}" y1="{y}" y2="{y}"/>'
                         f'<text x="{x + 32}" y="{y + 4}">{escape(name)}, {escape(kind)}</text>')  # fmt: skip
    return "\n".join([*parts, "</svg>", ""])


def _places(values: list[int | str]) -> dict[int | str, float]:
    """Where each x stands, in pixels."""
    kept = list(dict.fromkeys(values))
    room = WIDTH - RIGHT - LEFT - 10
    if any(isinstance(value, str) for value in kept):
        return {value: LEFT + 5 + room * place / max(len(kept) - 1, 1) for place, value in enumerate(kept)}
    # 0 stands where half of the smallest would.
    least = min((value for value in kept if value), default=1)
    logs = {value: math.log(value or least / 2) for value in kept}
    low, high = min(logs.values()), max(logs.values())
    return {value: LEFT + 5 + room * (log - low) / ((high - low) or 1) for value, log in logs.items()}


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top, 1)


def _round_up(value: float) -> float:
    """1, 2, 2.5 or 5 times a power of ten, not below the value."""
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _grid(axis: Axis, places: dict[int | str, float], top: float) -> list[str]:
    parts = []
    for step in range(6):
        y = _y(top * step / 5, top)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
                     f'<text class="end" x="{LEFT - 6}" y="{y + 4}">{figure(top * step / 5)}</text>')  # fmt: skip
    below = HEIGHT - BOTTOM + 18
    parts += [f'<text class="middle" x="{x:.0f}" y="{below}">{_short(value)}</text>' for value, x in places.items()]
    middle = (LEFT + WIDTH - RIGHT) // 2
    return [*parts, f'<text class="middle" x="{middle}" y="{HEIGHT - 12}">{escape(axis.along)}</text>']


def _short(x: int | str) -> str:
    """10,000,000 as 10⁷, where it is a power of ten that long."""
    if isinstance(x, int) and x >= 100_000 and str(x).strip("0") == "1":
        return "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(len(str(x)) - 1))
    return escape(count(x))


def _dash(number: int) -> str:
    return f' stroke-dasharray="{DASHES[number]}"' if DASHES[number] else ""


def _line(row: int, number: int, points: list[tuple[float, float]]) -> list[str]:
    way = " ".join(f"{x:.0f},{y}" for x, y in points)
    return [f'<polyline class="line c{row}"{_dash(number)} points="{way}"/>',
            *(f'<circle class="c{row}" cx="{x:.0f}" cy="{y}" r="3"/>' for x, y in points)]  # fmt: skip
