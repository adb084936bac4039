"""Namespaces and their numbers: a fixed number of queries, each from an index alone."""
from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Count, OuterRef, Subquery, Sum

from jobqueue.models import Job, Namespace, Queue, Tally
from jobqueue.states import JobState

MANY = 1_000
HOUR = timedelta(hours=1)
MANY_PLAYERS, SUM_S = 10_000, 1.0
_sums: dict[tuple[int, ...], tuple[float, dict[int, tuple[int, int]]]] = {}
_CAPPED = "(SELECT COUNT(*) FROM (SELECT 1 FROM jobqueue_givenup g WHERE g.namespace_id = n.id{more} LIMIT %s) few)"


@dataclass(frozen=True)
class Numbers:
    """One namespace now. given_up, given_up_hour: not replayed yet, counted up to MANY + 1.

    per_minute: (ok, failed), oldest first.
    """


    waiting: int = 0
    players: int = 0
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
        gone = datetime.now(UTC).second
        now, before = sum(self.per_minute[-1]), sum(self.per_minute[-2])
        return (now + before * (60 - gone) / 60) / 60


def numbers(ids: Sequence[int]) -> dict[int, Numbers]:
    """The numbers of these namespaces."""
    if not ids:
        return {}
    work, retrying, oldest = _work(tuple(ids)), _retrying(ids), _oldest(ids)
    held = running_queues()
    running = Counter(Queue.objects.filter(pk__in=held).values_list("namespace_id", flat=True)) if held else Counter()
    given_up = given_up_counts(ids)
    minutes = _per_minute(ids)
    found = {}
    for pk in ids:
        waiting, players = work.get(pk, (0, 0))
        runs = running[pk]
        found[pk] = Numbers(
            max(0, waiting - runs), players, runs, retrying.get(pk, 0), oldest.get(pk), *given_up.get(pk, (0, 0)),
            minutes.get(pk, []),
        )
    return found


def running_queues() -> list[int]:
    """The queues of which a job runs now, of all namespaces: no more than there are workers.

    Without a join and without an order, for which the databases would begin elsewhere than at the few that run.
    """
    return list(Job.objects.filter(state=JobState.RUNNING).order_by().values_list("queue_id", flat=True)[: MANY + 1])


def _work(ids: tuple[int, ...]) -> dict[int, tuple[int, int]]:
    """Per namespace the jobs not done yet and the players that have some, added up from an index.

    The sum over a hundred thousand players takes 20 ms, so such a sum is used by everybody for SUM_S.
    """
    kept = _sums.get(ids)
    if kept and time.monotonic() - kept[0] < SUM_S:
        return kept[1]
    rows = Queue.objects.filter(namespace_id__in=ids, waiting__gt=0).order_by().values_list("namespace_id")
    found = {pk: (waiting, players) for pk, waiting, players in rows.annotate(Sum("waiting"), Count("id"))}
    if sum(players for _, players in found.values()) > MANY_PLAYERS:
        if len(_sums) > 100:
            _sums.clear()
        _sums[ids] = (time.monotonic(), found)
    return found


def _retrying(ids: Sequence[int]) -> dict[int, int]:
    rows = Queue.objects.filter(namespace_id__in=ids, head_tries__gt=0).order_by().values_list("namespace_id")
    return dict(rows.annotate(Count("id")))


def _oldest(ids: Sequence[int]) -> dict[int, datetime]:
    """The first entry of the index, per namespace."""
    first = Queue.objects.filter(namespace=OuterRef("pk"), waiting__gt=0).order_by("head_at").values("head_at")
    return dict(Namespace.objects.filter(pk__in=ids).annotate(oldest=Subquery(first[:1])).values_list("pk", "oldest"))


def given_up_counts(ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Per namespace the given-up jobs that were not replayed: all, and of the last hour; each counted up to MANY + 1."""
    places = ", ".join(["%s"] * len(ids))
    since = connection.ops.adapt_datetimefield_value(datetime.now(UTC) - HOUR)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT n.id, {_CAPPED.format(more=' AND g.replayed_at IS NULL')},"
            f" {_CAPPED.format(more=' AND g.replayed_at IS NULL AND g.at >= %s')}"
            f" FROM jobqueue_namespace n WHERE n.id IN ({places})",
            [MANY + 1, since, MANY + 1, *ids],
        )
        return {pk: (total, lately) for pk, total, lately in cursor.fetchall()}


def _per_minute(ids: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
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
