"""The wait for SQLite's write lock: short steps first, the usual patience after, and a clear error at the end."""
from __future__ import annotations

import sqlite3
import threading

import pytest
from django.db import Error, OperationalError, connection, transaction

from gs2admin.db.sqlite3 import base

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="SQLite's lock"),
]


@pytest.fixture
def holder():
    """Another connection, which has the write lock."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def patience() -> int:
    """Of a statement outside of a transaction; one inside has the only lock already."""
    with connection.cursor() as cursor:
        return cursor.execute("PRAGMA busy_timeout").fetchone()[0]


def test_the_lock_is_had_while_others_let_it_go_in_time(holder):
    connection.ensure_connection()
    before = patience()
    threading.Timer(base.NIMBLE_S / 4, lambda: holder.execute("ROLLBACK")).start()
    with transaction.atomic():
        assert connection.connection.in_transaction
    assert patience() == before == 20_000


def test_a_lock_that_is_held_longer_is_waited_for_by_sqlite_itself(holder, monkeypatch):
    connection.ensure_connection()
    monkeypatch.setattr(base, "NIMBLE_S", 0.0)
    monkeypatch.setattr(base, "YIELD_S", 0.0)
    threading.Timer(0.05, lambda: holder.execute("ROLLBACK")).start()
    with transaction.atomic():
        assert connection.connection.in_transaction
    assert patience() == 20_000


def test_a_lock_that_is_never_free_is_an_error_and_nothing_is_left_open(holder, monkeypatch):
    connection.ensure_connection()
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.2)
    try:
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            pytest.fail("the lock was had twice")
        assert not connection.connection.in_transaction
    finally:
        connection.connection.execute("PRAGMA busy_timeout = 20000")
    holder.execute("ROLLBACK")
    with transaction.atomic():
        assert connection.connection.in_transaction


def test_a_connection_that_is_gone_is_an_error_of_django_s(transactional_db):
    connection.ensure_connection()
    connection.connection.close()
    try:
        with pytest.raises(Error), transaction.atomic():
            pytest.fail("there is nothing to begin on")
    finally:
        connection.close()
