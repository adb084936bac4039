"""Namespaces and their counters: a fixed number of queries, each from an index alone."""
from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection
from django.db.models import DateTimeField, IntegerField, Sum
from django.db.models.expressions import RawSQL

from gs2admin.cache import Cache
from gs2admin.db import clock
from jobqueue.models import Job, Namespace, Queue, Tally
from jobqueue.states import JobState

MANY = 1_000
HOUR = timedelta(hours=1)
# All sums of one page together read so many queues with work at most: they take 5 to 10 ms.
MOST_QUEUES = 50_000
# Everybody shares a sum over many players for as many times as long as it took.
MANY_PLAYERS, SHARE, LEAST_S, MOST_S = 10_000, 50, 1.0, 10.0


class _Work(NamedTuple):
    """waiting, players: at least so many, where there are more."""

    waiting: int = 0
    players: int = 0
    more: bool = False


_sums: Cache[tuple[int, ...], dict[int, _Work]] = Cache(ttl_s=MOST_S, entries=100, max_bytes=2_000_000)
_WORK = (
    "SELECT %s, SUM(waiting), COUNT(*) FROM (SELECT waiting FROM jobqueue_queue WHERE namespace_id = %s AND waiting > 0"
    " ORDER BY head_at, id LIMIT %s) longest"
)
_OLDEST = (
    "(SELECT q.head_at FROM jobqueue_queue q WHERE q.namespace_id = jobqueue_namespace.id AND q.waiting > 0"
    " ORDER BY q.head_at LIMIT 1)"
)
_FEW = "(SELECT COUNT(*) FROM (SELECT 1 FROM {what} LIMIT %s) few)"
_RETRYING = _FEW.format(what="jobqueue_queue q WHERE q.namespace_id = jobqueue_namespace.id AND q.head_tries > 0")
# Of the newest lines, because it may be that all were replayed. In an order that only an index of the namespace has: in that
# of ids, or in none, PostgreSQL reads the lines of all namespaces for one that has none.
NEWEST = 10_000
_GIVEN_UP = (
    "(SELECT g.replayed_at FROM jobqueue_givenup g WHERE g.namespace_id = jobqueue_namespace.id ORDER BY g.at DESC"
    f" LIMIT {NEWEST}) newest WHERE newest.replayed_at IS NULL"
)
_LATELY = (
    "(SELECT g.replayed_at FROM jobqueue_givenup g WHERE g.namespace_id = jobqueue_namespace.id AND g.at >= %s"
    f" ORDER BY g.at DESC LIMIT {NEWEST}) newest WHERE newest.replayed_at IS NULL"
)


@dataclass(frozen=True)
class Counters:
    """One namespace now. waiting, players: at least so many, where there are more. retrying, given_up, given_up_hour (neither
    replayed yet, of the NEWEST lines): counted up to MANY + 1.

    per_minute: (ok, failed), oldest first.
    """

    waiting: int = 0
    players: int = 0
    more: bool = False
    running: int = 0
    retrying: int = 0
    oldest: datetime | None = None
    given_up: int = 0
    given_up_hour: int = 0
    per_minute: list[tuple[int, int]] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        """Something runs now."""
        return bool(self.running)

    @property
    def per_second(self) -> float:
        """Attempts per second over about the last minute."""
        if len(self.per_minute) < 2:
            return 0.0
        gone = clock.now().second
        now, before = sum(self.per_minute[-1]), sum(self.per_minute[-2])
        return (now + before * (60 - gone) / 60) / 60


def counters(
    ids: Sequence[int], *, busy: Sequence[int] | None = None, minutes: dict[int, list[tuple[int, int]]] | None = None
) -> dict[int, Counters]:
    """The counters of these namespaces, by id. busy: `running_queues()`, minutes: attempts; where the caller has them already."""
    if not ids:
        return {}
    work = _work(tuple(ids))
    busy = running_queues() if busy is None else busy
    running = Counter(Queue.objects.filter(pk__in=busy).values_list("namespace_id", flat=True)) if busy else Counter()
    since = connection.ops.adapt_datetimefield_value(clock.now() - HOUR)
    rows = Namespace.objects.filter(pk__in=ids).order_by().annotate(
        oldest=RawSQL(_OLDEST, (), output_field=DateTimeField()),
        retrying=RawSQL(_RETRYING, (MANY + 1,), output_field=IntegerField()),
        gone=RawSQL(_FEW.format(what=_GIVEN_UP), (MANY + 1,), output_field=IntegerField()),
        lately=RawSQL(_FEW.format(what=_LATELY), (since, MANY + 1), output_field=IntegerField()),
    )
    minutes = _per_minute(ids) if minutes is None else minutes
    found = {}
    for pk, oldest, retrying, gone, lately in rows.values_list("pk", "oldest", "retrying", "gone", "lately"):
        waiting, players, more = work.get(pk, _Work())
        runs = running[pk]
        found[pk] = Counters(
            max(0, waiting - runs), players, more, runs, retrying, oldest, gone, lately, minutes.get(pk, [])
        )
    return found


def running_queues() -> list[int]:
    """The queues of which a job runs now, of all namespaces: no more than there are workers.

    Without a join and without an order, for which the databases would begin elsewhere than at the few that run.
    """
    return list(Job.objects.filter(state=JobState.RUNNING).order_by().values_list("queue_id", flat=True)[: MANY + 1])


def _work(ids: tuple[int, ...]) -> dict[int, _Work]:
    """Per namespace the jobs not done yet and the players that have some, added up from an index.

    Each namespace gets its share of MOST_QUEUES, and those that need more get what the others left.
    """
    cached = _sums.get(ids)
    if cached is not None:
        return cached
    began = time.monotonic()
    found = _sums_of(ids, MOST_QUEUES // len(ids))
    larger = [pk for pk, row in found.items() if row.more]
    left = MOST_QUEUES - sum(row.players for pk, row in found.items() if not row.more)
    if larger and len(larger) < len(ids):
        found |= _sums_of(larger, left // len(larger))
    if sum(row.players for row in found.values()) > MANY_PLAYERS:
        _sums.put(ids, found, ttl_s=min(MOST_S, max(LEAST_S, SHARE * (time.monotonic() - began))))
    return found


def _sums_of(ids: Sequence[int], most: int) -> dict[int, _Work]:
    with connection.cursor() as cursor:
        # One sum per namespace: to group them all costs half as much again.
        cursor.execute(" UNION ALL ".join([_WORK] * len(ids)), [value for pk in ids for value in (pk, pk, most + 1)])
        return {pk: _Work(int(waiting or 0), min(players, most), players > most) for pk, waiting, players in cursor.fetchall()}


def forget() -> None:
    """Make the sums anew the next time."""
    _sums.clear()


def lately_given_up(ids: Sequence[int]) -> dict[int, int]:
    """Per namespace the jobs given up within the last hour and not replayed, counted up to MANY + 1."""
    since = connection.ops.adapt_datetimefield_value(clock.now() - HOUR)
    count = RawSQL(_FEW.format(what=_LATELY), (since, MANY + 1), output_field=IntegerField())
    return dict(Namespace.objects.filter(pk__in=ids).order_by().annotate(lately=count).values_list("pk", "lately"))


def _per_minute(ids: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    now = clock.now().replace(second=0, microsecond=0)
    first = now - timedelta(minutes=59)
    rows = (
        Tally.objects.filter(namespace_id__in=ids, at__gte=first, span_s=60)
        .order_by().values_list("namespace_id", "at").annotate(Sum("ok"), Sum("failed"))
    )
    found: dict[int, list[tuple[int, int]]] = {}
    for pk, at, ok, failed in rows:
        place = int((at - first).total_seconds() // 60)
        if 0 <= place < 60:
            found.setdefault(pk, [(0, 0)] * 60)[place] = (ok, failed)
    return found


def page(project_id: int, *, after: str = "", limit: int) -> list[Namespace]:
    """Namespaces by name."""
    rows = Namespace.objects.filter(project_id=project_id)
    if after:
        rows = rows.filter(name__gt=after)
    return list(rows.order_by("name")[:limit])
