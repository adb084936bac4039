"""Which errors of the drivers are an outage, and of which kind: what the servers themselves raise."""
import errno
import sqlite3
import threading
import time

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import DataError, InterfaceError, OperationalError, ProgrammingError, connection, connections, transaction
from psycopg_pool import PoolTimeout

from gs2admin import outage
from gs2admin.cache import Cache
from gs2admin.db import patience
from gs2admin.engine import sweep
from tests.conditions import until

on_sqlite = pytest.mark.skipif("not settings.ON_SQLITE", reason="about SQLite")
on_postgres = pytest.mark.skipif("settings.ON_SQLITE", reason="about PostgreSQL")


def kind_of(problem) -> str:
    found = outage.of(problem)
    return found.kind if found else ""


@pytest.mark.parametrize("problem, kind", [
    (OperationalError("away"), "away"),
    (InterfaceError("connection already closed"), "away"),
    (PoolTimeout("couldn't get a connection after 3.00 sec"), "busy"),
    (psycopg.OperationalError("connection failed: FATAL: sorry, too many clients already"), "busy"),
    (psycopg.OperationalError('FATAL:  too many connections for role "x"'), "busy"),
    (psycopg.OperationalError("FATAL: remaining connection slots are reserved for roles with ..."), "busy"),
    (psycopg.OperationalError("connection refused"), "away"),
    (psycopg.InterfaceError("the connection is closed"), "away"),
    (redis.ConnectionError("refused"), "redis"),
    (redis.TimeoutError("silent"), "redis"),
    (OSError(errno.ENOSPC, "No space left on device"), "full"),
    (OSError(errno.EDQUOT, "Disk quota exceeded"), "full"),
    (OSError(errno.EROFS, "Read-only file system"), "readonly"),
    (FileNotFoundError(errno.ENOENT, "No such file"), ""),
    (psycopg.ProgrammingError("wrong"), ""),
    (ProgrammingError("no such column"), ""),
    (DataError("too long"), ""),
    (ValueError("a fault of ours"), ""),
    (None, ""),
])
def test_what_an_exception_tells(problem, kind):
    assert kind_of(problem) == kind


def test_what_it_was_raised_from_counts_and_what_was_left_behind_does_not():
    def raised(how):
        try:
            try:
                raise psycopg.errors.DiskFull("full")
            except psycopg.Error as full:
                how(full)
        except RuntimeError as problem:
            return problem
        return None

    def from_it(full):
        raise RuntimeError("could not be rendered") from full

    def instead(full):
        raise RuntimeError("another") from None

    assert kind_of(raised(from_it)) == "full"
    assert kind_of(raised(instead)) == ""


@on_postgres
@pytest.mark.parametrize("code, kind", [
    ("53100", "full"), ("53200", "busy"), ("53300", "busy"), ("57014", "slow"), ("25P04", "slow"), ("55P03", "locked"),
    ("40P01", "conflict"), ("40001", "conflict"), ("57P01", "away"), ("57P03", "away"), ("08006", "away"), ("25006", "readonly"),
    ("58030", "broken"), ("XX001", "damaged"), ("XX000", ""), ("23505", ""), ("42P01", ""), ("22001", ""),
])  # fmt: skip
def test_what_postgresql_raises(db, code, kind):
    with pytest.raises(Exception) as met, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'password=hush' USING ERRCODE = '{code}'; END $$")
    assert kind_of(met.value) == kind


@on_sqlite
def test_sqlite_is_full_locked_or_only_read(db, tmp_path):
    file = tmp_path / "small.db"
    small = sqlite3.connect(file, timeout=0, isolation_level=None)
    small.execute("CREATE TABLE t (x)")
    small.execute("PRAGMA max_page_count = 3")
    kinds = [_raised(small, "INSERT INTO t VALUES (zeroblob(100000))")]
    small.execute("BEGIN IMMEDIATE")
    kinds.append(_raised(sqlite3.connect(file, timeout=0), "INSERT INTO t VALUES (1)"))
    kinds.append(_raised(sqlite3.connect(f"file:{file}?mode=ro", uri=True), "INSERT INTO t VALUES (1)"))
    kinds.append(_raised(sqlite3.connect(file), "SELECT * FROM missing"))
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"not a database, but long enough to be read as the head of one" * 20)
    kinds.append(_raised(sqlite3.connect(broken), "SELECT * FROM sqlite_master"))
    assert kinds == ["full", "locked", "readonly", "", "damaged"]


def _raised(link: sqlite3.Connection, statement: str) -> str:
    with pytest.raises(sqlite3.Error) as met:
        link.execute(statement)
    return kind_of(met.value)


@on_sqlite
def test_an_io_error_on_a_disk_without_room_is_a_full_disk(monkeypatch):
    problem = sqlite3.OperationalError("disk I/O error")
    problem.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    assert kind_of(problem) == "broken"
    monkeypatch.setattr(outage, "no_room", lambda where: True)
    assert kind_of(problem) == "full"


# ── Waits that end ──────────────────────────────────────────────────────────────────────────────────────────

FOREVER = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


@on_sqlite
def test_a_statement_of_sqlite_ends_after_its_time(transactional_db):
    link = connections.create_connection("default")
    link.settings_dict = {**link.settings_dict, "OPTIONS": {**link.settings_dict["OPTIONS"], "statement_s": 0.3}}
    began = time.thread_time()
    with pytest.raises(OperationalError) as met, link.cursor() as cursor:
        cursor.execute(FOREVER)
    took = time.thread_time() - began
    with link.cursor() as cursor:
        assert cursor.execute("SELECT 1").fetchone() == (1,)
    link.close()
    assert (kind_of(met.value), took < 1.5) == ("slow", True)


def test_a_probe_waits_for_no_lock(transactional_db):
    """A thread with little patience gives up; without it, it waits as before."""
    taken, done = threading.Event(), threading.Event()

    def hold():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("UPDATE identity_project SET name = name" if settings.ON_SQLITE else "LOCK TABLE identity_project")
                taken.set()
                done.wait(20)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert taken.wait(10)
        began = time.monotonic()
        with pytest.raises(OperationalError) as met, patience.within(0.5), connection.cursor() as cursor:
            cursor.execute("UPDATE identity_project SET name = name")
        took = time.monotonic() - began
    finally:
        done.set()
        thread.join()
    assert kind_of(met.value) == ("locked" if settings.ON_SQLITE else "away")
    assert took < 5  # 20 s, and for ever on PostgreSQL, without the limit
    connection.close()  # on PostgreSQL it is broken, as after any loss of the link
    with connection.cursor() as cursor:
        cursor.execute("UPDATE identity_project SET name = name")


def test_patience_is_the_shortest_of_all_limits():
    assert patience.left(None) is None
    with patience.each(3):
        assert (patience.left(None), patience.left(1)) == (3, 1)
        with patience.within(0.0):
            assert patience.left(7) == 0.0
    with patience.within(60), patience.within(600):
        assert 50 < patience.left(100) <= 60
    assert patience.left(9) == 9


def test_a_full_disk_is_remembered_for_the_probe_and_forgotten(monkeypatch):
    monkeypatch.setattr(outage, "_lately", Cache(ttl_s=0.3, entries=1, max_bytes=10_000))
    assert not outage.full_lately()
    outage.seen(psycopg.errors.DiskFull("could not extend file"))
    assert outage.full_lately()
    until(lambda: not outage.full_lately(), 3)


def test_the_log_has_the_reason_in_one_line(caplog):
    outage.seen(psycopg.errors.DiskFull("could not extend file\nDETAIL: password=hush"))
    (line,) = caplog.records
    assert (line.getMessage(), line.problem) == ("answered 503: full", "DiskFull: could not extend file")


def test_what_runs_by_itself_says_why_it_cannot(monkeypatch, caplog):
    def full():
        raise OperationalError("database or disk is full") from psycopg.errors.DiskFull("could not extend file")

    monkeypatch.setattr(sweep, "SWEEPERS", {"wake": full})
    monkeypatch.setattr(sweep, "_away", set())
    assert sweep.sweep_once() == 0
    assert "sweeper: the database is full" in caplog.text


def test_room_on_a_disk(tmp_path):
    assert not outage.no_room(tmp_path)
    assert not outage.no_room(tmp_path / "missing")
