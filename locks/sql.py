"""The statements that decide, one per change of a mutex, written once for both databases.

Each is one conditional UPDATE: its WHERE has the rule, its row count is the decision, and it reads the database's clock to
know what has expired. On PostgreSQL an UPDATE that finds the mutex held by another does not lock
the row, which an upsert would do. A trigger (migration 0001) writes the history in the same statement.
"""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple

from django.db import connection, transaction

from gs2admin.db.raw import fetch, run, vendor
from locks.states import FOREVER_MS, Ended

_WORDS = {
    "sqlite": {
        "{now}": "CAST(ROUND((JULIANDAY('now') - 2440587.5) * 86400000) AS INTEGER)",
        "{least}": "MIN",
        "{greatest}": "MAX",
    },
    "postgresql": {
        # The start of the statement: it means the same to every part of it, also when it had to wait for the row.
        "{now}": "CAST(EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP()) * 1000 AS BIGINT)",
        "{least}": "LEAST",
        "{greatest}": "GREATEST",
    },
}
_LIVE = "counter > 0 AND until_ms > {now}"
_STATE = "id, transaction_id, counter, revision, acquired_ms, until_ms, ended, {now}"
_READ = f"SELECT {_STATE} FROM locks_mutex WHERE key = %s"
_NEW = """
    INSERT INTO locks_mutex (namespace_id, key, user_id, property_id, transaction_id, counter, revision, acquired_ms, until_ms,
                             ended_ms, ended, ended_by, denied, expired)
    VALUES (%s, %s, %s, %s, '', 0, 0, 0, 0, {now}, '', '', 0, 0) ON CONFLICT (key) DO NOTHING RETURNING id
"""
# Parameters: transaction, transaction, ttl, ttl, transaction, transaction, transaction, transaction, key, transaction.
_MINE = f"({_LIVE} AND transaction_id = %s)"
_UNTIL = f"{{least}}({{now}} + %s, {FOREVER_MS})"
_FLOOR = "(SELECT floor FROM locks_locknamespace WHERE locks_locknamespace.id = namespace_id)"
_LOCK = f"""
    UPDATE locks_mutex SET
        revision = CASE WHEN {_MINE} THEN revision ELSE {{greatest}}(revision, {_FLOOR}) + 1 END,
        counter = CASE WHEN {_MINE} THEN counter + 1 ELSE 1 END,
        until_ms = CASE WHEN {_MINE} THEN {{greatest}}(until_ms, {_UNTIL}) ELSE {_UNTIL} END,
        acquired_ms = CASE WHEN {_MINE} THEN acquired_ms ELSE {{now}} END,
        expired = expired + CASE WHEN counter > 0 AND until_ms <= {{now}} THEN 1 ELSE 0 END,
        ended = CASE WHEN {_MINE} THEN ended WHEN counter > 0 THEN '{Ended.EXPIRED}' ELSE '' END,
        ended_by = '', transaction_id = %s
    WHERE key = %s AND (counter = 0 OR until_ms <= {{now}} OR transaction_id = %s)
        AND EXISTS (SELECT 1 FROM locks_locknamespace WHERE locks_locknamespace.id = namespace_id AND status = 'ACTIVE')
    RETURNING {_STATE}
"""
_UNLOCK = f"""
    UPDATE locks_mutex SET
        counter = counter - 1,
        ended = CASE WHEN counter = 1 THEN '{Ended.UNLOCKED}' ELSE ended END,
        ended_ms = CASE WHEN counter = 1 THEN {{now}} ELSE ended_ms END
    WHERE key = %s AND {_LIVE} AND transaction_id = %s
    RETURNING {_STATE}
"""
_EXTEND = f"""
    UPDATE locks_mutex SET until_ms = {{greatest}}(until_ms, {_UNTIL})
    WHERE key = %s AND {_LIVE} AND transaction_id = %s AND revision = %s
    RETURNING {_STATE}
"""
_FREE = f"""
    UPDATE locks_mutex SET counter = 0, ended = %s, ended_by = %s, ended_ms = {{now}}
    WHERE key = %s AND {_LIVE} AND (%s = 0 OR revision = %s)
    RETURNING {_STATE}
"""
_EXPIRE = f"""
    UPDATE locks_mutex SET counter = 0, ended = '{Ended.EXPIRED}', ended_by = '', ended_ms = until_ms, expired = expired + 1
    WHERE id = %s AND counter > 0 AND until_ms <= {{now}}
    RETURNING namespace_id
"""

_TALLY_ROW = "(%s, %s, 60, %s, %s, %s, %s, 0)"
_TALLY = """
    INSERT INTO locks_locktally (namespace_id, at, span_s, shard, acquired, denied, expired, held) VALUES {rows}
    ON CONFLICT (namespace_id, at, span_s, shard) DO UPDATE SET
        acquired = locks_locktally.acquired + excluded.acquired, denied = locks_locktally.denied + excluded.denied,
        expired = locks_locktally.expired + excluded.expired
"""


@dataclass(frozen=True, slots=True)
class State:
    """A mutex as one statement saw or left it; now_ms is that statement's time.

    After the last unlock the counter is 0 and the rest is as it was.
    """

    id: int
    transaction_id: str
    counter: int
    revision: int
    acquired_ms: int
    until_ms: int
    ended: str
    now_ms: int

    @property
    def held(self) -> bool:
        """Whether somebody held it at that time."""
        return self.counter > 0 and self.until_ms > self.now_ms


class MinuteCounts(NamedTuple):
    """What happened in a namespace in one minute. shard: one of several rows per minute, so that processes do not wait."""

    namespace_id: int
    minute: datetime
    shard: int
    acquired: int
    denied: int
    expired: int


def key_of(namespace_id: int, user_id: str, property_id: str) -> bytes:
    """The key of a mutex, 20 bytes. The length of the user id keeps "a" + "bc" and "ab" + "c" apart."""
    text = f"{namespace_id}:{len(user_id)}:{user_id}:{property_id}"
    return blake2b(text.encode(), digest_size=20).digest()


@cache
def text(statement: str) -> str:
    """The statement for the driver's own cursor on this process's database."""
    for word, meaning in _WORDS[vendor()].items():
        statement = statement.replace(word, meaning)
    return statement.replace("%s", "?") if vendor() == "sqlite" else statement


def _rows(statement: str, values: Sequence[Any]) -> list[tuple]:
    """Run it by the driver's own cursor."""
    return (fetch if statement.startswith("SELECT") else run)(text(statement), values)


def _one(statement: str, values: Sequence[Any]) -> State | None:
    rows = _rows(statement, values)
    return State(*rows[0]) if rows else None


def now_ms() -> int:
    """The database's time in Unix milliseconds."""
    return _rows("SELECT {now}", ())[0][0]


def read(key: bytes) -> State | None:
    """The mutex now; None when it was never locked. Locks nothing."""
    return _one(_READ, (key,))


def make(namespace_id: int, key: bytes, user_id: str, property_id: str) -> None:
    """Make a free mutex, unless there is one. Raises IntegrityError when the namespace is gone."""
    _rows(_NEW, (namespace_id, key, user_id, property_id))


def lock(key: bytes, transaction_id: str, ttl_ms: int) -> State | None:
    """Acquire it, or lock it once more; None when another transaction holds it, it has no row, or its namespace closes.

    A new holder has counter 1. `ended` is then "expired" when the holding before was lost without unlock.
    """
    t = transaction_id
    return _one(_LOCK, (t, t, t, ttl_ms, ttl_ms, t, t, t, key, t))


def unlock(key: bytes, transaction_id: str) -> State | None:
    """One count less; None when this transaction does not hold it."""
    return _one(_UNLOCK, (key, transaction_id))


def extend(key: bytes, transaction_id: str, revision: int, ttl_ms: int) -> State | None:
    """A later end, the count unchanged; None when that holding is over."""
    return _one(_EXTEND, (ttl_ms, key, transaction_id, revision))


def free(key: bytes, ended: Ended, *, by: str = "", revision: int = 0) -> State | None:
    """Release it whatever its count; None when it is not held, or not by the holding of that revision (0: any)."""
    return _one(_FREE, (str(ended), by, key, revision, revision))


def expire(mutex_id: int) -> int | None:
    """Note that a holding has run out; returns the namespace's id, None when it was taken over meanwhile."""
    rows = _rows(_EXPIRE, (mutex_id,))
    return rows[0][0] if rows else None


def remove(namespace_id: int, ids: Sequence[int], *, idle_since_ms: int | None = None) -> int:
    """Delete rows and raise the namespace's floor to their revisions, all in one transaction; returns how many went.

    idle_since_ms: only those that have been free since then.
    """
    if not ids:
        return 0
    places = ", ".join(["%s"] * len(ids))
    idle = "" if idle_since_ms is None else " AND counter = 0 AND ended_ms < %s"
    more = () if idle_since_ms is None else (idle_since_ms,)
    with transaction.atomic():
        found = _rows(
            f"DELETE FROM locks_mutex WHERE namespace_id = %s AND id IN ({places}){idle} RETURNING id, revision",
            (namespace_id, *ids, *more),
        )
        if found:
            highest = max(revision for _, revision in found)
            raised = "UPDATE locks_locknamespace SET floor = {greatest}(floor, %s) WHERE id = %s RETURNING floor"
            _rows(raised, (highest, namespace_id))
            gone = ", ".join(["%s"] * len(found))
            _rows(f"DELETE FROM locks_holding WHERE mutex_id IN ({gone}) RETURNING id", [pk for pk, _ in found])
        return len(found)


def count(tallies: Sequence[MinuteCounts]) -> None:
    """Add counts to the tallies, in the caller's transaction."""
    values: list[Any] = []
    for each in tallies:
        values += each._replace(minute=connection.ops.adapt_datetimefield_value(each.minute))
    with connection.cursor() as cursor:
        cursor.execute(_TALLY.format(rows=", ".join([_TALLY_ROW] * len(tallies))), values)


def count_denied(refused: Sequence[tuple[int, int]]) -> None:
    """Add refusals to their mutexes, in the caller's transaction: (mutex id, number) each."""
    with connection.cursor() as cursor:
        for mutex_id, number in refused:
            cursor.execute("UPDATE locks_mutex SET denied = denied + %s WHERE id = %s", [number, mutex_id])
