"""The tables of an empty database, made at once from a text instead of by each migration in turn.

`make schema` writes the texts, one for each kind of database, of what all migrations make: tables, indexes, constraints,
triggers, and the rows of migrations, content types and permissions. Whatever a text does not have yet is migrated as ever.
"""
from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

FOLDER = Path(__file__).parent / "prepared_sql"
# One process at a time looks whether a PostgreSQL database is empty and fills it; another number than engine.alone's, whose lock
# `manage.py up` holds meanwhile. "prepared" in ASCII.
LOCK = int.from_bytes(b"prepared")


def file_of(vendor: str) -> Path:
    """Where the text for that kind of database is. vendor: "sqlite" or "postgresql"."""
    return FOLDER / f"{vendor}.sql"


def make(connection: BaseDatabaseWrapper, afterwards: Callable[[], None]) -> bool:
    """Fill an empty database in one transaction, and call afterwards() in it. False, and nothing is done, when it has any table.

    Whoever dies in the middle leaves an empty database.
    """
    if not _is_empty(connection):
        return False
    text = file_of(connection.vendor).read_text()
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        if not _is_empty(connection):
            return False
        for statement in statements(text) if connection.vendor == "sqlite" else [text]:
            cursor.execute(statement)
        afterwards()
    return True


def _is_empty(connection: BaseDatabaseWrapper) -> bool:
    return not connection.introspection.table_names(include_views=True)


def statements(text: str) -> Iterator[str]:
    """SQLite's driver takes one at a time: a trigger ends where SQLite says so, not at its first semicolon."""
    part = ""
    for line in text.splitlines(keepends=True):
        part += line
        if line.endswith(";\n") and sqlite3.complete_statement(part):
            yield part.rstrip(";\n")
            part = ""
