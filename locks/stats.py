"""Counts of what happens to mutexes: gathered in the process for a moment, then written together.

A refused try must not write to the mutex that others wait for, so counts are gathered and written at most once a second, by
a thread of the process. A file keeps what is not written yet (locks/countfile.py), so that a killed process loses no refused
try: it is in the file before its caller is answered. Of the charts' numbers of acquired and expired mutexes, a kill at the
instant after the commit loses the one event of that thread; the mutex itself has its revision and its own count of expired
holdings in the statement that changes it.
"""
from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Max, Sum

from gs2admin.db import clock
from gs2admin.processes.threads import kept
from locks import countfile, sql
from locks.countfile import CountFile, Event
from locks.models import LockBatch, LockTally

log = logging.getLogger(__name__)
EVERY_S = 1.0
SHARDS = 8
KEEP = timedelta(days=8)
FEW = 50
FIELDS = ("acquired", "denied", "expired")


@dataclass
class Batch:
    """What was counted in about a second. done: how many of its parts are in the database; None: the database knows."""

    tallies: Counter[tuple[int, datetime, str]] = field(default_factory=Counter)
    mutexes: Counter[int] = field(default_factory=Counter)
    file: CountFile | None = None
    done: int | None = 0

    def add(self, event: Event) -> None:
        """Count one event in."""
        self.tallies[event.namespace_id, datetime.fromtimestamp(event.minute, UTC), FIELDS[event.field]] += 1
        if event.mutex_id:
            self.mutexes[event.mutex_id] += 1

    def write(self) -> None:
        """Write it, part by part, each once however often this is tried. Raises DatabaseError; then try again."""
        if self.done is None:
            self.done = LockBatch.objects.filter(pk=self.file.id).values_list("parts", flat=True).first() or 0
        # In one order, so that two writers never wait for each other in a circle; few mutexes at a time, so that those who
        # want them do not wait either.
        refused = sorted(self.mutexes.items())
        parts = [partial(sql.count, _rows(self.tallies))] if self.tallies else []
        parts += [partial(sql.count_denied, refused[at : at + FEW]) for at in range(0, len(refused), FEW)]
        for number in range(self.done, len(parts)):
            try:
                with transaction.atomic():
                    self._note(number + 1)
                    parts[number]()
            except DatabaseError:
                # The commit may have come through, and only its answer not.
                self.done = number if self.file is None else None
                raise
        self.done = len(parts)
        if self.file is not None and self.file.remove():
            LockBatch.objects.filter(pk=self.file.id).delete()

    def _note(self, parts: int) -> None:
        """So many parts are in the database when this transaction is."""
        if self.file is not None and parts == 1:
            LockBatch.objects.create(pk=self.file.id, parts=parts)
        elif self.file is not None:
            LockBatch.objects.filter(pk=self.file.id).update(parts=parts)


class Counts:
    """What this process has counted and not written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._no_file = False
        self._forget()
        os.register_at_fork(after_in_child=self._after_fork)

    def _forget(self) -> None:
        self._batch = Batch()
        self._unwritten: list[Batch] = []
        # The waits that refused callers got, in ms per mutex: in the span before the last write, and since then.
        self._waits: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        self._since = time.monotonic()
        self._thread: threading.Thread | None = None

    def _after_fork(self) -> None:
        """In a forked child: the parent writes its own counts."""
        self._lock = threading.Lock()
        for batch in [self._batch, *self._unwritten]:
            if batch.file is not None:
                batch.file.close()
        self._forget()

    def add(self, namespace_id: int, what: str, mutex_id: int = 0, wait_ms: int = 0) -> None:
        """Count one event. what: one of FIELDS. mutex_id, wait_ms: of a refusal, its mutex and the wait that the caller got."""
        event = Event(namespace_id, int(clock.about()) // 60 * 60, mutex_id, FIELDS.index(what))
        with self._lock:
            self._to_file(event)
            self._batch.add(event)
            if mutex_id:
                self._waits[1][mutex_id] += wait_ms
        self._see_to_writing()

    def _to_file(self, event: Event) -> None:
        if settings.PROCESS == "command" or self._no_file:
            return  # it writes at once, before anybody is answered
        try:
            if self._batch.file is None:
                self._batch.file = CountFile.make()
            self._batch.file.append(event)
        except OSError:
            self._no_file = True
            log.warning("counts of locks are kept in memory alone: a kill may lose those of a second", exc_info=True)

    def crowd(self, mutex_id: int) -> float:
        """How many callers wait for a mutex: the waits they got, in seconds, per second (Little's law)."""
        with self._lock:
            waits_ms = self._waits[0][mutex_id] + self._waits[1][mutex_id]
            span_s = EVERY_S + min(EVERY_S, time.monotonic() - self._since)
        return waits_ms / 1000 / span_s

    def _see_to_writing(self) -> None:
        if settings.PROCESS == "command":
            self.write()  # a short process, or a test: nobody would come back for them
        elif self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = kept("lock-counts", self._write_for_ever)
                    atexit.register(self._write_at_last)

    def _write_for_ever(self) -> None:
        try:
            adopt()
        except DatabaseError:
            log.warning("counts of processes that died could not be written; they are kept", exc_info=True)
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
        """Write the counts. What cannot be written stays for the next call. Raises DatabaseError."""
        with self._lock:
            self._waits, self._since = (self._waits[1], Counter()), time.monotonic()
            before, self._unwritten = self._unwritten, []
        for batch in before:
            self._write(batch)
        # Begun anew only when the one before is written: while the database is away there is one open file, not one a second.
        with self._lock:
            batch, self._batch = self._batch, Batch()
        if batch.tallies:
            self._write(batch)

    def _write(self, batch: Batch) -> None:
        try:
            batch.write()
        except BaseException:
            self._unwritten.append(batch)
            raise


def adopt() -> int:
    """Write what processes of this host had counted and not written when they died; returns how many events that were.

    Raises DatabaseError.
    """
    found = 0
    for file in countfile.left(keep_s=KEEP.total_seconds()):
        batch = Batch(file=file, done=None)
        try:
            for event in file.events():
                batch.add(event)
            batch.write()
        finally:
            file.close()
        counted = Counter(name for _, _, name in batch.tallies.elements())
        found += counted.total()
        log.warning("counts of a process that died were written", extra={"file": file.path.name, **counted})
    return found


def _rows(tallies: Counter[tuple[int, datetime, str]]) -> list[sql.MinuteCounts]:
    found: dict[tuple[int, datetime], list[int]] = {}
    for (namespace_id, minute, what), number in tallies.items():
        found.setdefault((namespace_id, minute), [0, 0, 0])[FIELDS.index(what)] += number
    shard = os.getpid() % SHARDS
    return [sql.MinuteCounts(namespace_id, minute, shard, *row) for (namespace_id, minute), row in sorted(found.items())]


_counts = Counts()


def acquired(namespace_id: int, *, lost: bool) -> None:
    """Count a mutex that has a new holder. lost: the holding before ran out without unlock."""
    _counts.add(namespace_id, "acquired")
    if lost:
        expired(namespace_id)


def expired(namespace_id: int) -> None:
    """Count a holding that ran out."""
    _counts.add(namespace_id, "expired")


def note_expired(namespace_id: int) -> None:
    """`expired` for the chore: written at once, in the caller's transaction."""
    minute = clock.now().replace(second=0, microsecond=0)
    sql.count(_rows(Counter({(namespace_id, minute, "expired"): 1})))


def denied(namespace_id: int, mutex_id: int, *, wait_ms: int) -> None:
    """Count a refused try. wait_ms: the wait that the caller got."""
    _counts.add(namespace_id, "denied", mutex_id, wait_ms)


def crowd(mutex_id: int) -> float:
    """How many callers of this process wait for a mutex, if they wait as long as the refusal says."""
    return _counts.crowd(mutex_id)


def flush() -> None:
    """Write what is counted now. Raises DatabaseError."""
    _counts.write()


def sums(namespace_id: int, *, since: datetime) -> list[dict]:
    """Per span since then, oldest first: at, span_s, acquired, denied, expired, and held, the most held at once."""
    rows = LockTally.objects.filter(namespace_id=namespace_id, at__gte=since)
    return list(
        rows.order_by("at").values("at", "span_s").annotate(
            acquired=Sum("acquired"), denied=Sum("denied"), expired=Sum("expired"), held=Max("held")
        )
    )  # fmt: skip
