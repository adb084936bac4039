"""The statements of stored answers, by the driver's own cursor: each call with a duplication avoider runs two of them.

One insert decides who is first. On PostgreSQL it waits for a transaction that is about to insert the same key, and then sees how
that ended; on SQLite there is one writer at a time. The database's clock says what is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from gs2admin.db.raw import raw_cursor, vendor

_LATER = {
    "sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW', '{0} seconds')",
    "postgresql": "(STATEMENT_TIMESTAMP() + INTERVAL '{0} seconds')",
}  # fmt: skip
# A record that is over counts as none, and becomes the new one.
_BEGIN = """
    INSERT INTO wire_duplicaterecord (key, project_id, method, user_id, request_digest, answer, lease_until, created_at)
    VALUES (%s, %s, %s, %s, %s, NULL, {until}, {now}) ON CONFLICT (key) DO UPDATE SET
        request_digest = excluded.request_digest, answer = NULL, lease_until = excluded.lease_until,
        created_at = excluded.created_at
    WHERE wire_duplicaterecord.created_at <= {over}
    RETURNING 1
"""
_READ = "SELECT request_digest, answer, lease_until IS NOT NULL AND lease_until < {now} FROM wire_duplicaterecord WHERE key = %s"
_SETTLE = "UPDATE wire_duplicaterecord SET answer = %s, lease_until = NULL WHERE key = %s AND answer IS NULL RETURNING 1"


class Fresh(NamedTuple):
    """A call as it is recorded. key: digest of who calls what under which avoider; the names are for people."""

    key: str
    project_id: int
    method: str
    user_id: str
    request_digest: str


class Record(NamedTuple):
    """answer: JSON text, None while the call goes on. broke_off: its lease has run out."""

    request_digest: str
    answer: str | None
    broke_off: bool


def begin(fresh: Fresh, *, kept_s: int, lease_s: int | None = None) -> bool:
    """Record a call that begins. False when there is one of the same key that is younger than kept_s."""
    return bool(_rows(_BEGIN, fresh, lease_s, kept_s))


def read(key: str) -> Record | None:
    """The record of an earlier call."""
    rows = _rows(_READ, (key,))
    return Record(*rows[0]) if rows else None


def settle(key: str, answer: str) -> bool:
    """Store the answer of a call that goes on; False when it has one, or its record is gone."""
    return bool(_rows(_SETTLE, (answer, key)))


def _rows(statement: str, values: Sequence[Any], lease_s: int | None = None, kept_s: int = 0) -> list[tuple[Any, ...]]:
    with raw_cursor() as cursor:
        cursor.execute(_text(statement, vendor(), lease_s, kept_s), values)
        return cursor.fetchall()


@cache
def _text(statement: str, kind: str, lease_s: int | None, kept_s: int) -> str:
    later = _LATER[kind]
    made = statement.format(
        now=later.format("+0"), over=later.format(f"-{kept_s}"), until="NULL" if lease_s is None else later.format(f"+{lease_s}")
    )
    return made.replace("%s", "?") if kind == "sqlite" else made
