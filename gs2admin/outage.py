"""Why something that we depend on cannot serve us just now: the one place that tells it from the errors of the drivers.

Whoever answers a client asks `seen` about an exception and answers 503 in the words of its own door; `of` only tells.
A mistake of ours (a table that is missing, a statement that is wrong) is no outage, also where a driver calls it one.
"""
from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError

from gs2admin.cache import Cache

log = logging.getLogger(__name__)
# With less than so many bytes left, SQLite's "disk I/O error" is a full disk: it needs room for its log and its index of it.
NO_ROOM = 128 * 1024
# For so long after a write that found the disk full, /readyz says so. s.
REMEMBERED_S = 5.0


@dataclass(frozen=True)
class Outage:
    """kind: one word, for programs. sentence: for people. retry_after_s: when it is worth trying again."""

    kind: str
    sentence: str
    retry_after_s: int


AWAY = Outage("away", "The database does not answer just now; try again in a few seconds.", 5)
BUSY = Outage("busy", "All connections to the database are in use just now; try again in a moment.", 2)
SLOW = Outage("slow", "The database took too long for this, so it was given up; try again in a moment.", 5)
LOCKED = Outage("locked", "Something else has kept what this needs in the database locked; try again in a few seconds.", 5)
CONFLICT = Outage("conflict", "Another change of the same came first, so nothing was changed; try again.", 1)
FULL = Outage("full", "The disk of the database is full: nothing can be saved until space is freed. Reading still works.", 30)
FILES_FULL = Outage("full", "The disk of the server is full: nothing can be saved until space is freed. Reading still works.", 30)
READ_ONLY = Outage("readonly", "The database can only be read just now, so nothing can be saved; tell an administrator.", 30)
FILES_READ_ONLY = Outage("readonly", "The server's disk can only be read, so nothing can be saved; tell an administrator.", 30)
BROKEN = Outage("broken", "The database cannot read or write its files; an administrator has to look at its disk.", 30)
DAMAGED = Outage("damaged", "The file of the database is damaged; an administrator has to restore it from a backup.", 60)
REDIS = Outage("redis", "Redis does not answer just now; try again in a few seconds.", 5)

_SQLITE = {
    sqlite3.SQLITE_BUSY: LOCKED, sqlite3.SQLITE_LOCKED: LOCKED, sqlite3.SQLITE_FULL: FULL, sqlite3.SQLITE_INTERRUPT: SLOW,
    sqlite3.SQLITE_READONLY: READ_ONLY, sqlite3.SQLITE_IOERR: BROKEN, sqlite3.SQLITE_CANTOPEN: BROKEN,
    sqlite3.SQLITE_CORRUPT: DAMAGED, sqlite3.SQLITE_NOTADB: DAMAGED,
}  # fmt: skip
# PostgreSQL's codes (appendix A of its manual), whole or the class.
_SQLSTATES = {
    "08": AWAY, "28": AWAY, "3D000": AWAY, "57P": AWAY, "25P03": AWAY, "53300": BUSY, "53400": BUSY, "53200": BUSY, "53000": BUSY,
    "57014": SLOW, "25P04": SLOW, "55P03": LOCKED, "40P01": CONFLICT, "40001": CONFLICT, "40003": AWAY,
    "53100": FULL, "25006": READ_ONLY, "58030": BROKEN, "58P01": BROKEN, "XX001": DAMAGED, "XX002": DAMAGED,
}  # fmt: skip
# A refused connection has no code, only the server's words.
_NO_SLOT = ("too many clients", "connection slots are reserved", "too many connections for")
_FILES = {
    errno.ENOSPC: FILES_FULL, errno.EDQUOT: FILES_FULL, errno.EFBIG: FILES_FULL, errno.EROFS: FILES_READ_ONLY,
}  # fmt: skip
_lately: Cache[str, bool] = Cache(ttl_s=REMEMBERED_S, entries=1, max_bytes=10_000)


def of(problem: BaseException | None) -> Outage | None:
    """The outage that an exception tells of, itself or as what it was raised from; None when it is another fault."""
    for each in _chain(problem):
        if found := _of_one(each):
            return found
    return None


def seen(problem: BaseException | None) -> Outage | None:
    """Like `of`, for whoever answers a client with it: it is written to the log, in one line, and /readyz knows of it."""
    found = of(problem)
    if found is not None:
        if found.kind == "full":
            _lately.put("full", True)
        log.warning("answered 503: %s", found.kind, extra={"reason": found.sentence, "problem": _words(problem)})
    return found


def word(problem: BaseException) -> str:
    """What the database is, in one word for the log: "full", "locked", "away" and so on; "failing" when that is not known."""
    found = of(problem)
    return found.kind if found else "failing"


def full_lately() -> bool:
    """A write of this process found the disk full less than REMEMBERED_S ago."""
    return _lately.get("full", False)


def no_room(where: Path) -> bool:
    """The file system of that directory has no room left for those who are not root."""
    try:
        found = os.statvfs(where)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < NO_ROOM


def only_read(where: Path) -> bool:
    """The file system of that directory is mounted so that nobody can write."""
    try:
        return bool(os.statvfs(where).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def _chain(problem: BaseException | None) -> Iterator[BaseException]:
    met: set[int] = set()
    while problem is not None and id(problem) not in met:
        met.add(id(problem))
        yield problem
        problem = problem.__cause__ or (None if problem.__suppress_context__ else problem.__context__)


def _of_one(problem: BaseException) -> Outage | None:
    if isinstance(problem, sqlite3.Error):
        return _of_sqlite(problem)
    if _is_of_redis(problem):
        return REDIS
    if isinstance(problem, OSError):
        return _FILES.get(problem.errno or 0)
    if any(kind.__module__.startswith("psycopg") for kind in type(problem).__mro__):
        return _of_psycopg(problem)
    # Django's own: what counts is the driver's, which follows in the chain. It stands alone where Django itself raised it.
    alone = problem.__cause__ is None and isinstance(problem, OperationalError | InterfaceError)
    return AWAY if alone else None


def _is_of_redis(problem: BaseException) -> bool:
    """By name: importing redis takes a tenth of a start, and few have one."""
    return any(kind.__name__ == "RedisError" and kind.__module__.startswith("redis.") for kind in type(problem).__mro__)


def _of_sqlite(problem: sqlite3.Error) -> Outage | None:
    found = _SQLITE.get((getattr(problem, "sqlite_errorcode", None) or 0) & 0xFF)
    if found is BROKEN and any(map(only_read, _homes())):
        return READ_ONLY
    return FULL if found is BROKEN and any(map(no_room, _homes())) else found


def _of_psycopg(problem: BaseException) -> Outage | None:
    names = {kind.__name__ for kind in type(problem).__mro__}
    code = getattr(problem, "sqlstate", None)
    if code:
        return next((_SQLSTATES[code[:length]] for length in (5, 3, 2) if code[:length] in _SQLSTATES), None)
    if "PoolTimeout" in names or "TooManyRequests" in names or any(words in str(problem) for words in _NO_SLOT):
        return BUSY
    return AWAY if names & {"OperationalError", "InterfaceError"} else None


def _homes() -> set[Path]:
    """Where SQLite's files are."""
    return {Path(settings.DATA_DIR), Path(settings.DATABASES["default"]["NAME"] or ".").parent}


def _words(problem: BaseException | None) -> str:
    """The driver's words, without the statement: messages of databases may go on with DETAIL and values."""
    last = [each for each in _chain(problem) if _of_one(each)][-1]
    return f"{type(last).__name__}: {str(last).strip().splitlines()[0] if str(last).strip() else ''}"[:300]
