"""The revision is the fencing token: it rises at every acquire of a property, whatever happened in between."""
from __future__ import annotations

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, transaction

from gs2admin.identity.actors import SYSTEM
from locks import chores
from locks.models import Holding, LockNamespace, LockTally, Mutex, Watermark
from locks.services.namespaces import create_namespace, delete_namespace, finish_delete
from locks.states import Ended
from tests.locks.conftest import Mutexes

pytestmark = pytest.mark.django_db


def test_the_revision_rises_after_every_kind_of_end(mutexes):
    """Unlock, expiry (taken over and noted), delete, force: each ends a holding, each is in the history."""
    mutexes.lock("a"), mutexes.lock("a"), mutexes.unlock("a"), mutexes.unlock("a")
    mutexes.lock("b", 1), mutexes.age(1)
    mutexes.lock("c", 1), mutexes.age(1), chores.note_expired()
    mutexes.lock("d"), mutexes.delete()
    mutexes.lock("e"), mutexes.force()
    assert mutexes.lock("f").revision == 6
    assert mutexes.history() == [
        (1, "a", Ended.UNLOCKED), (2, "b", Ended.EXPIRED), (3, "c", Ended.EXPIRED), (4, "d", Ended.DELETED), (5, "e", Ended.FORCED),
    ]  # fmt: skip


def test_history_tells_from_when_to_when(mutexes):
    held = mutexes.lock("a", 1)
    mutexes.age(100)
    mutexes.lock("b")
    row = Holding.objects.get(mutex=mutexes.row(), revision=1)
    assert (row.acquired_ms, row.ended_ms) == (held.acquired_ms - 100_000, held.until_ms - 100_000), "it ended by its time"
    mutexes.unlock("b")
    row = Holding.objects.get(mutex=mutexes.row(), revision=2)
    assert row.acquired_ms <= row.ended_ms == mutexes.row().ended_ms


def test_the_trigger_that_writes_history_is_there_and_no_revision_is_told_twice(mutexes):
    """A migration that rebuilds the table on SQLite drops the trigger."""
    mutexes.lock("a"), mutexes.unlock("a")
    assert mutexes.history() == [(1, "a", Ended.UNLOCKED)]
    with pytest.raises(IntegrityError), transaction.atomic():
        Holding.objects.create(mutex=mutexes.row(), revision=1, acquired_ms=1, ended_ms=2, ended="unlocked", transaction_id="z")
    with pytest.raises(IntegrityError), transaction.atomic():
        Mutex.objects.update(counter=-1)


def test_a_row_that_was_removed_begins_above_every_revision_of_its_namespace(mutexes):
    for _ in range(5):
        mutexes.lock("a"), mutexes.unlock("a")
    mutexes.lock("other", of="q"), mutexes.unlock("other", of="q")
    days = settings.LOCK_HISTORY_DAYS * 86_400
    mutexes.age(days + 1), mutexes.age(days - 60, of="q")
    assert chores.remove_idle_mutexes() == 0, "its history is still told"
    assert chores.remove_old_history() == 5
    assert chores.remove_idle_mutexes() == 1
    assert mutexes.row() is None and mutexes.row("q") is not None
    assert LockNamespace.objects.get(pk=mutexes.namespace.pk).floor == 5
    assert mutexes.lock("b").revision == 6
    assert mutexes.lock("b", of="new").revision == 6 and mutexes.lock("b", of="q").revision == 6, "never below the floor"


def test_nothing_that_is_held_or_used_is_removed(mutexes):
    days = settings.LOCK_HISTORY_DAYS * 86_400
    mutexes.lock("a", 86_400 * 3650), mutexes.lock("b", of="q"), mutexes.unlock("b", of="q")
    Mutex.objects.filter(pk=mutexes.row().pk).update(acquired_ms=1)
    mutexes.age(days - 60, of="q")
    chores.remove_old_history(), chores.remove_idle_mutexes()
    assert mutexes.row() and mutexes.row("q") and mutexes.history("q")


def test_a_namespace_made_anew_goes_on_above_the_old_one(mutexes, project):
    for _ in range(3):
        mutexes.lock("a"), mutexes.unlock("a")
    mutexes.lock("a")
    delete_namespace(actor=SYSTEM, namespace=mutexes.namespace)
    assert not Mutex.objects.exists() and not Holding.objects.exists() and not LockTally.objects.exists()
    assert Watermark.objects.get(project=project).value == 4
    again = Mutexes(create_namespace(actor=SYSTEM, project=project, name="trades"))
    assert again.lock("a").revision == 5
    other = Mutexes(create_namespace(actor=SYSTEM, project=project, name="low"))
    other.lock("a")
    delete_namespace(actor=SYSTEM, namespace=other.namespace)
    assert Watermark.objects.get(project=project).value == 5, "it never falls"


def test_a_large_namespace_is_removed_in_slices_and_by_a_worker(mutexes, monkeypatch, project):
    monkeypatch.setattr("locks.services.namespaces.BATCH", 2)
    rung = []
    monkeypatch.setattr("gs2admin.engine.wake", lambda task, pk: rung.append((task, pk)))
    for number in range(5):
        mutexes.lock("a", of=str(number))
    LockNamespace.objects.filter(pk=mutexes.namespace.pk).update(status="DELETING")
    assert finish_delete(mutexes.namespace, seconds=-1) is False
    assert Mutex.objects.count() == 3
    monkeypatch.setattr("locks.chores.SLICE_S", -1)
    chores.finish_namespace(mutexes.namespace.pk)
    assert rung == [("locks.chores.finish_namespace", mutexes.namespace.pk)]
    monkeypatch.setattr("locks.chores.SLICE_S", 30)
    chores.finish_namespace(mutexes.namespace.pk)
    assert not LockNamespace.objects.exists()
    chores.finish_namespace(mutexes.namespace.pk)


def test_expiry_is_noted_by_time_and_only_then(mutexes):
    mutexes.lock("a", 1), mutexes.lock("a", 100, of="q"), mutexes.age(1)
    assert chores.note_expired() == 1 and chores.note_expired() == 0
    row = mutexes.row()
    assert (row.counter, row.ended, row.ended_ms, row.expired) == (0, Ended.EXPIRED, row.until_ms, 1)
    assert mutexes.state("q").held


def test_the_databases_clock_and_not_this_hosts_decides(mutexes, monkeypatch):
    """A host whose clock is years off locks and sees like the others."""
    import time

    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    held = mutexes.lock("a", 5)
    assert held.until_ms < 4_000_000_000_000 - 86_400_000 and mutexes.lock("b") == "lock.mutex.locked"
    with connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP")
        assert cursor.fetchone()
