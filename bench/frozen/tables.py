"""All rows of all tables, but what a lost worker may still write about itself."""
from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection

# Of queues that a nested call ran, the lease is let go and the head read anew; of a call that broke off, others are told so.
ITS_OWN = {
    "jobqueue_queue": {
        "lease_until", "leased_by", "fence", "let_go_fence", "rev", "started_rev", "woken_at", "draining", "next_at", "head_at",
        "head_tries",
    },
    "wire_duplicaterecord": {"lease_until"},
}
NOT_LOOKED_AT = {"django_migrations"}


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """{table: its rows in order}."""
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            if table in NOT_LOOKED_AT:
                continue
            columns = [field.column for field in model._meta.concrete_fields if field.column not in ITS_OWN.get(table, ())]
            cursor.execute(f"SELECT {', '.join(connection.ops.quote_name(column) for column in columns)} FROM {table}")
            found[table] = sorted((tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in cursor), key=repr)
    return found


def changed(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> list[str]:
    """The tables that differ."""
    return [table for table in before if before[table] != after[table]]
