"""How long a refused caller is told to wait, and what becomes of a time to live, at each bound."""
from __future__ import annotations

import pytest

from locks.states import FOREVER_MS, MAX_TTL_S, Wait, ttl_ms, wait_for

LONG = 1_000_000


@pytest.mark.parametrize(("left_ms", "held_ms", "crowd", "chance", "expected"), [
    # Half of what it is held already, times those who wait, at least one.
    (LONG, 1000, 1, 0.5, Wait(500, 1)), (LONG, 1000, 3, 0.5, Wait(1500, 2)), (LONG, 1000, 0.2, 0.5, Wait(500, 1)),
    (LONG, 1000, 1.5, 0.5, Wait(750, 1)),
    # Apart by chance: from a half to one and a half.
    (LONG, 1000, 1, 0, Wait(250, 1)), (LONG, 1000, 1, 1, Wait(750, 1)),
    # 10 ms to 2 s before chance.
    (LONG, 0, 1, 0, Wait(5, 1)), (LONG, 0, 1, 1, Wait(15, 1)), (LONG, 22, 1, 0.5, Wait(11, 1)),
    (LONG, 10_000, 9, 0.5, Wait(2000, 2)), (LONG, 10_000, 9, 1, Wait(3000, 3)), (LONG, 3998, 1, 0.5, Wait(1999, 2)),
    # Never long after it ends by itself, and never nothing.
    (100, 10_000, 1, 0, Wait(101, 1)), (100, 10_000, 1, 1, Wait(111, 1)), (0, 10_000, 1, 0.5, Wait(6, 1)),
    (-50, 0, 1, 0, Wait(1, 1)),
    # Whole seconds are rounded up.
    (1000, 10_000, 9, 0, Wait(1000, 1)), (1001, 10_000, 9, 0, Wait(1000, 1)), (LONG, 2002, 1, 0.5, Wait(1001, 2)),
])  # fmt: skip
def test_when_to_try_again(left_ms, held_ms, crowd, chance, expected):
    assert wait_for(left_ms=left_ms, held_ms=held_ms, crowd=crowd, chance=chance) == expected


def test_left_to_chance_two_callers_are_told_different_times():
    waits = {wait_for(left_ms=LONG, held_ms=2000, crowd=1).ms for _ in range(200)}
    assert len(waits) > 50 and all(500 <= ms <= 1500 for ms in waits)


@pytest.mark.parametrize(("ttl_s", "expected"), [
    (1, 1000), (32_503_680_000, FOREVER_MS), (32_503_679_999, FOREVER_MS - 1000), (32_503_680_001, FOREVER_MS),
    (MAX_TTL_S, 32_503_680_000_000),
])  # fmt: skip
def test_a_time_to_live_ends_before_the_year_3000(ttl_s, expected):
    assert ttl_ms(ttl_s) == expected


def test_the_longest_time_to_live_is_what_the_contract_allows():
    assert MAX_TTL_S == 2**63 - 3
