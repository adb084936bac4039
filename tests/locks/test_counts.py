"""Numbers beside mutexes: a process that is killed between the two writes loses none, doubles none, and lowers no revision."""
from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import DatabaseError, connection

from gs2admin.identity.actors import SYSTEM
from gs2admin.namespaces import services as shared
from gs2admin.spans import span_of
from locks import chores, countfile, sql, stats
from locks.models import Holding, LockBatch, LockNamespace, LockTally, Mutex, Watermark
from locks.services.namespaces import create_namespace, delete_namespace
from tests.engine.conftest import database_url
from tests.locks.conftest import LOCKED
from tests.locks.test_stats import total

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process is gone: nothing catches it, and the database undoes what was not committed."""


@pytest.fixture
def killed_at(monkeypatch):
    """killed_at(place, name, act): run act, which dies when it comes to that function; before it, or with after=True after it."""

    def run(place, name, act, *, after=False):
        real = getattr(place, name)

        def function(*given, **named):
            if after:
                real(*given, **named)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(place, name, function)
            with pytest.raises(Killed):
                act()

    return run


@pytest.fixture
def web(monkeypatch, tmp_path):
    """A server's way of counting, in this process and in child(); nothing is written before somebody says so."""
    monkeypatch.setattr(settings, "PROCESS", "web"), monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    counts = stats.Counts()
    monkeypatch.setattr(counts, "_see_to_writing", lambda: None)
    monkeypatch.setattr(stats, "_counts", counts)
    return counts


CHILD = """
import os, signal
import django
django.setup()
from django.conf import settings
from locks import services, sql, stats
from locks.models import LockNamespace
from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
stats._counts._see_to_writing = lambda: None
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
def lock(who, of="p"):
    services.lock(actor=SYSTEM, namespace=space, user_id="u-1", property_id=of, transaction_id=who, ttl_s=60)
def refused(times, of="p"):
    for _ in range(times):
        try:
            lock("b", of)
        except Conflict:
            continue
        raise SystemExit("it was not refused")
space = LockNamespace.objects.get(name="trades")
"""


@pytest.fixture
def killed_child(tmp_path):
    """killed_child(code) runs it in a server process of its own on this database, which kills itself with SIGKILL."""

    def run(code: str) -> None:
        env = {**os.environ, "DATABASE_URL": database_url(), "SECRET_KEY": settings.SECRET_KEY, "GS2ADMIN_PROCESS": "web",
               "GS2ADMIN_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "gs2admin.settings"}
        child = subprocess.run([sys.executable, "-c", CHILD + code], cwd=settings.BASE_DIR, env=env, timeout=60)
        assert child.returncode == -signal.SIGKILL

    return run


def files() -> list[str]:
    """What is left in the folder of counts."""
    return sorted(path.name for path in countfile.folder().iterdir()) if countfile.folder().exists() else []


def test_refused_tries_of_a_killed_process_are_counted(mutexes, web, killed_child, caplog):
    killed_child("lock('a'); refused(50); lock('a', 'q'); refused(7, 'q'); die()")
    assert total(mutexes.namespace) == (0, 0, 0) and mutexes.row().denied == 0 and len(files()) == 1
    with caplog.at_level(logging.WARNING):
        assert chores.adopt_left_counts() == 59
    assert total(mutexes.namespace) == (2, 57, 0) and (mutexes.row().denied, mutexes.row("q").denied) == (50, 7)
    said = caplog.records[-1]
    assert (said.acquired, said.denied) == (2, 57) and "of a process that died" in said.message
    assert files() == [] and chores.adopt_left_counts() == 0 and not LockBatch.objects.exists()
    assert total(mutexes.namespace) == (2, 57, 0)


@pytest.mark.parametrize("died_at", [
    "sql.count = die",  # nothing is written
    "sql.count_denied = die",  # the minute's numbers are written, those of the mutexes are not
    "few = sql.count_denied; sql.count_denied = lambda left: few(left) if left[0][0] == first else die()",  # some of the mutexes
    "stats.CountFile.remove = die",  # all is written, and the file is still there
    "stats.LockBatch.objects._queryset_class.delete = die",  # and the file is gone
])
def test_a_process_that_is_killed_while_it_writes_counts_nothing_twice(mutexes, web, killed_child, died_at):
    many = stats.FEW + 5
    code = f"for n in range({many}): lock('a', str(n)); refused(2, str(n))\n"
    killed_child(f"{code}first = min(stats._counts._batch.mutexes)\n{died_at}\nstats.flush()")
    chores.adopt_left_counts()
    assert total(mutexes.namespace) == (many, 2 * many, 0)
    assert list(Mutex.objects.values_list("denied", flat=True)) == [2] * many
    assert files() == [] and chores.adopt_left_counts() == 0


def test_the_counts_of_a_living_process_are_its_own(mutexes, web):
    mutexes.lock("a")
    assert mutexes.lock("b") == LOCKED and len(files()) == 1
    assert chores.adopt_left_counts() == 0 and mutexes.row().denied == 0
    stats.flush()
    assert mutexes.row().denied == 1 and files() == [] and not LockBatch.objects.exists()


def test_a_commit_whose_answer_was_lost_is_not_made_twice(mutexes, web, monkeypatch):
    mutexes.lock("a")
    assert mutexes.lock("b") == LOCKED
    with monkeypatch.context() as patch:
        few = sql.count_denied
        # The transaction is through; what comes back is an error.
        patch.setattr(stats.transaction, "atomic", Lost)
        with pytest.raises(DatabaseError):
            stats.flush()
        assert sql.count_denied is few
    stats.flush()
    assert total(mutexes.namespace) == (1, 1, 0) and mutexes.row().denied == 1 and files() == []


class Lost:
    """A transaction that is committed, and whose caller hears that the connection is gone."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        raise DatabaseError("gone")


def test_while_the_database_is_away_there_is_one_file_and_not_one_a_second(mutexes, web, monkeypatch):
    mutexes.lock("a")
    with monkeypatch.context() as patch:
        patch.setattr(sql, "count", lambda *_: (_ for _ in ()).throw(DatabaseError("away")))
        for _ in range(5):
            assert mutexes.lock("b") == LOCKED
            with pytest.raises(DatabaseError):
                stats.flush()
        assert len(files()) == 2
    stats.flush()
    assert mutexes.row().denied == 5 and files() == []


def test_without_a_folder_it_counts_in_memory_and_says_so(mutexes, web, monkeypatch, tmp_path, caplog):
    (tmp_path / "lock-counts").write_text("in the way")
    mutexes.lock("a")
    assert mutexes.lock("b") == LOCKED and mutexes.lock("c") == LOCKED
    assert [record.message for record in caplog.records if "memory alone" in record.message] and len(caplog.records) == 1
    stats.flush()
    assert mutexes.row().denied == 2


def test_what_is_left_for_longer_than_counts_are_kept_goes(mutexes, web, killed_child):
    killed_child("lock('a'); refused(1); die()")
    old = (datetime.now(UTC) - stats.KEEP - timedelta(days=1)).timestamp()
    path = next(countfile.folder().iterdir())
    os.utime(path, (old, old))
    assert chores.adopt_left_counts() == 0 and files() == [] and mutexes.row().denied == 0
    LockBatch.objects.create(pk=countfile.uuid4(), parts=1, at=datetime.now(UTC) - stats.KEEP - timedelta(days=1))
    assert chores.roll_up() == 1 and not LockBatch.objects.exists()


def test_of_an_acquired_mutex_the_chart_alone_can_lose_one(mutexes, web, killed_child):
    """The bound that stats.py names: between the commit and the file."""
    killed_child("stats._counts.add = die\nlock('a')")
    chores.adopt_left_counts()
    assert mutexes.row().revision == 1 and mutexes.row().counter == 1
    assert total(mutexes.namespace)[0] == 0


def test_a_holding_that_ran_out_and_its_counts(mutexes, killed_at):
    mutexes.lock("a", 1)
    mutexes.age(2)
    before = total(mutexes.namespace)
    killed_at(sql, "count", chores.note_expired)
    assert mutexes.row().expired == 0 and mutexes.history() == [] and mutexes.row().counter == 1
    assert chores.note_expired() == 1
    assert mutexes.row().expired == 1 == len(mutexes.history())
    assert total(mutexes.namespace) == (before[0], before[1], 1)


def test_old_minutes_and_the_span_that_they_become(mutexes, monkeypatch):
    old = span_of(datetime.now(UTC) - timedelta(hours=5), 600)
    for minute in range(3):
        LockTally.objects.create(namespace=mutexes.namespace, at=old + timedelta(minutes=minute), acquired=1, denied=2, held=minute)
    real = stats.LockTally.objects._queryset_class.delete
    with monkeypatch.context() as patch:
        patch.setattr(stats.LockTally.objects._queryset_class, "delete",
                      lambda rows: real(rows) if rows.model is LockBatch else (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            chores.roll_up()  # the span has the minutes' numbers, and the minutes are still there
    assert total_since(mutexes.namespace, old) == (3, 6)
    chores.roll_up()
    assert total_since(mutexes.namespace, old) == (3, 6) and LockTally.objects.count() == 1


def total_since(namespace, since) -> tuple[int, int]:
    rows = stats.sums(namespace.pk, since=since)
    return sum(row["acquired"] for row in rows), sum(row["denied"] for row in rows)


def test_rows_that_are_removed_and_the_floor_of_their_namespace(mutexes, killed_at):
    mutexes.lock("a"), mutexes.unlock("a"), mutexes.lock("a"), mutexes.unlock("a")
    row = mutexes.row()
    real = sql._rows

    def at_the_floor(statement, values):
        if "SET floor" in statement:
            raise Killed
        return real(statement, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql, "_rows", at_the_floor)
        with pytest.raises(Killed):
            sql.remove(mutexes.namespace.pk, [row.pk])
    assert mutexes.row().revision == 2 and len(mutexes.history()) == 2
    assert sql.remove(mutexes.namespace.pk, [row.pk]) == 1
    assert mutexes.lock("a").revision == 3, "it goes on above"


def test_a_namespace_that_is_removed_and_the_watermark_of_its_project(mutexes, killed_at, project):
    mutexes.lock("a"), mutexes.unlock("a")
    killed_at(LockNamespace, "delete", lambda: delete_namespace(actor=SYSTEM, namespace=mutexes.namespace))
    assert not Watermark.objects.filter(value__gt=0).exists() and LockNamespace.objects.get().floor == 1
    chores.finish_namespace(mutexes.namespace.pk)
    assert not LockNamespace.objects.exists() and Watermark.objects.get().value == 1
    mutexes.namespace = create_namespace(actor=SYSTEM, project=project, name="trades")
    assert mutexes.lock("a").revision == 2


def test_a_namespace_made_while_the_old_one_of_its_name_goes_begins_above_it(mutexes, project, monkeypatch):
    mutexes.lock("a"), mutexes.unlock("a")
    create = shared.create

    def meanwhile(*given, **named):
        delete_namespace(actor=SYSTEM, namespace=mutexes.namespace)
        return create(*given, **named)

    monkeypatch.setattr(shared, "create", meanwhile)
    mutexes.namespace = create_namespace(actor=SYSTEM, project=project, name="trades")
    assert LockNamespace.objects.get().floor == mutexes.namespace.floor == 1
    assert mutexes.lock("a").revision == 2


def test_a_holding_that_ends_and_its_place_in_the_history(mutexes, monkeypatch):
    """The trigger writes it in the statement that frees the mutex, so nothing lies between."""
    mutexes.lock("a")
    real = sql._rows

    def late(statement, values):
        found = real(statement, values)
        raise Killed if found else AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(sql, "_rows", late)
        with pytest.raises(Killed):
            mutexes.delete()
    assert mutexes.row().counter == 1 and mutexes.history() == []
    mutexes.unlock("a")
    assert mutexes.history() == [(1, "a", "unlocked")]


def test_revisions_that_were_changed_by_hand_are_raised_and_the_log_says_so(mutexes, caplog):
    for _ in range(3):
        mutexes.lock("a"), mutexes.unlock("a")
    assert chores.mend_revisions() == 0
    Mutex.objects.update(revision=1)
    with caplog.at_level(logging.WARNING):
        assert chores.mend_revisions() == 1
    assert mutexes.row().revision == 3 and (caplog.records[-1].was, caplog.records[-1].history) == (1, 3)
    Mutex.objects.update(revision=1)
    assert mutexes.lock("b").revision == 2
    assert Holding.objects.count() == 3 and chores.mend_revisions() == 1, "held: the history gives way"
    assert mutexes.unlock("b").counter == 0 and chores.mend_revisions() == 1
    assert mutexes.row().revision == 3 and mutexes.lock("c").revision == 4
    assert connection.in_atomic_block is False
