"""Every read of locks: what is held, the history of a mutex, a player's mutexes, the numbers of namespaces.

Lists go by keys, never by offsets, and begin at an index. What is held is judged by the database's clock.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Left

from gs2admin.identity.models import Project
from locks import sql
from locks.models import Holding, LockNamespace, LockTally, Mutex

MANY = 1_000
HOUR = timedelta(hours=1)


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


def held_by(namespace: LockNamespace, user_id: str) -> QuerySet[Mutex]:
    """What a player holds in a namespace; for pages by id."""
    return live(Mutex.objects.filter(namespace=namespace, user_id=user_id))


def held(
    namespace: LockNamespace, *, user_id: str = "", property_prefix: str = "", after: tuple[int, int] | None = None,
    limit: int,
) -> list[Mutex]:
    """What is held, the longest first. after: (acquired_ms, id) of the last row before."""
    rows = live(Mutex.objects.filter(namespace=namespace))
    if user_id:
        rows = rows.filter(user_id=user_id)
    if property_prefix:
        # Not LIKE, which on SQLite takes a for A.
        rows = rows.alias(front=Left("property_id", len(property_prefix))).filter(front=property_prefix)
    if after:
        # The first condition is for the index; the second settles rows of the same millisecond.
        rows = rows.filter(Q(acquired_ms__gte=after[0]), Q(acquired_ms__gt=after[0]) | Q(pk__gt=after[1]))
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
    spaces = list(LockNamespace.objects.filter(project=project).values_list("pk", flat=True)[:MANY])
    rows = Mutex.objects.filter(namespace_id__in=spaces, user_id=user_id, pk__gt=after)
    at_ms = now_ms()
    rows = live(rows, at_ms) if held else rows.filter(Q(counter=0) | Q(until_ms__lte=at_ms))
    return list(rows.select_related("namespace").order_by("id")[:limit])


@dataclass(frozen=True)
class Numbers:
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


def numbers(ids: Sequence[int]) -> dict[int, Numbers]:
    """The numbers of these namespaces: two queries."""
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
    since = datetime.now(UTC).replace(second=0, microsecond=0) - HOUR
    rows = LockTally.objects.filter(namespace_id__in=ids, at__gt=since, span_s=60)
    for pk, *counts, most in rows.values_list("namespace_id", "acquired", "denied", "expired", "held"):
        row = lately.setdefault(pk, [0, 0, 0, 0])
        for place, number in enumerate(counts):
            row[place] += number
        row[3] = max(row[3], most)
    return {pk: Numbers(*now.get(pk, (0, None)), *lately.get(pk, (0, 0, 0, 0))) for pk in ids}
