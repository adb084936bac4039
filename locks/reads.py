"""Reads of locks: what is held, the history of a mutex, a player's mutexes, the counters of namespaces.

Lists go on after a key, never after an offset, and each begins at an index. The database's clock says what is held.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import BigIntegerField, Func, Q, QuerySet, Sum
from django.db.models.functions import Left

from gs2admin.db import clock
from gs2admin.db.batched import rows_per
from gs2admin.db.prepared import MOST, Places, Prepared
from gs2admin.identity.models import Project
from gs2admin.text import starts_with
from locks import sql
from locks.expressions import FRONT, Front
from locks.models import Holding, LockNamespace, LockTally, Mutex

MANY = 1_000
HOUR = timedelta(hours=1)


class Place(NamedTuple):
    """Where a list of what is held goes on: acquired_ms and id of the last row seen."""

    acquired_ms: int
    id: int


class KnownPlayer(NamedTuple):
    """A player with the names of the namespaces where that player has mutexes."""

    user_id: str
    namespaces: list[str]


class Refused(NamedTuple):
    """Refused tries in a namespace."""

    namespace: str
    tries: int


def now_ms() -> int:
    """The database's time in Unix milliseconds."""
    return sql.now_ms()


def namespaces(project: Project, *, after: str = "", limit: int) -> list[LockNamespace]:
    """The project's namespaces by name."""
    rows = LockNamespace.objects.filter(project=project)
    return list((rows.filter(name__gt=after) if after else rows).order_by("name")[:limit])


def namespace(project: Project, name: str) -> LockNamespace | None:
    """One of the project's."""
    return LockNamespace.objects.filter(project=project, name=name).select_related("project").first()


def live(rows: QuerySet[Mutex], at_ms: int | None = None) -> QuerySet[Mutex]:
    """Those of the mutexes that are held now."""
    return rows.filter(counter__gt=0, until_ms__gt=now_ms() if at_ms is None else at_ms)


def state(namespace: LockNamespace, user_id: str, property_id: str) -> sql.State | None:
    """The mutex now, held or not, by one quick statement; None when it was never locked."""
    return sql.read(sql.key_of(namespace.pk, user_id, property_id))


class HeldMutex(NamedTuple):
    """A mutex that is held, and by whom."""

    id: int
    property_id: str
    transaction_id: str
    acquired_ms: int
    until_ms: int
    revision: int


class _Now(Func):
    """The database's time in Unix milliseconds, within a statement."""

    output_field = BigIntegerField()

    def as_sql(self, compiler: Any, connection: Any, **more: Any) -> tuple[str, list[Any]]:
        return sql.text("{now}"), []


def _held_by(at: Places) -> QuerySet[Mutex]:
    namespace = LockNamespace.objects.filter(project_id=at.project, name=at.namespace).order_by().values("pk")[:1]
    rows = Mutex.objects.filter(namespace_id=namespace, user_id=at.user_id, pk__gt=at.after)
    return rows.filter(counter__gt=0, until_ms__gt=_Now()).order_by("pk")[:MOST]


_HELD_BY = Prepared(HeldMutex, _held_by)


def held_by(project: Project, namespace: str, user_id: str, *, after: int, limit: int) -> list[HeldMutex]:
    """The first `limit` mutexes that a player holds with an id above `after`, and one more where there is one; by id.

    None in a namespace that is not there.
    """
    return _HELD_BY.rows(project=project.pk, namespace=namespace, user_id=user_id, after=after, most=limit + 1)


def held(
    namespace: LockNamespace, *, user_id: str = "", property_prefix: str = "", after: Place | None = None,
    limit: int,
) -> list[Mutex]:
    """Mutexes that are held, the longest first. after: the place of the last row before."""
    rows = live(Mutex.objects.filter(namespace=namespace))
    if user_id:
        rows = rows.filter(user_id=user_id)
    if property_prefix:
        # Not LIKE, which on SQLite takes a for A.
        rows = rows.alias(front=Left("property_id", len(property_prefix))).filter(front=property_prefix)
    if after:
        # The first condition is for the index; the second settles rows of the same millisecond.
        rows = rows.filter(Q(acquired_ms__gte=after.acquired_ms), Q(acquired_ms__gt=after.acquired_ms) | Q(pk__gt=after.id))
    return list(rows.order_by("acquired_ms", "id")[:limit])


def mutex(namespace: LockNamespace, user_id: str, property_id: str) -> Mutex | None:
    """The row of a mutex, held or free; None when it was never locked, or not for very long."""
    return Mutex.objects.filter(key=sql.key_of(namespace.pk, user_id, property_id)).first()


def history(mutex: Mutex, *, before: int | None = None, limit: int) -> list[Holding]:
    """Who held it and how that ended, the newest first. before: the revision of the last row of the page before."""
    rows = Holding.objects.filter(mutex=mutex)
    return list((rows if before is None else rows.filter(revision__lt=before)).order_by("-revision")[:limit])


def of_player(project: Project, user_id: str, *, held: bool, after: int = 0, limit: int) -> list[Mutex]:
    """A player's mutexes in all namespaces, with their namespace: those held now, or those that are free; by id.

    A free one tells on its row who held it last and how that ended.
    """
    namespace_ids = list(LockNamespace.objects.filter(project=project).values_list("pk", flat=True)[:MANY])
    rows = Mutex.objects.filter(namespace_id__in=namespace_ids, user_id=user_id, pk__gt=after)
    at_ms = now_ms()
    rows = live(rows, at_ms) if held else rows.filter(Q(counter=0) | Q(until_ms__lte=at_ms))
    return list(rows.select_related("namespace").order_by("id")[:limit])


def lately_of_player(project: Project, user_id: str, *, limit: int) -> list[Mutex]:
    """A player's mutexes that are free now, with their namespace; the one that was held last first."""
    namespace_ids = list(LockNamespace.objects.filter(project=project).values_list("pk", flat=True)[:MANY])
    rows = Mutex.objects.filter(namespace_id__in=namespace_ids, user_id=user_id).exclude(acquired_ms=0)
    free = rows.filter(Q(counter=0) | Q(until_ms__lte=now_ms()))
    return list(free.select_related("namespace").order_by("-acquired_ms", "-id")[:limit])


def players_by_id(project: Project, *, start: str = "", after: str = "", limit: int) -> list[KnownPlayer]:
    """Players that ever had a mutex, by id, with the names of the namespaces; at most `limit`."""
    names = dict(LockNamespace.objects.filter(project=project).order_by("name").values_list("pk", "name"))

    def users(pk: int) -> QuerySet:
        rows = Mutex.objects.filter(namespace_id=pk)
        rows = rows.filter(starts_with("user_id", start)) if start else rows
        rows = rows.filter(user_id__gt=after) if after else rows
        return rows.order_by("user_id").values_list("user_id", "namespace_id").distinct()[:limit]

    found: dict[str, list[str]] = {}
    for user_id, namespace_id in rows_per(names, users):
        found.setdefault(user_id, []).append(names[namespace_id])
    return [KnownPlayer(*each) for each in sorted(found.items())[:limit]]


def by_property(project: Project, start: str, *, limit: int) -> list[Mutex]:
    """Mutexes, held or free, whose property starts with `start`, with their namespace, by property; the one held last first."""
    namespace_ids = list(LockNamespace.objects.filter(project=project).values_list("pk", flat=True)[:MANY])

    def mutexes(pk: int) -> QuerySet:
        rows = Mutex.objects.filter(namespace_id=pk).annotate(front=Front("property_id"))
        rows = rows.filter(starts_with("front", start[:FRONT]))
        if len(start) > FRONT:
            rows = rows.filter(starts_with("property_id", start))
        return rows.order_by("front", "id").values_list("pk")[:limit]

    ids = [pk for (pk,) in rows_per(namespace_ids, mutexes)]
    rows = Mutex.objects.filter(pk__in=ids).select_related("namespace")
    return sorted(rows, key=lambda row: (row.property_id, -row.acquired_ms))[:limit]


def held_long(project: Project, *, held_ms: int, within_ms: int, limit: int) -> list[Mutex]:
    """Mutexes that are held for so long already and end soon, with their namespace: the ones held longest first."""
    at_ms = now_ms()
    namespace_ids = list(LockNamespace.objects.filter(project=project).values_list("pk", flat=True)[:MANY])
    old = live(Mutex.objects.filter(acquired_ms__lte=at_ms - held_ms, until_ms__lte=at_ms + within_ms), at_ms)
    ids = rows_per(namespace_ids, lambda pk: old.filter(namespace_id=pk).order_by("acquired_ms", "id").values_list("pk")[:limit])
    rows = Mutex.objects.filter(pk__in=[pk for (pk,) in ids]).select_related("namespace")
    return list(rows.order_by("acquired_ms", "id")[:limit])


def refused_lately(project: Project, *, since: datetime, least: int, limit: int) -> list[Refused]:
    """Namespaces with at least `least` refused tries since then, the most first."""
    rows = LockTally.objects.filter(namespace__project=project, at__gte=since, span_s=60).order_by()
    sums = rows.values_list("namespace__name").annotate(total=Sum("denied")).filter(total__gte=least)
    return [Refused(*row) for row in sums.order_by("-total")[:limit]]


@dataclass(frozen=True)
class Counters:
    """One namespace now. held: counted up to MANY + 1. oldest_ms: since when the longest of them is held.

    acquired, denied, expired: within the last hour. most_held: at once, in that hour.
    """

    held: int = 0
    oldest_ms: int | None = None
    acquired: int = 0
    denied: int = 0
    expired: int = 0
    most_held: int = 0


_HELD = "locks_mutex m WHERE m.namespace_id = n.id AND m.counter > 0 AND m.until_ms > %s"


def counters(ids: Sequence[int]) -> dict[int, Counters]:
    """The counters of these namespaces, by id; two queries."""
    if not ids:
        return {}
    places = ", ".join(["%s"] * len(ids))
    at_ms = now_ms()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT n.id, (SELECT COUNT(*) FROM (SELECT 1 FROM {_HELD} LIMIT %s) few),"
            f" (SELECT m.acquired_ms FROM {_HELD} ORDER BY m.acquired_ms, m.id LIMIT 1)"
            f" FROM locks_locknamespace n WHERE n.id IN ({places})",
            [at_ms, MANY + 1, at_ms, *ids],
        )
        now = {pk: (count, oldest) for pk, count, oldest in cursor.fetchall()}
    lately: dict[int, list[int]] = {}
    since = clock.now().replace(second=0, microsecond=0) - HOUR
    rows = LockTally.objects.filter(namespace_id__in=ids, at__gt=since, span_s=60)
    for pk, *counts, most in rows.values_list("namespace_id", "acquired", "denied", "expired", "held"):
        row = lately.setdefault(pk, [0, 0, 0, 0])
        for place, number in enumerate(counts):
            row[place] += number
        row[3] = max(row[3], most)
    return {pk: Counters(*now.get(pk, (0, None)), *lately.get(pk, (0, 0, 0, 0))) for pk in ids}
