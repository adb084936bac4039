"""Namespaces and their numbers: a fixed number of queries, each from an index alone."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Count, Min, Sum

from jobqueue.models import Job, Namespace, Queue, Tally
from jobqueue.states import JobState

MANY = 1_000
HOUR = timedelta(hours=1)
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
    work = {
        pk: rest
        for pk, *rest in Queue.objects.filter(namespace_id__in=ids, waiting__gt=0)
        .order_by().values_list("namespace_id").annotate(Sum("waiting"), Count("id"), Min("head_at"))
    }
    retrying = dict(
        Queue.objects.filter(namespace_id__in=ids, head_tries__gt=0)
        .order_by().values_list("namespace_id").annotate(Count("id"))
    )
    # All of them: no more than there are workers. The other way round each namespace's queues would be looked through.
    running: dict[int, int] = {}
    for pk in Job.objects.filter(state=JobState.RUNNING).order_by().values_list("queue__namespace_id", flat=True):
        running[pk] = running.get(pk, 0) + 1
    given_up = given_up_counts(ids)
    minutes = _per_minute(ids)
    found = {}
    for pk in ids:
        waiting, players, oldest = work.get(pk, (0, 0, None))
        runs = running.get(pk, 0)
        found[pk] = Numbers(
            max(0, waiting - runs), players, runs, retrying.get(pk, 0), oldest, *given_up.get(pk, (0, 0)), minutes.get(pk, [])
        )
    return found


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
