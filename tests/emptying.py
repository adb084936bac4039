"""Emptying the database after a test that committed: of 60 tables a test writes into a few, and those are emptied.

Django truncates all of them, makes each content type and permission anew, and lets the server adopt its key again: half a second
on PostgreSQL. What `migrate` writes stays here as it was before the first test.
"""
from __future__ import annotations

from functools import cache

from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase

# What `migrate` writes into tables of models.
KEPT = ("django_content_type", "auth_permission", "identity_serverkey")
# Of more rows TRUNCATE is quicker, and leaves the planner no dead ones to read over.
MANY = 2_000


@cache
def tables() -> tuple[str, ...]:
    """All tables of models, without those that `migrate` fills."""
    return tuple(name for name in connection.introspection.django_table_names(only_existing=True, include_views=False) if name not in KEPT)


def _kept_rows() -> list[list[tuple]]:
    found = []
    with connection.cursor() as cursor:
        for name in KEPT:
            cursor.execute(f'SELECT * FROM "{name}" ORDER BY 1')
            found.append(cursor.fetchall())
    return found


@cache
def first_rows() -> list[list[tuple]]:
    """What `migrate` wrote; asked before the first test that commits."""
    return _kept_rows()


def empty(*_: object) -> None:
    """Remove what was committed."""
    look = " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in tables())
    with connection.cursor() as cursor:
        cursor.execute(look)
        written = [name for name, in cursor.fetchall()]
        many = False
        for name in written if connection.vendor == "postgresql" else ():
            cursor.execute(f'SELECT count(*) FROM (SELECT 1 FROM "{name}" LIMIT {MANY}) AS few')
            many |= cursor.fetchone()[0] == MANY
    if many or _kept_rows() != first_rows():
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False, inhibit_post_migrate=False)
        first_rows.cache_clear()
        first_rows()
        return
    # Keys are checked at the end of the transaction on either database, so the order does not matter.
    with transaction.atomic(), connection.cursor() as cursor:
        for name in written:
            cursor.execute(f'DELETE FROM "{name}"')


def use_it() -> None:
    """From now on TransactionTestCase, which pytest-django's transactional_db is made of, empties the database so."""
    usual = TransactionTestCase._pre_setup.__func__

    def setup(cls) -> None:
        usual(cls)
        first_rows()

    def teardown(self) -> None:
        empty()

    TransactionTestCase._pre_setup = classmethod(setup)
    TransactionTestCase._fixture_teardown = teardown
