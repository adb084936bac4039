"""What time it is by the database's clock, so that hosts whose clocks differ agree on what is due, open and over.

On PostgreSQL the clock is measured every few seconds and carried on by this host's count of seconds since its start, which no
change of its date touches. When the two count differently, for example after a pause of a virtual machine, it is measured anew.
SQLite's clock is the host's. Statements that compare instants in the database use its own Now(); this is for what is compared
here. Monotonic clocks stay what spans within one process are measured by.
"""
from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NamedTuple

from django.utils import timezone

from gs2admin.db.raw import raw_cursor, vendor

# A measurement counts for so long. One that took longer than SLOW_S says little, and is made again, so many times at most.
AGE_S = 5.0
SLOW_S = 0.5
TRIES = 4
# By how much this host's date may run away from its count of seconds before that is a jump.
JUMP_S = 0.5


class _Measured(NamedTuple):
    """The database's time, Unix seconds, at a moment of this host's count, and the host's date then."""

    database_s: float
    count_s: float
    date_s: float


_measured: _Measured | None = None


def now() -> datetime:
    """The database's time, with zone UTC.

    Raises django.db's errors when it cannot be measured: whatever depends on the time stays closed then.
    """
    return timezone.now() if vendor() == "sqlite" else datetime.fromtimestamp(seconds(), UTC)


def seconds() -> float:
    """The same in Unix seconds."""
    if vendor() == "sqlite":
        return time.time()
    found = _measured
    count = _count()
    if found is None or not _counts(found, count):
        found = _measure()
        count = found.count_s
    return found.database_s + count - found.count_s


def about() -> float:
    """The same without asking anybody, for counts and lines for people: an hour later it may be wrong by a few milliseconds.

    The host's own time in a process that has not measured yet.
    """
    return time.time() if _measured is None else _measured.database_s + _count() - _measured.count_s


def forget() -> None:
    """Measure anew at the next question."""
    global _measured
    _measured = None


def _count() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _counts(found: _Measured, count: float) -> bool:
    passed = count - found.count_s
    return 0 <= passed < AGE_S and abs(time.time() - found.date_s - passed) < JUMP_S


def _measure() -> _Measured:
    """Ask the database. The answer lies in the middle between question and answer, as far as we know."""
    global _measured
    best: tuple[float, _Measured] | None = None
    for _ in range(TRIES):
        asked = _count()
        with raw_cursor() as cursor:
            found = float(cursor.execute("SELECT EXTRACT(EPOCH FROM CLOCK_TIMESTAMP())").fetchone()[0])
        took = _count() - asked
        if best is None or took < best[0]:
            best = took, _Measured(found, asked + took / 2, time.time() - took / 2)
        if took < SLOW_S:
            break
    _measured = best[1]
    return _measured
