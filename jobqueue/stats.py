"""Counts of attempts per namespace, script and span, for charts. sql.settle writes them; chores/tallies.py merges old ones."""
from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import Sum

from jobqueue.models import Tally


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


def by_time(namespace_id: int, *, since: datetime) -> list[SpanCounts]:
    """The attempts of a namespace per span since then, whatever its length."""
    rows = Tally.objects.filter(namespace_id=namespace_id, at__gte=since).order_by()
    return [SpanCounts(*row) for row in rows.values_list("at").annotate(Sum("ok"), Sum("failed"))]


def by_script(namespace_id: int, *, since: datetime) -> list[ScriptCounts]:
    """The attempts of a namespace per script since then."""
    rows = Tally.objects.filter(namespace_id=namespace_id, at__gte=since).order_by()
    sums = rows.values_list("script").annotate(Sum("ok"), Sum("failed"), Sum("given_up"), Sum("took_ms"))
    return [ScriptCounts(*row) for row in sums]
