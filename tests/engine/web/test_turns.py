"""Whose request is next and how many threads one client may hold, as a table of cases and as floods on a clock of our own."""
from __future__ import annotations

import heapq
import ipaddress
from collections import Counter, deque
from collections.abc import Callable

import pytest

from gs2admin.processes.web import turns as turns_module
from gs2admin.processes.web.clients import Clients
from gs2admin.processes.web.spool import Full, Room
from gs2admin.processes.web.turns import LONG_S, Turns

TRUSTED = [ipaddress.ip_network(text) for text in ("127.0.0.1/32", "10.0.0.0/8", "::1/128")]


def begun(turns: Turns, at: float = 0.0) -> list:
    """All that may begin now."""
    return list(iter(lambda: turns.next(at), None))


def clients_of(found: list) -> list[str]:
    return [turn.client for turn in found]


@pytest.mark.parametrize("threads, most", [(1, 1), (2, 1), (3, 2), (4, 3), (8, 7), (64, 63)])
def test_one_thread_is_kept_for_who_holds_none(threads, most):
    turns = Turns(threads)
    for number in range(200):
        turns.add("flood", number)
    found = begun(turns)
    assert [turn.item for turn in found] == list(range(most)) and turns.waiting("flood") == 200 - most
    turns.add("other", "x")
    assert clients_of(begun(turns)) == (["other"] if threads > 1 else [])
    if threads == 1:
        turns.end(found[0], 0.1)
        assert clients_of(begun(turns)) == ["other"]


def test_many_floods_keep_a_thread_for_the_next_one_too():
    turns, found = Turns(8), []
    for client in "ab":
        for number in range(50):
            turns.add(client, number)
        found += begun(turns)
    assert Counter(clients_of(found)) == {"a": 7, "b": 1}
    turns.end(found[0], 0.01)
    assert begun(turns, 0.01) == []
    turns.add("c", 1)
    assert clients_of(begun(turns, 0.01)) == ["c"]


@pytest.mark.parametrize("threads, held", [(1, 1), (2, 1), (4, 2), (8, 4), (9, 5)])
def test_requests_that_take_long_get_half_of_the_threads(threads, held):
    turns = Turns(threads)
    for number in range(50):
        turns.add("slow", number)
    running, most = begun(turns), 0
    for lap in range(1, 40):
        at = lap * 2 * LONG_S
        turns.end(running.pop(0), at)
        running += begun(turns, at)
        most = len(running)
    assert most == held


def test_a_request_that_takes_long_costs_a_thread_and_gives_it_back():
    turns = Turns(8)
    turns.add("a", "long")
    long = begun(turns)
    for number in range(50):
        turns.add("a", number)
    running = begun(turns, LONG_S + 1)
    assert len(running) == 5
    turns.end(long[0], LONG_S + 2)
    for turn in running:
        turns.end(turn, LONG_S + 2)
    assert len(begun(turns, LONG_S + 2)) == 7


def test_requests_of_one_client_begin_in_their_order():
    turns = Turns(1)
    for number in range(9):
        turns.add("a", number)
        turns.add("b", number)
    seen: dict[str, list[int]] = {"a": [], "b": []}
    for at in range(18):
        turn, = begun(turns, at)
        seen[turn.client].append(turn.item)
        turns.end(turn, at + 1)
    assert seen == {"a": list(range(9)), "b": list(range(9))}


class Clock:
    """Requests that arrive at known times and take known times. waits: of each request, client by client. s."""

    def __init__(self, threads: int) -> None:
        self.turns: Turns[tuple[float, float]] = Turns(threads)
        self.arrivals: list[tuple[float, int, str, float]] = []
        self.waits: dict[str, list[float]] = {}
        self.held: Counter[str] = Counter()
        self.left = 0

    def burst(self, client: str, count: int, takes: float, at: float = 0.0, every: float = 0.0) -> None:
        for number in range(count):
            heapq.heappush(self.arrivals, (at + number * every, len(self.arrivals), client, takes))

    def run(self, until: float = 1e9, look: Callable[[], None] = lambda: None) -> None:
        ends: list = []
        now = 0.0
        while (self.arrivals or ends) and now <= until:
            now = min(queue[0][0] for queue in (self.arrivals, ends) if queue)
            if ends and ends[0][0] == now:
                _, _, turn = heapq.heappop(ends)
                self.turns.end(turn, now)
                self.held[turn.client] -= 1
            else:
                _, _, client, takes = heapq.heappop(self.arrivals)
                self.turns.add(client, (now, takes))
            while turn := self.turns.next(now):
                came, takes = turn.item
                self.waits.setdefault(turn.client, []).append(now - came)
                self.held[turn.client] += 1
                heapq.heappush(ends, (now + takes, self.left, turn))
                self.left += 1
            look()


@pytest.mark.parametrize("threads", [1, 2, 4, 8])
@pytest.mark.parametrize("takes", [0.0001, 0.01, 5.0])
def test_a_burst_costs_others_one_request_at_most(threads, takes):
    """Others ask now and then, one after the other, while 2,000 requests of one client wait."""
    clock = Clock(threads)
    clock.burst("flood", 2000, takes)
    for other in range(5):
        clock.burst(f"other {other}", 50, takes / 50, at=takes * (other + 1) / 3, every=takes * 7)
    clock.run()
    assert len(clock.waits["flood"]) == 2000
    for other in range(5):
        assert len(clock.waits[f"other {other}"]) == 50 and max(clock.waits[f"other {other}"]) <= takes * (1.5 if threads == 1 else 0.5)


@pytest.mark.parametrize("threads", [2, 4, 8])
def test_two_floods_share_the_time_and_not_the_number_of_requests(threads):
    clock, used = Clock(threads), Counter()
    clock.burst("cheap", 20_000, 0.002)
    clock.burst("dear", 2_000, 0.05)
    clock.run(until=10.0)
    for client, takes in (("cheap", 0.002), ("dear", 0.05)):
        used[client] = len(clock.waits[client]) * takes
    assert 0.4 < used["cheap"] / used.total() < 0.6


def test_who_rested_saves_nothing_up_and_who_used_much_is_not_shut_out():
    clock = Clock(1)
    clock.burst("busy", 3_000, 0.01)
    clock.burst("rested", 1_000, 0.01, at=15.0)
    clock.run(until=25.0)
    # From 15 s on both wait, and both get half.
    assert abs(len(clock.waits["rested"]) - 500) < 20 and abs(len(clock.waits["busy"]) - 2000) < 20
    clock = Clock(2)
    clock.burst("long", 1, 30.0)
    clock.burst("long", 100, 0.01, at=31.0, every=0.01)
    clock.burst("short", 100, 0.01, at=31.0, every=0.01)
    clock.run()
    assert max(clock.waits["long"]) < 0.5


def test_what_is_remembered_of_clients_is_bounded(monkeypatch):
    monkeypatch.setattr(turns_module, "KEPT", 100)
    turns = Turns(4)
    turns.add("always", 1)
    always, = begun(turns)
    for number in range(1000):
        turns.add(str(number), number)
        turn, = begun(turns, number)
        turns.end(turn, number + 5)
    assert len(turns._used) <= 101 and not turns._waiting and not turns._order
    turns.end(always, 2000.0)
    assert not turns._used


@pytest.mark.parametrize("peer, headers, of_peer, of_request", [
    (("192.0.2.1", 5), [], "192.0.2.1", "192.0.2.1"),
    (("192.0.2.1", 5), [("X-FORWARDED-FOR", "198.51.100.7")], "192.0.2.1", "192.0.2.1"),
    (("2001:db8::1", 5, 0, 0), [], "2001:db8::/64", "2001:db8::/64"),
    (("::ffff:192.0.2.1", 5, 0, 0), [], "192.0.2.1", "192.0.2.1"),
    (("127.0.0.1", 5), [], "", ""),
    (("127.0.0.1", 5), [("X-FORWARDED-FOR", "198.51.100.7")], "", "198.51.100.7"),
    (("127.0.0.1", 5), [("X-FORWARDED-FOR", "198.51.100.7, 10.1.2.3")], "", "198.51.100.7"),
    (("127.0.0.1", 5), [("X-FORWARDED-FOR", "203.0.113.9"), ("X-FORWARDED-FOR", "198.51.100.7")], "", "198.51.100.7"),
    (("127.0.0.1", 5), [("FORWARDED", 'for="[2001:db8::1]:80"')], "", "2001:db8::/64"),
    (("127.0.0.1", 5), [("X-FORWARDED-FOR", "10.1.2.3")], "", ""),
    (("127.0.0.1", 5), [("X-FORWARDED-FOR", "no address")], "", ""),
    ("", [], "", ""),
    ("", [("X-FORWARDED-FOR", "198.51.100.7")], "", "198.51.100.7"),
])  # fmt: skip
def test_whose_a_connection_and_a_request_are(peer, headers, of_peer, of_request):
    clients = Clients(TRUSTED)
    assert (clients.of_peer(peer), clients.of_request(peer, [("HOST", "x"), *headers])) == (of_peer, of_request)


def test_one_client_gets_half_of_the_room_at_most_and_there_is_some_for_the_next(tmp_path):
    room, taken = Room(str(tmp_path), 0, 1000), deque()
    for owner, most in (("a", 500), ("b", 250), ("c", 120)):
        got = 0
        with pytest.raises(Full):
            while True:
                room.take_disk(10, owner)
                taken.append(owner)
                got += 10
        assert got == most
    assert not room.take_memory(1)
    while taken:
        room.give_disk(10, taken.pop())
    assert room.disk_used == 0 and not room._owners
