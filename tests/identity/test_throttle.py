"""How guesses are counted: before the hash, exactly, where nobody can push a count out, and apart for those who were here before."""
from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from gs2admin.db import clock
from gs2admin.errors import Unavailable
from gs2admin.identity import throttle
from gs2admin.identity.models import Guesses

HOME = "198.51.100.7"


def guess(count: int = 1, name: str = "olga", ip: str = HOME, **more) -> int:
    """Wrong guesses; how many of them were looked at."""
    return sum(_counted(name, ip, **more) for _ in range(count))


def _counted(name: str, ip: str, kind: str = "person", **more) -> bool:
    try:
        throttle.begin(kind, name, ip, **more)
    except Unavailable:
        return False
    return True


def pass_by(ms: int) -> None:
    """Time goes by: all windows end so much earlier."""
    Guesses.objects.update(ends_ms=F("ends_ms") - ms)


pytestmark = pytest.mark.django_db


def test_ten_wrong_ones_of_a_name_from_a_place_and_others_go_on():
    assert guess(15) == throttle.FAILURES == 10
    assert guess(ip="203.0.113.1") == guess(name="mika") == guess(name="") == 1


def test_the_refusal_says_when_to_come_back_and_counts_nothing():
    guess(10)
    pass_by(20_500)
    before = list(Guesses.objects.order_by("key").values_list("key", "count", "ends_ms"))
    with pytest.raises(Unavailable) as slowed:
        throttle.begin("person", "olga", HOME)
    ms, seconds = slowed.value.extra["retry_after_ms"], slowed.value.extra["retry_after_s"]
    assert 20_000 < ms <= 39_500 and seconds == math.ceil(ms / 1000)
    assert f"try again in {seconds} s" in slowed.value.sentence
    assert list(Guesses.objects.order_by("key").values_list("key", "count", "ends_ms")) == before


def test_after_its_window_a_place_begins_anew():
    guess(10)
    pass_by(40_000)
    assert guess() == 0
    pass_by(20_001)
    assert guess(15) == 10


def test_a_right_one_is_given_back():
    for _ in range(30):
        throttle.begin("person", "olga", HOME).right()
    assert guess(15) == 10


def test_a_right_one_of_an_earlier_window_takes_nothing_from_this_one():
    begun = throttle.begin("person", "olga", HOME)
    pass_by(60_001)
    # It ends earlier for the attempt too: otherwise it and the next window, begun in one millisecond, are taken for one.
    attempt = replace(begun, taken=tuple((key, ends_ms - 60_001) for key, ends_ms in begun.taken))
    guess(10)
    attempt.right()
    Guesses.objects.filter(count=0).delete()  # here olga would be known, and have another budget
    assert guess() == 0


def test_strangers_are_counted_per_name_over_all_places_and_who_was_here_before_is_not_touched():
    throttle.begin("person", "olga", HOME).right()
    assert sum(guess(10, ip=f"203.0.{n}.1") for n in range(8)) == throttle.OF_A_NAME
    assert guess(ip="192.0.2.1") == 0
    assert guess(15) == 10, "the place where she signed in before"
    assert guess(name="mika", ip="192.0.2.1") == 1


def test_a_place_and_a_block_have_limits_over_all_names():
    assert sum(guess(name=f"n{n}") for n in range(40)) == throttle.OF_A_PLACE
    assert sum(guess(20, name=f"m{n}", ip=f"198.51.100.{20 + n}") for n in range(20)) == throttle.OF_A_BLOCK - throttle.OF_A_PLACE
    assert guess(name="x", ip="198.51.101.1") == 1


def test_a_place_of_ipv6_is_a_64_and_its_block_a_48():
    assert guess(15, ip="2001:db8:1:1::1") == 10 and guess(ip="2001:db8:1:1:ffff::9") == 0
    assert guess(ip="2001:db8:1:2::1") == 1
    assert sum(guess(name=f"n{n}", ip=f"2001:db8:1:{n + 100:x}::1") for n in range(100)) == throttle.OF_A_BLOCK - 11
    assert guess(name="m", ip="2001:db8:2::1") == 1


@pytest.mark.parametrize(("address", "found"), [
    ("198.51.100.7", ("198.51.100.7/32", "198.51.100.0/24")), ("2001:db8:1:2:3::4", ("2001:db8:1:2::/64", "2001:db8:1::/48")),
    ("", ("", "")), ("no address", ("no address", "no address")),
])  # fmt: skip
def test_places(address, found):
    assert throttle.places(address) == found


def test_800_invented_names_unlock_nothing():
    guess(10)
    for n in range(800):
        guess(name=f"invented {n}", ip=f"203.0.{n % 250}.{n // 250}")
    assert guess() == 0


def test_a_known_browser_has_a_budget_of_its_own_even_behind_the_address_of_everybody():
    assert guess(15) == 10 and guess(100, name="x", ip=HOME) > 0
    assert guess(15, own="browser 1") == 10 and guess(own="browser 2") == 1


def test_who_signed_in_from_a_place_long_ago_is_a_stranger_again():
    throttle.begin("person", "olga", HOME).right()
    pass_by(throttle.KNOWN_S * 1000 - 5_000)
    throttle.begin("person", "olga", HOME).right()
    pass_by(throttle.KNOWN_S * 1000 - 5_000)
    assert sum(guess(name=f"n{n}") for n in range(40)) == 30 and guess() == 1
    pass_by(10_000)
    assert guess() == 0


def test_the_limits_are_those_that_the_docs_name():
    assert (throttle.FAILURES, throttle.WINDOW_S) == (10, 60) and (throttle.OF_A_NAME, throttle.NAME_WINDOW_S) == (50, 600)
    assert (throttle.OF_A_PLACE, throttle.OF_A_BLOCK, throttle.KNOWN_S) == (30, 100, 90 * 86_400)


def test_a_window_ends_to_the_millisecond():
    before = clock.now()
    throttle.begin("person", "olga", HOME)
    after = clock.now()
    first, last = ((moment + timedelta(seconds=60)).timestamp() * 1000 for moment in (before, after))
    ends = sorted(Guesses.objects.values_list("ends_ms", flat=True))
    # The database's clock is read in whole milliseconds here and in parts of one there.
    assert len(ends) == 4 and all(first - 2 <= end <= last + 2 for end in ends[:3])
    assert first + 540_000 - 2 <= ends[3] <= last + 540_000 + 2


@pytest.mark.parametrize(("ms", "seconds"), [(1, 1), (1_000, 1), (1_001, 2), (59_999, 60), (500_001, 501), (600_000, 600)])
def test_the_seconds_of_a_refusal_are_never_too_few(ms, seconds):
    full, free = throttle.Bucket("full", 10, 60), throttle.Bucket("free", 10, 60)
    with pytest.raises(Unavailable) as slowed:
        throttle._refuse({"full": (10, ms), "free": (9, ms + 9_000)}, [full, free])
    assert slowed.value.extra == {"retry_after_s": seconds, "retry_after_ms": ms}
    assert slowed.value.sentence == f"Too many wrong secrets; try again in {seconds} s."
    assert (slowed.value.component, slowed.value.message) == ("projectToken", "identifier.projectToken.login.error.tooMany")


def test_who_comes_between_the_look_and_the_count_gets_no_more(monkeypatch):
    guess(10)
    kept = list(Guesses.objects.order_by("key").values_list("key", "count"))
    looks = iter([lambda keys: {}, throttle._read, lambda keys: {}, lambda keys: {}])
    monkeypatch.setattr(throttle, "_read", lambda keys: next(looks)(keys))
    with pytest.raises(Unavailable) as slowed:
        throttle.begin("person", "olga", HOME)
    assert 0 < slowed.value.extra["retry_after_ms"] <= 60_000
    with pytest.raises(Unavailable) as slowed:  # and where the window ends just then
        throttle.begin("person", "olga", HOME)
    assert slowed.value.extra == {"retry_after_s": 1, "retry_after_ms": 1000}
    assert list(Guesses.objects.order_by("key").values_list("key", "count")) == kept


def test_a_refused_guess_of_one_who_was_here_before_writes_nothing(django_assert_num_queries):
    throttle.begin("person", "olga", HOME).right()
    assert guess(12) == 10
    with django_assert_num_queries(1), pytest.raises(Unavailable):
        throttle.begin("person", "olga", HOME)


def test_what_is_given_back_is_ones_own_and_no_more_than_was_taken():
    olga, mika = (throttle.begin("person", name, HOME) for name in ("olga", "mika"))
    ends_ms = max(end for attempt in (olga, mika) for _, end in attempt.taken)
    Guesses.objects.update(ends_ms=ends_ms)
    olga = replace(olga, taken=tuple((key, ends_ms) for key, _ in olga.taken))
    olga.right()
    counts = dict(Guesses.objects.values_list("key", "count"))
    own, both = {key for key, _ in olga.taken}, {key for key, _ in olga.taken} & {key for key, _ in mika.taken}
    assert len(both) == 2 and {counts[key] for key in both} == {1} and {counts[key] for key in own - both} == {0}
    assert {counts[key] for key, _ in mika.taken} == {1}
    olga.right()
    olga.right()
    assert min(Guesses.objects.values_list("count", flat=True)) == 0


def test_the_oldest_counts_are_removed_first_and_those_that_go_on_stay():
    guess()
    rows = list(Guesses.objects.order_by("key"))
    for number, row in enumerate(rows[:3]):
        Guesses.objects.filter(pk=row.pk).update(ends_ms=1_000 * (number + 1))
    assert throttle.delete_old(limit=2) == 2
    assert sorted(Guesses.objects.values_list("ends_ms", flat=True))[0] == 3_000
    assert throttle.delete_old() == 1 and throttle.delete_old() == 0 and Guesses.objects.count() == 1


def test_kinds_and_words_are_never_mixed_up():
    guess(10)
    assert guess(kind="program") == 1
    assert guess(name="olga\n198.51.100.7", ip="") == guess(name="\ud800") == guess(name="a\0b") == 1


def test_programs_names_are_not_added_up():
    assert sum(guess(10, ip=f"203.0.{n}.1", by_name=False) for n in range(8)) == 80


def test_what_is_over_is_removed_the_oldest_first():
    guess(3)
    throttle.begin("person", "mika", HOME).right()
    assert throttle.delete_old() == 0
    pass_by(60_001)
    assert throttle.delete_old(3) == 3 and throttle.delete_old() == 1, "two names at the place, the place, its block"
    pass_by(600_000)
    throttle.delete_old()
    assert Guesses.objects.count() == 1, "where mika signed in"


def test_a_refused_flood_writes_nothing(django_assert_num_queries):
    guess(10)
    with django_assert_num_queries(1):
        guess()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [False, True], ids=["strangers", "known place"])
def test_forty_at_once_get_ten(known):
    if known:
        throttle.begin("person", "olga", HOME).right()
    gate = threading.Barrier(20)

    def one(number: int) -> bool:
        try:
            if number < 20:
                gate.wait(10)
            return _counted("olga", HOME)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(one, range(40))) == 10


@pytest.mark.django_db(transaction=True)
def test_right_and_wrong_ones_of_many_names_at_once_do_not_wait_in_a_circle():
    def one(number: int) -> int:
        try:
            done = 0
            for step in range(6):
                try:
                    attempt = throttle.begin("person", f"n{(number + step) % 4}", f"198.51.100.{(number * step) % 3}")
                    attempt.right()
                    done += 1
                except Unavailable:
                    pass
            return done
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 48
