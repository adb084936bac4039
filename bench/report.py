"""Tables of figures, and the machine that they were measured on."""
from __future__ import annotations

import os
from collections.abc import Iterable, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed; NaN without values."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * share // 1).__int__() - 1))]


def spread(values: Sequence[float], digits: int = 1) -> list[str]:
    """Median, 95th and 99th percentile and the largest, as cells of a row."""
    found = [percentile(values, share) for share in (0.5, 0.95, 0.99)] + [max(values, default=float("nan"))]
    return [f"{value:.{digits}f}" for value in found]


SPREAD = ("p50", "p95", "p99", "max")


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print one table; the first column is text, the others are figures."""
    lines = [[str(cell) for cell in columns], *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(lines[0]))]
    print(f"\n{title}")
    for number, line in enumerate(lines):
        first, *others = (cell.rjust(width) if index else cell.ljust(width)
                          for index, (cell, width) in enumerate(zip(line, widths, strict=True)))
        print("  " + "  ".join([first, *others]))
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths))
    print(flush=True)


def machine() -> str:
    """One line: cores and load now."""
    return f"{len(os.sched_getaffinity(0))} cores, load {' '.join(f'{load:.2f}' for load in os.getloadavg())}"
