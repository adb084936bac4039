"""The statements on django-q2's table of waiting tasks: add one, count them, take the first."""
from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from django import db
from django.conf import settings
from django.utils import timezone
from django_q.conf import Conf

from gs2admin.db.raw import raw_cursor

_ADD = """
    INSERT INTO django_q_ormq (key, payload, lock) SELECT %s, %s, %s
    WHERE (SELECT COUNT(*) FROM (SELECT 1 FROM django_q_ormq WHERE key = %s LIMIT %s) waiting) < %s RETURNING id
"""
_ADD_ALONE = f"""
    WITH soon AS (SELECT set_config('synchronous_commit', 'off', TRUE))
    {_ADD.replace("RETURNING", "AND EXISTS (SELECT 1 FROM soon) RETURNING")}
"""


def add(key: str, payload: str, *, at_most: int) -> int | None:
    """Add a task to a queue; returns the row's id, None where at_most wait already (0: it is always added)."""
    link = db.connections[Conf.ORM]
    with link.cursor() as cursor:
        values = [key, payload, link.ops.adapt_datetimefield_value(timezone.now())]
        if not at_most:
            cursor.execute("INSERT INTO django_q_ormq (key, payload, lock) VALUES (%s, %s, %s) RETURNING id", values)
        else:
            # On its own, PostgreSQL's commit need not wait for the disk: it may be lost with the server, as any wake-up.
            alone = link.vendor == "postgresql" and not link.in_atomic_block
            cursor.execute(_ADD_ALONE if alone else _ADD, [*values, key, at_most, at_most])
        found = cursor.fetchone()
    return found[0] if found else None


def waiting(key: str, most: int) -> int:
    """How many tasks wait in a queue, counted up to `most`."""
    with db.connections[Conf.ORM].cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM (SELECT 1 FROM django_q_ormq WHERE key = %s LIMIT %s) waiting", [key, most])
        return cursor.fetchone()[0]


def take_first(keys: Sequence[str]) -> tuple[tuple[str, str] | None, bool]:
    """Remove the first task, of one key after the other. Returns ((key, payload) or None, whether more may wait)."""
    with raw_cursor() as cursor:
        if settings.ON_POSTGRES:
            found = cursor.execute(_text(_TAKE, len(keys)), (*keys, *keys, *keys)).fetchone()
            return (found[:2], found[2]) if found else (None, False)
        # Looked for first: a DELETE that finds nothing would wait for SQLite's one write lock.
        seen = cursor.execute(_text(_SEE, len(keys)), (*keys, *keys, *keys)).fetchone()
        if seen is None:
            return None, False
        found = cursor.execute("DELETE FROM django_q_ormq WHERE id = ? RETURNING key, payload", (seen[0],)).fetchone()
        # Another cluster may have been quicker; then there may be more.
        return found, bool(seen[1]) or found is None


_FIRST = "FROM django_q_ormq WHERE key IN ({keys}) ORDER BY CASE key {places} END, id LIMIT 1"
# A crash of the server may bring a taken task back, which does no harm: its commit need not wait for the disk.
_TAKE = f"""
    WITH soon AS (SELECT set_config('synchronous_commit', 'off', TRUE)), taken AS (
        DELETE FROM django_q_ormq WHERE id = (SELECT id {_FIRST} FOR UPDATE SKIP LOCKED) AND EXISTS (SELECT 1 FROM soon)
        RETURNING id, key, payload
    )
    SELECT key, payload, EXISTS (SELECT 1 FROM django_q_ormq other WHERE other.key IN ({{keys}}) AND other.id <> taken.id)
    FROM taken
"""
_SEE = f"""
    SELECT first.id, EXISTS (SELECT 1 FROM django_q_ormq other WHERE other.key IN ({{keys}}) AND other.id <> first.id)
    FROM (SELECT id {_FIRST}) first
"""


@cache
def _text(statement: str, count: int) -> str:
    places = " ".join(f"WHEN %s THEN {place}" for place in range(count))
    text = statement.replace("{keys}", ", ".join(["%s"] * count)).replace("{places}", places)
    return text if settings.ON_POSTGRES else text.replace("%s", "?")
