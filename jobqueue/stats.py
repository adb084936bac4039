"""Counts of attempts per namespace, script and minute, for charts: written with each result (sql.settle), rolled up by age."""
from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Sum

from gs2admin import engine
from gs2admin.errors import Conflict
from gs2admin.lease import LeaseLost
from jobqueue.models import Tally
from locks.services import Held, holding

ROLLED_S = 600
ROLL_AFTER = timedelta(hours=3)
KEEP = timedelta(days=8)
ROLLING = "jobqueue.stats.roll_up"
BATCH = 2_000


def bucket(at: datetime, seconds: int) -> datetime:
    """The beginning of the span of so many seconds that a moment lies in."""
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


@engine.cleaner(every_s=600)
def roll_up() -> int:
    """Minutes that are hours old become spans of ten minutes; what no chart shows any more is removed.

    On one host at a time: of two that merge the same minutes on PostgreSQL both would add them.
    """
    try:
        with holding(ROLLING, ttl_s=60) as held:
            return _roll_up(held)
    except (Conflict, LeaseLost):
        return 0  # another host is at it, and what it leaves is found next time


def _roll_up(held: Held) -> int:
    now = datetime.now(UTC)
    removed = 0
    while ids := list(Tally.objects.filter(at__lt=now - KEEP).order_by("at").values_list("pk", flat=True)[:BATCH]):
        removed += Tally.objects.filter(pk__in=ids).delete()[0]
    border = bucket(now - ROLL_AFTER, ROLLED_S)
    while True:
        held.tick()
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
        sums = found.setdefault((row.namespace_id, bucket(row.at, ROLLED_S), row.script), [0, 0, 0, 0])
        for place, value in enumerate((row.ok, row.failed, row.given_up, row.took_ms)):
            sums[place] += value
    for (namespace_id, at, script), sums in found.items():
        key = {"namespace_id": namespace_id, "at": at, "span_s": ROLLED_S, "script": script, "shard": 0}
        kept, _ = Tally.objects.get_or_create(**key)
        kept.ok, kept.failed = kept.ok + sums[0], kept.failed + sums[1]
        kept.given_up, kept.took_ms = kept.given_up + sums[2], kept.took_ms + sums[3]
        kept.save()


def by_time(namespace_id: int, *, since: datetime) -> list[tuple[datetime, int, int]]:
    """(beginning, ok, failed) per span since then, whatever its length."""
    rows = Tally.objects.filter(namespace_id=namespace_id, at__gte=since).order_by()
    return list(rows.values_list("at").annotate(Sum("ok"), Sum("failed")))


def by_script(namespace_id: int, *, since: datetime) -> list[tuple[str, int, int, int, int]]:
    """(script, ok, failed, given up, ms) since then."""
    rows = Tally.objects.filter(namespace_id=namespace_id, at__gte=since).order_by()
    return list(rows.values_list("script").annotate(Sum("ok"), Sum("failed"), Sum("given_up"), Sum("took_ms")))
