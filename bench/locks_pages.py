"""Reads of locks with 1,000,000 mutexes of 100,000 players, 10,000 of them held, and a history of 1,000,000 holdings.

In one process, without a network: every list at its first page, in its middle and at its end, filters, a player, a history, the
numbers. The rows are made by SQL, in the shape in which locks leave them. The goal is a median under 50 ms each.
"""
from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection

from bench.report import table
from bench.world import world
from gs2admin.identity.actors import SYSTEM
from locks import chores, reads, services, stats
from locks.models import LockNamespace, Mutex
from locks.services.namespaces import create_namespace

MUTEXES = int(os.environ.get("BENCH_LOCK_ROWS", "1000000"))
PLAYERS, HELD_EACH = MUTEXES // 10, 100
GOAL_MS, ROUNDS, LIMIT = 50, 15, 50
_SERIES = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n) AS n",
    "postgresql": "(SELECT generate_series(1, {count}) AS i) AS n",
}
_KEY = {"sqlite": "RANDOMBLOB(20)", "postgresql": "DECODE(LPAD(TO_HEX(i), 40, '0'), 'hex')"}


def _run(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


def seed(namespace: LockNamespace) -> None:
    """Ten mutexes per player; one of HELD_EACH is held, for minutes or for hours; each was held once before."""
    now, series, key = reads.now_ms(), _SERIES[connection.vendor].format(count=MUTEXES), _KEY[connection.vendor]
    held = f"CASE WHEN i % {HELD_EACH} = 0 THEN"
    _run(f"""INSERT INTO locks_mutex (namespace_id, key, user_id, property_id, transaction_id, counter, revision, acquired_ms,
                                      until_ms, ended_ms, ended, ended_by, denied, expired)
             SELECT {namespace.pk}, {key}, 'user-' || (i % {PLAYERS}), 'grn:gs2:r:o:quest:q:progress:' || i, 't-' || i,
                    {held} 1 + i / {HELD_EACH} % 3 ELSE 0 END, 2, {now} - i % 600000, {now} + 600000 + i % 6000000,
                    {held} 0 ELSE {now} - i % 600000 END, {held} '' ELSE 'unlocked' END, '', i % 7, 0
             FROM {series}""")
    _run(f"""INSERT INTO locks_holding (mutex_id, transaction_id, revision, acquired_ms, ended_ms, ended, ended_by)
             SELECT id, 't', 1, {now} - 1200000, {now} - 1100000, 'unlocked', '' FROM locks_mutex
             WHERE namespace_id = {namespace.pk}""")
    _run("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def median(call: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of one call: the median of ROUNDS after one that is not counted, and the best."""
    call()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), min(times)


def questions(namespace: LockNamespace) -> dict[str, Callable[[], object]]:
    """What pages and clients ask."""
    held = reads.live(Mutex.objects.filter(namespace=namespace)).order_by("acquired_ms", "id")
    every = [reads.Place(*row) for row in held.values_list("acquired_ms", "pk")]
    middle, last = every[len(every) // 2], every[-LIMIT - 1]
    player, mutex = f"user-{HELD_EACH}", Mutex.objects.get(property_id__endswith=f":{MUTEXES}")
    since = datetime.now(UTC) - timedelta(hours=24)

    def pair() -> None:
        for move, more in ((services.lock, {"ttl_s": 60}), (services.unlock, {})):
            move(actor=SYSTEM, namespace=namespace, user_id="bench", property_id="p", transaction_id="t", **more)

    return {
        f"held, first page of {len(every):,}": lambda: reads.held(namespace, limit=LIMIT),
        "held, in the middle": lambda: reads.held(namespace, after=middle, limit=LIMIT),
        "held, the last page": lambda: reads.held(namespace, after=last, limit=LIMIT),
        "held, of a player": lambda: reads.held(namespace, user_id=player, limit=LIMIT),
        "held, of a player without": lambda: reads.held(namespace, user_id="user-1", limit=LIMIT),
        "held, by a prefix that all have": lambda: reads.held(namespace, property_prefix="grn:gs2:r", limit=LIMIT),
        "held, by a prefix that none has": lambda: reads.held(namespace, property_prefix="grn:gs2:x", limit=LIMIT),
        "a player's held mutexes": lambda: reads.of_player(namespace.project, player, held=True, limit=LIMIT),
        "a player's free mutexes": lambda: reads.of_player(namespace.project, "user-1", held=False, limit=LIMIT),
        "history of a mutex": lambda: reads.history(mutex, limit=LIMIT),
        "numbers of the namespace": lambda: reads.numbers([namespace.pk]),
        "chart of 24 hours": lambda: stats.sums(namespace.pk, since=since),
        "what is held, for the chart": chores.note_held,
        "nothing to note as expired": chores.note_expired,
        "one mutex, as clients ask": lambda: reads.state(namespace, "bench", "p"),
        "lock and unlock among them": pair,
    }


def main() -> bool:
    """Prints the table; False when something takes longer than the goal."""
    namespace = create_namespace(actor=SYSTEM, project=world().project, name="big")
    began = time.monotonic()
    seed(namespace)
    print(f"  {MUTEXES:,} mutexes made in {time.monotonic() - began:.0f} s")
    figures = {name: median(call) for name, call in questions(namespace).items()}
    table(f"{MUTEXES:,} mutexes of {PLAYERS:,} players, ms", ["", "median", "best"],
          [[name, f"{middle:.2f}", f"{best:.2f}"] for name, (middle, best) in figures.items()])  # fmt: skip
    slow = [name for name, (middle, _) in figures.items() if middle > GOAL_MS]
    print(f"  Slower than {GOAL_MS} ms: {', '.join(slow)}" if slow else f"  Everything under {GOAL_MS} ms.")
    return not slow
