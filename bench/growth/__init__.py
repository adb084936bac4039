"""How cost grows: one axis after the other, on both databases, into docs/scale.json; then plots and tables are made from it.

BENCH_GROWTH: names of axes by commas, for a run of these alone; "long" among them adds the points that take minutes each (ten
million jobs, a million players, 200 stages). A run replaces the axes that it measured and keeps the others as they are, so
that they can be measured one by one. `python -m bench.growth` draws again without measuring.
"""
from __future__ import annotations

import os
import time

from bench.growth import page
from bench.growth.results import AXES, Axis, keep
from bench.report import machine, table


def main() -> bool:
    """Measures what was chosen on the database of this run; True always: it judges nothing."""
    # Here, so that the page is drawn without Django.
    from bench.growth import load, rows

    measures = {
        "jobs": rows.jobs, "players": rows.players, "stages": rows.stages, "watchers": load.watchers, "sockets": load.sockets,
        "workers": load.workers, "hosts": load.hosts,
    }  # fmt: skip
    kind = "postgres" if os.environ["DATABASE_URL"].startswith("postgres") else "sqlite"
    chosen = {word.strip() for word in os.environ.get("BENCH_GROWTH", "").split(",") if word.strip()}
    long = "long" in chosen
    for name in [name for name in measures if not chosen - {"long"} or name in chosen]:
        axis, began = AXES[name], time.monotonic()
        if kind not in axis.kinds:
            continue
        points = measures[name](long)
        keep(kind, name, points, load=machine(), long=long)
        _print(axis, kind, points, time.monotonic() - began)
    page.write()
    return True


def _print(axis: Axis, kind: str, points: list[dict], took: float) -> None:
    names = list(dict.fromkeys(name for point in points for name in point["values"]))
    table(f"{axis.title} on {kind}, {took:.0f} s", [axis.along, *names],
          [[point["x"], *(point["values"].get(name, "") for name in names)] for point in points])  # fmt: skip
