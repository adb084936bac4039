"""Each statement decides about the mutex that it names, by every part of its rule, and changes nothing of those beside it."""
from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gs2admin.identity.actors import SYSTEM
from locks import sql
from locks.models import Holding, LockNamespace, LockTally, Mutex
from locks.services.namespaces import create_namespace
from locks.states import FOREVER_MS, Ended
from tests.locks.conftest import Mutexes

pytestmark = pytest.mark.django_db
KEY = "01fdc29fee01a1392db74c145ac665c9999f9b6e"


@pytest.fixture
def key(mutexes) -> bytes:
    """Of the mutex p."""
    return sql.key_of(mutexes.namespace.pk, "u-1", "p")


@pytest.fixture
def beside(mutexes, project):
    """beside() is everything that is stored of other mutexes: held by the same transaction, run out, free; here and elsewhere."""
    for place in (mutexes, Mutexes(create_namespace(actor=SYSTEM, project=project, name="elsewhere"))):
        place.lock("a", of="held"), place.lock("a", of="twice"), place.lock("a", of="twice"), place.lock("a", of="over")
        place.lock("a", of="free"), place.unlock("a", of="free")
        place.age(61, of="over")

    def look() -> list:
        others = Mutex.objects.filter(property_id__in=["held", "twice", "over", "free"])
        floors = LockNamespace.objects.order_by("pk").values_list("pk", "floor")
        return [list(others.order_by("pk").values()), list(Holding.objects.filter(mutex__in=others).order_by("pk").values()), list(floors)]

    return look


MOVES = {
    "lock": lambda key, held: sql.lock(key, "a", 5_000), "lock of another": lambda key, held: sql.lock(key, "b", 5_000),
    "unlock": lambda key, held: sql.unlock(key, "a"), "unlock of another": lambda key, held: sql.unlock(key, "b"),
    "extend": lambda key, held: sql.extend(key, "a", held.revision, 90_000),
    "extend of another": lambda key, held: sql.extend(key, "b", held.revision, 90_000),
    "extend of another holding": lambda key, held: sql.extend(key, "a", held.revision + 1, 90_000),
    "free": lambda key, held: sql.free(key, Ended.DELETED), "free what was seen": lambda key, held: sql.free(key, Ended.FORCED, revision=held.revision),
    "free what was seen before": lambda key, held: sql.free(key, Ended.FORCED, revision=held.revision + 1),
    "expire": lambda key, held: sql.expire(held.id), "read": lambda key, held: sql.read(key),
    "count": lambda key, held: sql.count_denied([(held.id, 3)]),
}  # fmt: skip
# Of a mutex that a holds, that a has held until its time was over, and that a has unlocked.
DONE = {
    "held": {"lock", "unlock", "extend", "free", "free what was seen", "read"},
    "over": {"lock", "lock of another", "expire", "read"},
    "unlocked": {"lock", "lock of another", "read"},
}


@pytest.mark.parametrize("name", sorted(DONE))
@pytest.mark.parametrize("move", sorted(MOVES))
def test_a_move_is_made_where_its_rule_allows_it_and_touches_no_other_mutex(mutexes, key, beside, name, move):
    held = mutexes.lock("a")
    if name == "over":
        mutexes.age(61)
    elif name == "unlocked":
        mutexes.unlock("a")
    before, row = beside(), Mutex.objects.values().get(key=key)
    found = MOVES[move](key, held)
    assert (found is not None) is (move in DONE[name]) and beside() == before
    if found is None and move != "count":
        assert Mutex.objects.values().get(key=key) == row
    assert Mutex.objects.get(key=key).denied == (3 if move == "count" else 0)


def test_an_extension_makes_the_end_later_never_earlier_and_keeps_the_count(mutexes, key):
    held = mutexes.lock("a", 60)
    assert sql.extend(key, "a", held.revision, 1_000).until_ms == held.until_ms
    later = sql.extend(key, "a", held.revision, 90_000)
    assert 29_000 < later.until_ms - held.until_ms <= 90_000 and (later.counter, later.revision) == (1, 1)
    assert sql.extend(key, "a", held.revision, 10**16).until_ms == FOREVER_MS


@pytest.mark.parametrize(("how", "ended", "expired"), [("unlock", "", 0), ("expire", Ended.EXPIRED, 1), ("force", "", 0)])
def test_a_new_holder_learns_whether_the_one_before_was_lost(mutexes, key, how, ended, expired):
    mutexes.lock("a")
    {"unlock": lambda: mutexes.unlock("a"), "expire": lambda: mutexes.age(61), "force": mutexes.force}[how]()
    state = sql.lock(key, "b", 60_000)
    row = mutexes.row()
    assert (state.ended, state.counter, state.acquired_ms) == (ended, 1, state.now_ms) and state.held
    assert (row.ended, row.ended_by, row.expired, row.transaction_id) == (ended, "", expired, "b")
    again = sql.lock(key, "b", 60_000)
    assert (again.ended, again.counter, mutexes.row().expired) == (ended, 2, expired)


def test_an_end_is_written_with_the_last_unlock_alone_and_by_whom(mutexes, key):
    mutexes.lock("a"), mutexes.lock("a")
    before = mutexes.row().ended_ms
    assert sql.unlock(key, "a").ended == "" and mutexes.row().ended_ms == before
    Mutex.objects.update(ended_ms=1)
    state, row = sql.unlock(key, "a"), mutexes.row()
    assert (state.ended, row.ended_ms) == (Ended.UNLOCKED, state.now_ms) and not state.held
    mutexes.lock("a"), mutexes.lock("a")
    state = sql.free(key, Ended.FORCED, by="sora")
    row = mutexes.row()
    assert (row.counter, row.ended, row.ended_by, row.ended_ms) == (0, Ended.FORCED, "sora", state.now_ms)


def test_what_ran_out_is_noted_once_with_the_time_at_which_it_did(mutexes):
    mutexes.lock("a"), mutexes.lock("b", of="q")
    mutexes.age(61)
    Mutex.objects.update(ended_by="sora")
    row = mutexes.row()
    assert sql.expire(row.pk) == mutexes.namespace.pk and sql.expire(row.pk) is None and sql.expire(mutexes.row("q").pk) is None
    row = mutexes.row()
    assert (row.counter, row.ended, row.ended_by, row.ended_ms, row.expired) == (0, Ended.EXPIRED, "", row.until_ms, 1)


def test_a_revision_goes_on_above_the_floor_of_its_own_namespace(mutexes, key, project):
    other = Mutexes(create_namespace(actor=SYSTEM, project=project, name="elsewhere"))
    LockNamespace.objects.filter(pk=other.namespace.pk).update(floor=70)
    LockNamespace.objects.filter(pk=mutexes.namespace.pk).update(floor=7)
    assert (mutexes.lock("a").revision, mutexes.lock("a").revision, other.lock("a").revision) == (8, 8, 71)
    Mutex.objects.filter(key=key).update(revision=20)
    mutexes.delete()
    assert mutexes.lock("b").revision == 21


@pytest.mark.parametrize("status", ["ACTIVE", "DELETING"])
def test_a_namespace_that_closes_gives_no_lock_whatever_others_do(mutexes, key, beside, status):
    mutexes.lock("a"), mutexes.unlock("a")
    LockNamespace.objects.filter(pk=mutexes.namespace.pk).update(status=status)
    assert (sql.lock(key, "b", 1_000) is None) is (status == "DELETING")


def test_a_mutex_is_made_once_and_free(mutexes, key):
    sql.make(mutexes.namespace.pk, key, "u-1", "p")
    made = Mutex.objects.values().get()
    wanted = {"namespace_id": mutexes.namespace.pk, "user_id": "u-1", "property_id": "p", "transaction_id": "", "counter": 0,
              "revision": 0, "acquired_ms": 0, "until_ms": 0, "ended": "", "ended_by": "", "denied": 0, "expired": 0}
    assert {name: made[name] for name in wanted} == wanted and abs(made["ended_ms"] - sql.now_ms()) < 20_000
    mutexes.lock("a")
    before = Mutex.objects.values().get()
    sql.make(mutexes.namespace.pk, key, "another", "other")
    assert Mutex.objects.values().get() == before


def test_removed_rows_take_their_history_along_and_raise_the_floor_to_the_highest(mutexes, beside):
    ids = []
    for name, times in (("one", 3), ("two", 5), ("three", 2)):
        for _ in range(times):
            mutexes.lock("a", of=name), mutexes.unlock("a", of=name)
        ids.append(mutexes.row(name).pk)
    others = beside()
    assert sql.remove(mutexes.namespace.pk + 1000, ids) == 0 == sql.remove(mutexes.namespace.pk, [])
    assert beside() == others
    assert sql.remove(mutexes.namespace.pk, ids[:2]) == 2
    assert LockNamespace.objects.get(pk=mutexes.namespace.pk).floor == 5
    assert not Holding.objects.filter(mutex_id__in=ids[:2]).exists() and len(mutexes.history("three")) == 2
    assert sql.remove(mutexes.namespace.pk, ids) == 1
    assert LockNamespace.objects.get(pk=mutexes.namespace.pk).floor == 5, "it never falls"
    assert beside()[:2] == others[:2]
    own = mutexes.namespace.pk
    assert [row for row in beside()[2] if row[0] != own] == [row for row in others[2] if row[0] != own] != []


def test_only_what_has_been_free_for_so_long_is_removed(mutexes):
    mutexes.lock("a"), mutexes.unlock("a"), mutexes.lock("a", of="q")
    row = mutexes.row()
    ids = [row.pk, mutexes.row("q").pk]
    assert sql.remove(mutexes.namespace.pk, ids, idle_since_ms=row.ended_ms) == 0
    assert sql.remove(mutexes.namespace.pk, ids, idle_since_ms=row.ended_ms + 1) == 1
    assert mutexes.row() is None and mutexes.row("q") is not None, "it is held"
    assert sql.remove(mutexes.namespace.pk, ids, idle_since_ms=FOREVER_MS) == 0


def test_counts_are_added_to_their_minute_and_shard(mutexes):
    first, second = datetime(2026, 1, 1, 12, 0, tzinfo=UTC), datetime(2026, 1, 1, 12, 1, tzinfo=UTC)
    each = [sql.MinuteCounts(mutexes.namespace.pk, minute, shard, 1, 20, 300) for minute in (first, second) for shard in (0, 1)]
    sql.count(each)
    sql.count(each[1:2])
    sums = LockTally.objects.order_by("at", "shard").values_list("at", "shard", "span_s", "acquired", "denied", "expired", "held")
    assert list(sums) == [(first, 0, 60, 1, 20, 300, 0), (first, 1, 60, 2, 40, 600, 0), (second, 0, 60, 1, 20, 300, 0),
                          (second, 1, 60, 1, 20, 300, 0)]
    assert LockTally.objects.filter(at=first).count() == 2, "written as Django writes times, so that they are found by them"


def test_refusals_are_added_to_each_mutex(mutexes):
    mutexes.lock("a"), mutexes.lock("a", of="q"), mutexes.lock("a", of="r")
    sql.count_denied([(mutexes.row().pk, 3), (mutexes.row("q").pk, 4)])
    sql.count_denied([(mutexes.row().pk, 5)])
    assert [mutexes.row(of).denied for of in "pqr"] == [8, 4, 0]


def test_the_key_of_a_mutex_is_the_same_for_ever():
    assert sql.key_of(7, "u-1", "p").hex() == KEY and len({sql.key_of(1, "a", "bc"), sql.key_of(1, "ab", "c"), sql.key_of(2, "a", "bc")}) == 3


@pytest.mark.parametrize(("counter", "until_ms", "held"), [(1, 11, True), (1, 10, False), (0, 11, False)])
def test_a_state_is_held_while_it_has_a_count_and_time(counter, until_ms, held):
    assert sql.State(1, "a", counter, 1, 1, until_ms, "", 10).held is held
