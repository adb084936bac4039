"""gs2admin.cache: how long a value counts, how many are kept, and who makes it."""
import re
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest

from gs2admin import cache as caches
from gs2admin.cache import FOR_EVER, Cache, forget_all, weigh

MANY = 1_000_000


@pytest.fixture
def bare(monkeypatch):
    """Values count alone, without their keys."""
    monkeypatch.setattr(caches, "weigh", lambda key: 0)
    monkeypatch.setattr(caches, "_ENTRY_BYTES", 0)


@pytest.fixture
def clock(monkeypatch, bare):
    """A clock that stands still until a test moves it: clock.now += 1."""

    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    found = Clock()
    monkeypatch.setattr(caches, "time", found)
    return found


def test_a_value_counts_for_its_time_and_not_longer(clock):
    cache = Cache(ttl_s=2, entries=10, max_bytes=MANY)
    cache.put("a", None)
    clock.now += 1.99
    assert cache.get("a", "none") is None
    clock.now += 0.01
    assert cache.get("a", "none") == "none"


def test_a_value_may_have_a_time_of_its_own(clock):
    cache = Cache(ttl_s=2, entries=10, max_bytes=MANY)
    cache.put("long", 1, ttl_s=5)
    cache.put("older", 2, since=99)
    clock.now += 1
    assert (cache.get("long"), cache.get("older")) == (1, None)
    clock.now += 3
    assert cache.get("long") == 1


def test_all_values_whose_time_lasts_are_listed_the_oldest_first(clock):
    cache = Cache(ttl_s=2, entries=10, max_bytes=MANY)
    for key, ttl_s in (("a", 1), ("b", 3), ("c", None)):
        cache.put(key, key.upper(), ttl_s=ttl_s)
    assert cache.items() == [("a", "A"), ("b", "B"), ("c", "C")]
    cache.put("b", "again")
    clock.now += 1
    assert cache.items() == [("c", "C"), ("b", "again")]


def test_what_is_kept_for_ever_has_no_end(clock):
    cache = Cache(ttl_s=FOR_EVER, entries=2, max_bytes=MANY)
    cache.put("a", 1)
    clock.now += 1e9
    assert cache.get("a") == 1


def test_the_oldest_leaves_when_there_are_too_many(clock):
    cache = Cache(ttl_s=60, entries=2, max_bytes=MANY)
    for key in "abab":
        cache.put(key, key)
    cache.put("a", "again")  # now b is the oldest
    cache.put("c", "c")
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == ("again", None, "c", 2)


def test_what_is_over_gives_its_memory_back_at_the_next_put(clock):
    cache = Cache(ttl_s=1, entries=100, max_bytes=100, size=len)
    for n in range(10):
        cache.put(n, b"12345")
    clock.now += 1
    cache.put("new", b"1")
    assert (len(cache), cache.bytes) == (1, 1)


def test_bytes_are_bounded_and_counted_exactly(clock):
    cache = Cache(ttl_s=60, entries=100, max_bytes=10, size=len)
    for key, value in (("a", b"1234"), ("b", b"12345"), ("a", b"1")):
        cache.put(key, value)
    assert cache.bytes == 6
    cache.put("c", b"123456")
    assert (cache.get("b"), cache.get("a"), cache.get("c"), cache.bytes) == (None, b"1", b"123456", 7)
    cache.pop("c")
    cache.pop("c")
    assert cache.bytes == 1
    cache.clear()
    assert (cache.bytes, len(cache)) == (0, 0)


def test_a_value_larger_than_the_bound_is_returned_and_not_kept(clock):
    cache = Cache(ttl_s=60, entries=100, max_bytes=10, size=len)
    cache.put("a", b"1")
    assert cache.put("b", b"x" * 11) == b"x" * 11
    cache.put("a", b"y" * 11)
    assert (len(cache), cache.bytes) == (0, 0)


def test_keys_count_because_strangers_choose_some():
    cache = Cache(ttl_s=60, entries=1_000_000, max_bytes=100_000)
    for n in range(1_000):
        cache.put(f"{n}" * 3_000, None)
    assert 0 < len(cache) < 20 and cache.bytes <= 100_000


class Row:
    """Holds a text, and itself."""

    def __init__(self, text: str) -> None:
        self.text, self.me = text, self


@pytest.mark.parametrize("value, least, most", [
    (None, 1, 100), (7, 20, 100), ("x" * 1_000, 1_000, 1_200), (b"x" * 1_000, 1_000, 1_200), ("雪" * 1_000, 2_000, 2_300),
    ({"a": ["x" * 500, ("y" * 500,)]}, 1_000, 2_000), (Row("x" * 1_000), 1_000, 2_000), ([str(n) * 100 for n in range(10_000)], 3_000_000, 6_000_000),
])
def test_a_value_is_weighed_with_all_that_it_holds(value, least, most):
    assert least <= weigh(value) <= most


def test_a_made_value_is_as_old_as_its_question(clock):
    cache = Cache(ttl_s=2, entries=10, max_bytes=MANY)

    def slow() -> str:
        clock.now += 1.5
        return "value"

    assert cache.get_or_make("a", slow) == "value"
    clock.now += 0.5
    assert cache.get("a") is None
    assert cache.get_or_make_once("a", slow) == "value"
    clock.now += 1.9
    assert cache.get("a") == "value"


def test_a_failure_is_not_kept(clock):
    cache = Cache(ttl_s=2, entries=10, max_bytes=MANY)
    for make in (cache.get_or_make, cache.get_or_make_once):
        with pytest.raises(ZeroDivisionError):
            make("a", lambda: 1 / 0)
        assert make("a", lambda: 5) == 5
        cache.clear()


def test_one_thread_makes_the_value_and_the_others_get_it():
    cache = Cache(ttl_s=60, entries=10, max_bytes=MANY)
    made, go, answers = [], threading.Event(), []

    def make() -> object:
        made.append(1)
        go.wait(10)
        return object()

    threads = [threading.Thread(target=lambda: answers.append(cache.get_or_make_once("a", make))) for _ in range(8)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert (len(made), len(answers), len(set(map(id, answers)))) == (1, 8, 1)


def test_many_threads_leave_the_count_of_bytes_right(bare):
    cache = Cache(ttl_s=60, entries=50, max_bytes=400, size=len)

    def work(seed: int) -> None:
        for n in range(3_000):
            cache.put((n * seed) % 97, b"x" * (n % 23))
            cache.get(n % 97)
            if n % 5 == 0:
                cache.pop(n % 31)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (3, 5, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert cache.bytes == sum(len(cache.get(key)) for key in range(97) if cache.get(key) is not None) <= 400
    assert len(cache) <= 50


def test_every_cache_can_be_emptied_at_once():
    one, two = Cache(ttl_s=60, entries=1, max_bytes=MANY), Cache(ttl_s=60, entries=1, max_bytes=MANY)
    one.put(1, 1), two.put(2, 2)
    forget_all()
    assert (one.get(1), two.get(2)) == (None, None)


def ours() -> dict[int, Cache]:
    """Every cache that a module of ours, or an object in one, holds."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("gs2admin", "stages", "jobqueue", "locks") and not name.startswith("gs2admin.cache"):
            for value in list(vars(module).values()):
                inside = vars(value).values() if hasattr(value, "__dict__") and not isinstance(value, type | ModuleType) else ()
                found |= {id(one): one for one in (value, *inside) if isinstance(one, Cache)}
    return found


def test_all_caches_of_a_process_are_small_together_and_documented():
    """A web process needs some 80 MB without them, and stays below 200."""
    import gs2admin.urls  # noqa: F401  everything that a web process imports
    import jobqueue.tasks  # noqa: F401  and what a worker does
    from gs2admin.wire.table import table

    table()
    whole = sum(cache.max_bytes for cache in ours().values())
    assert len(ours()) == 27 and whole <= 75_000_000
    text = (Path(__file__).parent.parent / "docs" / "operations.md").read_text().partition("## Memory")[2].partition("## Meas")[0]
    rows = [row.split("|") for row in text.splitlines() if re.match(r"\| [a-z]", row)][1:]
    assert sum(float(mb) for row in rows for mb in row[3].split(",")) == pytest.approx(whole / 1e6)
    assert sum(len(row[3].split(",")) for row in rows) == len(ours())
