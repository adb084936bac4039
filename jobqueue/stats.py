"""Counts of attempts per namespace, script and minute, for charts: written with each result (sql.settle), rolled up by age."""
from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from gs2admin import engine
from gs2admin.errors import Conflict
from gs2admin.lease import LeaseLost
from jobqueue.models import Tally
from locks.services import Lease, locked

ROLLED_S = 600
ROLL_AFTER = timedelta(hours=3)
KEEP = timedelta(days=8)
ROLLING = "jobqueue.stats.roll_up"
BATCH = 2_000


class SpanCounts(NamedTuple):
    """Attempts in one span that begins at `at`."""

    at: datetime
    ok: int
    failed: int


class ScriptCounts(NamedTuple):
    """Attempts of one script. took_ms: of all of them together."""

    script: str
    ok: int
    failed: int
    given_up: int
    took_ms: int


def bucket(at: datetime, seconds: int) -> datetime:
    """The beginning of the span of so many seconds that a moment lies in."""
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


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
    now = datetime.now(UTC)
    removed = 0
    while ids := list(Tally.objects.filter(at__lt=now - KEEP).order_by("at").values_list("pk", flat=True)[:BATCH]):
        removed += Tally.objects.filter(pk__in=ids).delete()[0]
    border = bucket(now - ROLL_AFTER, ROLLED_S)
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
        sums = found.setdefault((row.namespace_id, bucket(row.at, ROLLED_S), row.script), [0, 0, 0, 0])
        for place, value in enumerate((row.ok, row.failed, row.given_up, row.took_ms)):
            sums[place] += value
    for (namespace_id, at, script), sums in found.items():
        key = {"namespace_id": namespace_id, "at": at, "span_s": ROLLED_S, "script": script, "shard": 0}
        total, _ = Tally.objects.get_or_create(**key)
        total.ok, total.failed = total.ok + sums[0], total.failed + sums[1]
        total.given_up, total.took_ms = total.given_up + sums[2], total.took_ms + sums[3]
        total.save()


def by_time(namespace_id: int, *, since: datetime) -> list[SpanCounts]:
    """The attempts of a namespace per span since then, whatever its length."""
    rows = Tally.objects.filter(namespace_id=namespace_id, at__gte=since).order_by()
    return [SpanCounts(*row) for row in rows.values_list("at").annotate(Sum("ok"), Sum("failed"))]


def by_script(namespace_id: int, *, since: datetime) -> list[ScriptCounts]:
    """The attempts of a namespace per script since then."""
    rows = Tally.objects.filter(namespace_id=namespace_id, at__gte=since).order_by()
    sums = rows.values_list("script").annotate(Sum("ok"), Sum("failed"), Sum("given_up"), Sum("took_ms"))
    return [ScriptCounts(*row) for row in sums]
