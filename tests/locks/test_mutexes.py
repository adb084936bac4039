"""What a mutex promises: one holder, re-entrance, an end by time, nothing released by others."""
from __future__ import annotations

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM, from_credential
from locks import reads, services
from locks.models import LockNamespace, Mutex
from locks.states import FOREVER_MS, MAX_TTL_S, Ended, wait_for
from tests.locks.conftest import FREE, LOCKED, NOT_MATCH, Mutexes

pytestmark = pytest.mark.django_db


def test_a_second_transaction_is_refused_until_the_first_unlocks(mutexes):
    first = mutexes.lock("a")
    assert (first.counter, first.revision, first.held) == (1, 1, True)
    assert 59_900 <= first.until_ms - first.now_ms <= 60_000 and first.acquired_ms == first.now_ms
    assert mutexes.lock("b") == LOCKED
    assert mutexes.unlock("a").counter == 0
    assert mutexes.lock("b").revision == 2


def test_the_holder_may_lock_again_and_unlocks_as_often(mutexes):
    first = mutexes.lock("a", 60)
    second, third = mutexes.lock("a", 10), mutexes.lock("a", 600)
    assert (second.counter, third.counter) == (2, 3)
    assert first.revision == second.revision == third.revision, "the same holding"
    assert second.until_ms == first.until_ms, "a shorter time takes nothing away"
    assert third.until_ms >= first.until_ms + 539_000, "a longer one is granted"
    assert second.acquired_ms == third.acquired_ms == first.acquired_ms
    for counter in (2, 1):
        assert mutexes.unlock("a").counter == counter
        assert mutexes.lock("b") == LOCKED
    last = mutexes.unlock("a")
    assert (last.counter, last.transaction_id, last.revision, last.until_ms) == (0, "a", 1, third.until_ms), "as it was"
    assert mutexes.unlock("a") == FREE


def test_others_release_nothing(mutexes):
    assert mutexes.unlock("a") == FREE and mutexes.delete() == FREE, "never locked"
    mutexes.lock("a")
    before = mutexes.state()
    assert mutexes.unlock("b") == NOT_MATCH and mutexes.unlock("") == NOT_MATCH
    after = mutexes.state()
    assert (after.counter, after.transaction_id, after.until_ms) == (before.counter, "a", before.until_ms)


def test_an_expired_mutex_is_free_at_once_for_everybody(mutexes):
    mutexes.lock("a", 2)
    mutexes.lock("a", 2)
    mutexes.age(2)
    assert not mutexes.state().held and mutexes.state().counter == 2, "no cleaner has been there"
    assert mutexes.unlock("a") == FREE and mutexes.delete() == FREE and mutexes.force() == FREE
    taken = mutexes.lock("b")
    assert (taken.counter, taken.revision) == (1, 2)
    assert mutexes.unlock("a") == NOT_MATCH


def test_its_own_transaction_begins_anew_when_its_time_was_over(mutexes):
    mutexes.lock("a", 2)
    mutexes.lock("a", 2)
    mutexes.age(2)
    again = mutexes.lock("a", 5)
    assert (again.counter, again.revision) == (1, 2), "all counts are dropped, and it is another holding"
    assert mutexes.unlock("a").counter == 0


def test_the_time_to_live_has_bounds(mutexes):
    for bad in (0, -1, -(2**63)):
        assert mutexes.lock("a", bad) == "lock.mutex.ttl.error.invalid"
    assert mutexes.row() is None
    assert mutexes.lock("a", MAX_TTL_S).until_ms == FOREVER_MS
    assert mutexes.lock("a", 1).until_ms == FOREVER_MS


def test_delete_and_force_release_whatever_the_count(mutexes, owner, actor_of):
    for release in (mutexes.delete, mutexes.force):
        mutexes.lock("a")
        mutexes.lock("a")
        gone = release()
        assert (gone.counter, gone.transaction_id) == (0, "a")
        assert mutexes.unlock("a") == FREE and mutexes.lock("b").counter == 1
        assert mutexes.unlock("a") == NOT_MATCH
        mutexes.unlock("b")


def test_a_person_releases_by_force_what_she_saw_and_says_why(mutexes, support, actor_of):
    seen = mutexes.lock("a")
    mutexes.unlock("a")
    mutexes.lock("b")
    sora = Mutexes(mutexes.namespace, actor_of(support))
    assert sora.force(revision=seen.revision) == "lock.mutex.revision.error.notMatch", "somebody else holds it by now"
    assert sora.force("  ", revision=2) == "lock.mutex.reason.error.require"
    assert mutexes.state().held
    assert sora.force("player is stuck", revision=2).revision == 2
    assert mutexes.history()[-1] == (2, "b", Ended.FORCED)
    assert mutexes.row().ended_by == "sora" and mutexes.row().holdings.first().ended_by == "sora"
    line = Activity.objects.get(action="mutex.force_release")
    assert (line.actor_name, line.reason, line.after["transaction"], line.after["revision"]) == ("sora", "player is stuck", "b", 2)
    assert mutexes.unlock("b") == FREE and mutexes.lock("c").revision == 3


def test_programs_leave_no_line_per_lock_and_people_do(mutexes, credential, developer, actor_of):
    game = Mutexes(mutexes.namespace, from_credential(credential[0], door="gs2"))
    game.lock("a"), game.unlock("a"), game.lock("a"), game.delete()
    assert not Activity.objects.filter(action__startswith="mutex").exists()
    dan = Mutexes(mutexes.namespace, actor_of(developer))
    dan.lock("d"), dan.unlock("d"), dan.lock("d"), dan.delete()
    lines = list(Activity.objects.filter(action__startswith="mutex").order_by("id").values_list("action", flat=True))
    assert lines == ["mutex.lock", "mutex.unlock", "mutex.lock", "mutex.delete"]


def test_rights(mutexes, viewer, support, stranger, actor_of):
    mutexes.lock("a")
    more = {"namespace": mutexes.namespace, "user_id": "u-1", "property_id": "p"}
    for person, kind in ((viewer, Denied), (support, Denied), (stranger, NotFound)):
        with pytest.raises(kind):
            services.lock(actor=actor_of(person), transaction_id="a", ttl_s=1, **more)
        with pytest.raises(kind):
            services.unlock(actor=actor_of(person), transaction_id="a", **more)
    for person, kind in ((viewer, Denied), (stranger, NotFound)):
        with pytest.raises(kind):
            services.delete_mutex(actor=actor_of(person), **more)
        with pytest.raises(kind):
            services.force_release(actor=actor_of(person), namespace=mutexes.namespace, mutex=mutexes.row(), reason="r")
    assert mutexes.state().counter == 1


def test_properties_players_and_namespaces_are_apart(mutexes, other_project):
    from locks.services.namespaces import create_namespace

    theirs = Mutexes(create_namespace(actor=SYSTEM, project=other_project, name="trades"))
    other = Mutexes(mutexes.namespace, user="u-2")
    odd = ["", " ", "a/b", "a%2Fb", "a:b", "A:B", "é", "e\u0301", "日本", "x" * 1024, "x" * 1023, "😀" * 1024]
    for name in odd:
        for one in (mutexes, other, theirs):
            assert one.lock("t", of=name).revision == 1, name
    # "1" + "1x" and "11" + "x" are not the same either.
    assert Mutexes(mutexes.namespace, user="1").lock("t", of="1x").counter == 1
    assert Mutexes(mutexes.namespace, user="11").lock("t", of="x").counter == 1
    assert Mutex.objects.filter(namespace=mutexes.namespace).count() == 2 * len(odd) + 2


def test_a_closed_namespace_takes_no_lock_and_lets_holders_go(mutexes):
    mutexes.lock("a")
    LockNamespace.objects.filter(pk=mutexes.namespace.pk).update(status="DELETING")
    assert mutexes.lock("a") == "lock.namespace.namespace.error.conflict"
    assert mutexes.lock("a", of="new") == "lock.namespace.namespace.error.conflict"
    assert mutexes.unlock("a").counter == 0


def test_a_namespace_that_is_gone_says_so(mutexes):
    gone = LockNamespace(pk=mutexes.namespace.pk + 1000, project_id=mutexes.namespace.project_id, name="gone")
    with pytest.raises(NotFound) as refusal:
        services.lock(actor=SYSTEM, namespace=gone, user_id="u", property_id="p", transaction_id="t", ttl_s=1)
    assert refusal.value.message == "lock.namespace.namespace.error.notFound"


def test_a_refusal_says_when_to_try_again(mutexes):
    mutexes.lock("a", 60)
    seen = set()
    for _ in range(20):
        with pytest.raises(Conflict) as refusal:
            services.lock(actor=SYSTEM, namespace=mutexes.namespace, user_id="u-1", property_id="p", transaction_id="b", ttl_s=1)
        seen.add(refusal.value.extra["retry_after_ms"])
        assert refusal.value.extra["retry_after_s"] >= 1
    assert len(seen) > 5, "they are apart by chance"


@pytest.mark.parametrize(
    ("left_ms", "held_ms", "crowd", "chance", "ms"),
    [(60_000, 0, 0.0, 0.0, 5), (60_000, 0, 50.0, 1.0, 15), (60_000, 100, 0.2, 0.5, 50), (60_000, 20, 30.0, 0.5, 300),
     (60_000, 10**9, 1.0, 0.5, 2000), (60_000, 10**9, 500.0, 1.0, 3000), (3, 10**6, 500.0, 0.0, 4),
     (3, 10**6, 500.0, 1.0, 14), (0, 0, 1.0, 0.0, 1)],
)  # fmt: skip
def test_the_wait_grows_with_the_crowd_and_the_holders_time_and_ends_with_the_mutex(left_ms, held_ms, crowd, chance, ms):
    wait = wait_for(left_ms=left_ms, held_ms=held_ms, crowd=crowd, chance=chance)
    assert wait.ms == ms and wait.s == max(1, -(-ms // 1000))


def test_lists_show_what_is_held_and_nothing_else(mutexes):
    for number in range(7):
        Mutexes(mutexes.namespace, user=f"u-{number % 2}").lock("t", of=f"grn:{number}")
    Mutexes(mutexes.namespace, user="u-0").unlock("t", of="grn:0")
    Mutexes(mutexes.namespace, user="u-0").age(61, of="grn:2")
    names = [row.property_id for row in reads.held(mutexes.namespace, limit=50).rows]
    assert names == ["grn:1", "grn:3", "grn:4", "grn:5", "grn:6"]
    seen, after = [], None
    while page := reads.held(mutexes.namespace, after=after, limit=2).rows:
        seen += [row.property_id for row in page]
        after = reads.Place(page[-1].acquired_ms, page[-1].pk)
    assert seen == names
    assert [row.property_id for row in reads.held(mutexes.namespace, user_id="u-0", limit=9).rows] == ["grn:4", "grn:6"]
    assert [row.property_id for row in reads.held(mutexes.namespace, property_prefix="grn:3", limit=9).rows] == ["grn:3"]
    assert reads.held(mutexes.namespace, property_prefix="GRN", limit=9).rows == [], "case counts on every database"
    assert reads.held(mutexes.namespace, property_prefix="%", limit=9).rows == []
    project = mutexes.namespace.project
    assert [row.property_id for row in reads.of_player(project, "u-0", held=True, limit=9)] == ["grn:4", "grn:6"]
    free = reads.of_player(project, "u-0", held=False, limit=9)
    assert [(row.property_id, row.namespace.name) for row in free] == [("grn:0", "trades"), ("grn:2", "trades")]
    assert reads.counters([mutexes.namespace.pk])[mutexes.namespace.pk].held == 5


def test_invalid_kinds_are_errors_of_the_domain(mutexes):
    with pytest.raises(Invalid):
        services.force_release(actor=SYSTEM, namespace=mutexes.namespace, mutex=mutexes.row() or Mutex(key=b"x"), reason="")


def test_a_long_property_is_found_by_its_beginning_with_its_case(mutexes, project):
    front = "grn:" + "x" * 150
    mutexes.lock("a", of=front + "Sword/1")
    mutexes.lock("a", of=front + "sword/2")
    found = lambda start: [row.property_id[-7:] for row in reads.by_property(project, start, limit=10)]  # noqa: E731
    assert found(front + "sword") == ["sword/2"] and found(front + "S") == ["Sword/1"] and len(found(front)) == 2
