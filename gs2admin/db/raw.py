"""The database driver's own cursor, for the few statements that are run thousands of times a second.

Django's wrappers cost as much as such a statement itself, and on PostgreSQL more than half of the server's time went into
parsing and planning it anew each time: here psycopg keeps it prepared. (Django's own cursors put the parameters into the
text, so nothing of theirs is ever prepared.)
"""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from gs2admin.db import fences


@cache
def vendor() -> str:
    """sqlite or postgresql. Cached: asking the connection costs as much as a tenth of a statement."""
    return connections[DEFAULT_DB_ALIAS].vendor


@contextmanager
def raw_cursor() -> Iterator[Any]:
    """A cursor on Django's connection and in its transaction; its errors are django.db's.

    On SQLite the parameters are written ?, on PostgreSQL %s. Queries are not logged and not counted by Django.
    On behalf of a lease's holder (fences.py) it opens a transaction where there is none.
    """
    ours = connections[DEFAULT_DB_ALIAS]
    ours.ensure_connection()
    if fences.active() and not ours.in_atomic_block:
        with transaction.atomic(), raw_cursor() as cursor:
            yield cursor
        return
    with ours.wrap_database_errors, closing(_cursor(ours)) as cursor:
        yield cursor


def _cursor(ours: Any) -> Any:
    if ours.vendor != "postgresql":
        ours.statement_begins()
        return ours.connection.cursor()
    import psycopg

    return psycopg.Cursor(ours.connection)


def run(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows of one statement, as by raw_cursor, for statements that write.

    All are fetched: on SQLite a statement that returns rows commits with the last of them.
    """
    ours = connections[DEFAULT_DB_ALIAS]
    if fences.active() and not ours.in_atomic_block:
        with transaction.atomic():
            return _fetched(ours, sql, values)
    return _fetched(ours, sql, values)


def fetch(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The same for a statement that only reads: it changes nothing, so it needs no transaction of a lease's holder."""
    ours = connections[DEFAULT_DB_ALIAS]
    if ours.vendor == "postgresql":  # a file needs no look at whether it is still there
        ours.close_if_health_check_failed()
    return _fetched(ours, sql, values)


def _fetched(ours: Any, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    ours.ensure_connection()
    with ours.wrap_database_errors, closing(_cursor(ours)) as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()
