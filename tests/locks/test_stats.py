"""Counts: refused tries cost the mutex nothing, nothing is counted twice, and old minutes become spans."""
from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import DatabaseError

from gs2admin.spans import span_of
from gs2admin.wire.call import CallContext
from locks import chores, sql, stats
from locks.models import LockTally
from tests.locks.conftest import LOCKED

pytestmark = pytest.mark.django_db(transaction=True)


def total(namespace) -> tuple[int, int, int]:
    rows = stats.sums(namespace.pk, since=datetime.now(UTC) - timedelta(hours=1))
    return tuple(sum(row[name] for row in rows) for name in ("acquired", "denied", "expired"))


def test_holders_refusals_and_lost_holdings_are_counted(mutexes):
    mutexes.lock("a"), mutexes.lock("a"), mutexes.lock("b"), mutexes.lock("c")
    mutexes.age(60), mutexes.lock("b", 1), mutexes.age(1), chores.note_expired()
    assert total(mutexes.namespace) == (2, 2, 2)
    row = mutexes.row()
    assert (row.denied, row.expired) == (2, 2)


def test_a_server_gathers_counts_and_writes_them_together(mutexes, monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "PROCESS", "web"), monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.setattr(stats._counts, "_see_to_writing", lambda: None)
    mutexes.lock("a")
    for _ in range(50):
        assert mutexes.lock("b") == LOCKED
    assert total(mutexes.namespace) == (0, 0, 0) and mutexes.row().denied == 0
    with monkeypatch.context() as broken:
        broken.setattr(sql, "count", lambda *_: (_ for _ in ()).throw(DatabaseError("away")))
        with pytest.raises(DatabaseError):
            stats.flush()
    stats.flush()
    assert total(mutexes.namespace) == (1, 50, 0) and mutexes.row().denied == 50, "what could not be written is kept"
    stats.flush()
    assert total(mutexes.namespace) == (1, 50, 0)


def test_a_refused_try_writes_nothing_itself(mutexes, monkeypatch, django_assert_num_queries):
    mutexes.lock("a")
    monkeypatch.setattr(stats, "denied", lambda *_, **__: None)
    writes = []
    monkeypatch.setattr(sql, "lock", lambda *_: writes.append(1))
    if settings.ON_SQLITE:
        assert mutexes.lock("b") == LOCKED and len(writes) == 1
        assert mutexes.lock("c") == LOCKED and len(writes) == 1, "the plain read spares the next ones the hopeless try"


def test_what_is_held_is_noted_for_the_chart_and_old_minutes_become_spans(mutexes):
    for number in range(4):
        mutexes.lock("a", of=str(number))
    chores.note_held()
    mutexes.unlock("a", of="0")
    chores.note_held()
    (row,) = stats.sums(mutexes.namespace.pk, since=datetime.now(UTC) - timedelta(hours=1))
    assert (row["acquired"], row["held"]) == (4, 4), "the most of a minute"
    old = span_of(datetime.now(UTC) - timedelta(hours=5), 600)
    LockTally.objects.all().delete()
    for minute in range(10):
        for shard in range(2):
            LockTally.objects.create(namespace=mutexes.namespace, at=old + timedelta(minutes=minute), shard=shard, acquired=1,
                                     denied=2, expired=3, held=minute)  # fmt: skip
    LockTally.objects.create(namespace=mutexes.namespace, at=old - timedelta(days=9), acquired=1)
    assert chores.roll_up() == 21
    (row,) = stats.sums(mutexes.namespace.pk, since=old)
    assert (row["at"], row["span_s"], row["acquired"], row["denied"], row["expired"], row["held"]) == (old, 600, 20, 40, 60, 9)
    assert chores.roll_up() == 0


def test_those_who_wait_are_counted_by_the_waits_that_they_were_told(monkeypatch):
    counts, clock = stats.Counts(), [100.0]
    monkeypatch.setattr(stats.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(counts, "_see_to_writing", lambda: None)
    monkeypatch.setattr(counts, "_since", 100.0)
    assert counts.crowd(1) == 0
    for _ in range(20):  # ten callers, each told twice to wait half a second
        counts.add(1, "denied", 1, 500)
    clock[0] += 1
    assert counts.crowd(1) == 5 and counts.crowd(2) == 0, "over two seconds, of which they waited one"
    monkeypatch.setattr(stats.sql, "count", lambda *_: None), monkeypatch.setattr(stats.sql, "count_denied", lambda *_: None)
    counts.write()
    assert counts.crowd(1) == 10
    counts.write()
    assert counts.crowd(1) == 0


def test_a_dry_run_counts_nothing(mutexes, credential):
    from gs2admin.identity.actors import from_credential
    from gs2admin.wire.call import Call
    from gs2admin.wire.dispatch import dispatch
    from gs2admin.wire.table import table

    method = table().by_name["lock", "mutex", "lockByUserId"]
    call = Call(CallContext("gs2", dry_run=True), from_credential(credential[0], door="gs2"), mutexes.namespace.project)
    fields = {"namespaceName": "trades", "userId": "u-1", "propertyId": "p", "transactionId": "t", "ttl": 5}
    assert dispatch(method, call, fields).body["item"]["revision"] == 1
    assert mutexes.row() is None and total(mutexes.namespace) == (0, 0, 0)


def test_the_hot_path_is_a_statement_a_move(mutexes, credential, monkeypatch, django_assert_num_queries, tmp_path):
    """Through the method table: no query of Django's, and one statement for each lock and unlock."""
    from gs2admin.identity.actors import from_credential
    from gs2admin.wire.call import Call
    from gs2admin.wire.dispatch import dispatch
    from gs2admin.wire.failures import Failure
    from gs2admin.wire.table import table

    monkeypatch.setattr(settings, "PROCESS", "web"), monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.setattr(stats._counts, "_see_to_writing", lambda: None)
    call = Call(CallContext("gs2"), from_credential(credential[0], door="gs2"), mutexes.namespace.project)
    fields = {"namespaceName": "trades", "userId": "u-1", "propertyId": "p", "transactionId": "t"}
    ran, run = [], sql._rows
    monkeypatch.setattr(sql, "_rows", lambda *given: ran.append(given) or run(*given))

    def statements(function: str, **more: str) -> int:
        ran.clear()
        with suppress(Failure):
            dispatch(table().by_name["lock", "mutex", function], call, fields | {"ttl": 5} | more)
        return len(ran)

    statements("lockByUserId"), statements("unlockByUserId")
    with django_assert_num_queries(0):
        assert statements("lockByUserId") == 1
        # A mutex that others were refused is looked at first on SQLite, where a try that changes nothing locks every writer out.
        assert [statements("lockByUserId", transactionId="other") for _ in range(2)] == [2, 1 if settings.ON_SQLITE else 2]
        assert statements("getMutexByUserId") == 1 and statements("unlockByUserId") == 1
    stats.flush()
