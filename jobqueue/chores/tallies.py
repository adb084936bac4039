"""Merges counts of attempts by their age."""
from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction

from gs2admin import engine
from gs2admin.db import clock
from gs2admin.errors import Conflict
from gs2admin.lease import LeaseLost
from gs2admin.spans import span_of
from jobqueue.models import Tally
from locks.services import Lease, locked

ROLLED_S = 600
ROLL_AFTER = timedelta(hours=3)
KEEP = timedelta(days=8)
ROLLING = "jobqueue.stats.roll_up"
BATCH = 2_000


@engine.cleaner(every_s=600)
def roll_up() -> int:
    """Merge minutes that are hours old into spans of ten minutes, and delete what no chart shows. Returns how many rows went.

    On one host at a time: two that merge the same minutes on PostgreSQL would both add them.
    """
    try:
        with locked(ROLLING, ttl_s=60) as lease:
            return _roll_up(lease)
    except (Conflict, LeaseLost):
        return 0  # another host does it; what it leaves is found next time


def _roll_up(lease: Lease) -> int:
    now = clock.now()
    removed = 0
    while ids := list(Tally.objects.filter(at__lt=now - KEEP).order_by("at").values_list("pk", flat=True)[:BATCH]):
        removed += Tally.objects.filter(pk__in=ids).delete()[0]
    border = span_of(now - ROLL_AFTER, ROLLED_S)
    while True:
        lease.tick()
        with transaction.atomic():
            ids = list(
                Tally.objects.filter(span_s=60, at__lt=border).order_by("at").values_list("pk", flat=True)[:BATCH]
            )
            if not ids:
                return removed
            _merge(Tally.objects.filter(pk__in=ids))
            removed += Tally.objects.filter(pk__in=ids).delete()[0]


def _merge(rows: Iterable[Tally]) -> None:
    """Add rows of minutes to their spans of ten."""
    found: dict[tuple, list[int]] = {}
    for row in rows:
        sums = found.setdefault((row.namespace_id, span_of(row.at, ROLLED_S), row.script), [0, 0, 0, 0])
        for place, value in enumerate((row.ok, row.failed, row.given_up, row.took_ms)):
            sums[place] += value
    for (namespace_id, at, script), sums in found.items():
        key = {"namespace_id": namespace_id, "at": at, "span_s": ROLLED_S, "script": script, "shard": 0}
        total, _ = Tally.objects.get_or_create(**key)
        total.ok, total.failed = total.ok + sums[0], total.failed + sums[1]
        total.given_up, total.took_ms = total.given_up + sums[2], total.took_ms + sums[3]
        total.save()
