"""Counts of what happens to mutexes: kept in the process for a moment, written together, rolled up by age.

A refused try must not write to the mutex that others wait for, so counts are gathered and written at most once a second, by
a thread of the process. A process that is killed loses the counts of its last second, and nothing else.
"""
from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, F, Max, Sum

from gs2admin import engine
from locks import sql
from locks.models import LockTally, Mutex

log = logging.getLogger(__name__)
EVERY_S = 1.0
SHARDS = 8
ROLLED_S = 600
ROLL_AFTER = timedelta(hours=3)
KEEP = timedelta(days=8)
BATCH, FEW = 2_000, 50
_FIELDS = ("acquired", "denied", "expired")


class Counts:
    """What this process has counted and not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()
        os.register_at_fork(after_in_child=self._after_fork)

    def _forget(self) -> None:
        self._tallies: Counter[tuple[int, datetime, str]] = Counter()
        self._mutexes: Counter[int] = Counter()
        # What refused callers were told to wait, in the span until the last writing and since then.
        self._waits: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        self._since = time.monotonic()
        self._thread: threading.Thread | None = None

    def _after_fork(self) -> None:
        """The parent writes what was the parent's."""
        self._lock = threading.Lock()
        self._forget()

    def add(self, namespace_id: int, field: str, mutex_id: int = 0, wait_ms: int = 0) -> None:
        """Count one in; of a refusal, with its mutex and the wait that it was told."""
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        with self._lock:
            self._tallies[namespace_id, minute, field] += 1
            if mutex_id:
                self._mutexes[mutex_id] += 1
                self._waits[1][mutex_id] += wait_ms
        self._see_to_writing()

    def crowd(self, mutex_id: int) -> float:
        """How many wait for a mutex: whoever does is always in one of the waits that were told (Little's law)."""
        with self._lock:
            told_ms = self._waits[0][mutex_id] + self._waits[1][mutex_id]
            span_s = EVERY_S + min(EVERY_S, time.monotonic() - self._since)
        return told_ms / 1000 / span_s

    def _see_to_writing(self) -> None:
        if settings.PROCESS == "command":
            self.write()  # a short process, or a test: nobody would come back for them
        elif self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._write_for_ever, name="lock-counts", daemon=True)
                    self._thread.start()
                    atexit.register(self._write_at_last)

    def _write_for_ever(self) -> None:
        while True:
            time.sleep(EVERY_S)
            try:
                self.write()
            except DatabaseError:
                log.warning("counts of locks could not be written; they are kept", exc_info=True)
            finally:
                if settings.ON_POSTGRES:
                    connection.close()  # back to the pool, for the second that nobody needs it

    def _write_at_last(self) -> None:
        try:
            self.write()
        except DatabaseError:
            log.warning("the last counts of locks could not be written", exc_info=True)

    def write(self) -> None:
        """Write them, and begin anew. What could not be written is kept. Raises DatabaseError."""
        with self._lock:
            tallies, refused = self._tallies, self._mutexes
            self._tallies, self._mutexes = Counter(), Counter()
            self._waits, self._since = (self._waits[1], Counter()), time.monotonic()
        # In one order, so that two writers never wait for each other in a circle; few mutexes at a time, so that those who
        # want them do not wait either.
        left = sorted(refused.items())
        try:
            if tallies:
                with transaction.atomic():
                    sql.count(_rows(tallies))
                tallies = Counter()
            while left:
                with transaction.atomic():
                    sql.count_denied(left[:FEW])
                left = left[FEW:]
        finally:
            with self._lock:
                self._tallies.update(tallies)
                self._mutexes.update(dict(left))


def _rows(tallies: Counter[tuple[int, datetime, str]]) -> list[tuple]:
    found: dict[tuple[int, datetime], list[int]] = {}
    for (namespace_id, minute, field), number in tallies.items():
        found.setdefault((namespace_id, minute), [0, 0, 0])[_FIELDS.index(field)] += number
    return [(namespace_id, minute, os.getpid() % SHARDS, *row) for (namespace_id, minute), row in sorted(found.items())]


_counts = Counts()


def acquired(namespace_id: int, *, lost: bool) -> None:
    """A mutex has a new holder. lost: the holding before had run out without unlock."""
    _counts.add(namespace_id, "acquired")
    if lost:
        expired(namespace_id)


def expired(namespace_id: int) -> None:
    """A holding was found to have run out."""
    _counts.add(namespace_id, "expired")


def denied(namespace_id: int, mutex_id: int, *, wait_ms: int) -> None:
    """A try was refused, and told to wait."""
    _counts.add(namespace_id, "denied", mutex_id, wait_ms)


def crowd(mutex_id: int) -> float:
    """How many callers of this process wait for a mutex, as far as they do as they were told."""
    return _counts.crowd(mutex_id)


def flush() -> None:
    """Write what is counted now. Raises DatabaseError."""
    _counts.write()


def bucket(at: datetime, seconds: int) -> datetime:
    """The beginning of the span of so many seconds that a moment lies in."""
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def sums(namespace_id: int, *, since: datetime) -> list[dict]:
    """Per span since then, oldest first: at, span_s, acquired, denied, expired, and held, the most held at once."""
    rows = LockTally.objects.filter(namespace_id=namespace_id, at__gte=since)
    return list(
        rows.order_by("at").values("at", "span_s").annotate(
            acquired=Sum("acquired"), denied=Sum("denied"), expired=Sum("expired"), held=Max("held")
        )
    )  # fmt: skip


@engine.cleaner(every_s=20)
def note_held() -> int:
    """Look how many mutexes are held per namespace; the most of a minute is kept for the chart. Removes nothing."""
    rows = Mutex.objects.filter(counter__gt=0, until_ms__gt=sql.now_ms()).order_by()
    held = rows.values_list("namespace_id").annotate(Count("id"))
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    for namespace_id, number in held:
        row, _ = LockTally.objects.get_or_create(namespace_id=namespace_id, at=minute, span_s=60, shard=0)
        LockTally.objects.filter(pk=row.pk, held__lt=number).update(held=number)
    return 0


@engine.cleaner(every_s=600)
def roll_up() -> int:
    """Minutes that are hours old become spans of ten minutes; what no chart shows any more is removed."""
    now = datetime.now(UTC)
    removed = 0
    while ids := list(LockTally.objects.filter(at__lt=now - KEEP).order_by("at").values_list("pk", flat=True)[:BATCH]):
        removed += LockTally.objects.filter(pk__in=ids).delete()[0]
    border = bucket(now - ROLL_AFTER, ROLLED_S)
    while True:
        with transaction.atomic():
            ripe = LockTally.objects.filter(span_s=60, at__lt=border).order_by("at")[:BATCH]
            rows = list(ripe.select_for_update(skip_locked=True) if settings.ON_POSTGRES else ripe)
            if not rows:
                return removed
            for row in rows:
                key = {"namespace_id": row.namespace_id, "at": bucket(row.at, ROLLED_S), "span_s": ROLLED_S, "shard": 0}
                kept, _ = LockTally.objects.get_or_create(**key)
                LockTally.objects.filter(pk=kept.pk).update(**{name: F(name) + getattr(row, name) for name in _FIELDS})
                LockTally.objects.filter(pk=kept.pk, held__lt=row.held).update(held=row.held)
            removed += LockTally.objects.filter(pk__in=[row.pk for row in rows]).delete()[0]

