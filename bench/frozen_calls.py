"""100 jobs whose worker is stopped in the middle of a call until another has taken its queue over: how many change anything then?

Every effect that a job can have (bench/frozen/cases.py), at each of the instants of bench/frozen/worker.py.
"""
from __future__ import annotations

import logging
import os
from collections import Counter
from random import Random

from django.db import connection

from bench.frozen.cases import Place, cases
from bench.frozen.play import Played, Worker, play
from bench.frozen.worker import POINTS
from bench.report import table
from bench.world import world

CALLS = 100


def main() -> bool:
    """Print the table; True when none was stale."""
    logging.getLogger("jobqueue").setLevel(logging.ERROR)
    chance = Random(7)
    names = list(cases())
    chance.shuffle(names)
    wanted = (names * 2)[: int(os.environ.get("BENCH_CALLS", CALLS))]
    place, played = Place(world().project), []
    with Worker(dict(os.environ)) as worker:
        for number, name in enumerate(wanted):
            played.append(play(worker, place, name, number, POINTS[number % len(POINTS)]))
    show(played)
    return not any(each.stale for each in played)


def show(played: list[Played]) -> None:
    """Per instant: calls, those whose commit the take-over had to wait for, stale ones."""
    counts = Counter(
        (each.point, what) for each in played for what in ("calls", "waited" * each.waited, "stale" * bool(each.stale))
    )
    table(
        f"{len(played)} calls of {len({each.case for each in played})} kinds, stopped in the middle, {connection.vendor}",
        ["stopped", "calls", "take-over waited", "stale"],
        [[point, *(counts[point, what] for what in ("calls", "waited", "stale"))] for point in POINTS],
    )
    for each in played:
        if each.stale:
            print(f"STALE: {each.case}, stopped when {each.point}: {', '.join(each.stale)}")
