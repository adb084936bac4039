"""Which request a web process works on next, and how many threads one client may hold. Pure: no thread, no clock, no socket.

Start-time fair queueing by the time that each client held threads: who has used least goes next, who comes back after a rest
begins where the others are, so that nobody saves time up. A thread cannot be taken away from a request, so threads are kept
back: the last free one goes only to a client that holds none, and each request that takes long costs its client one more, down
to half of them. So whoever comes next to a flood begins at once, or when the first request of anybody has ended.
"""
from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import Generic, NamedTuple, TypeVar

# Runs longer than this: it costs its client a thread. s.
LONG_S = 1.0
# What a request costs its client at least, and before anybody knows how long it takes. s.
LEAST_S = 0.001
# Clients whose use is remembered while the process is never idle.
KEPT = 10_000
Item = TypeVar("Item")


class Turn(NamedTuple, Generic[Item]):
    """A thread belongs to it from `began` on."""

    client: str
    item: Item
    began: float


class Turns(Generic[Item]):
    """What waits for one of `threads` threads, and what holds one."""

    def __init__(self, threads: int) -> None:
        self.threads = self._free = threads
        self._waiting: dict[str, deque[Item]] = {}
        self._running: dict[str, list[float]] = {}
        self._used: dict[str, float] = {}
        self._now = 0.0
        # Clients that wait, by what they had used when they were put here, or since: it only grows.
        self._order: list[tuple[float, int, str]] = []
        self._aside: list[str] = []
        self._numbers = count()

    def waiting(self, client: str) -> int:
        """How many of its requests wait."""
        return len(self._waiting.get(client, ()))

    def add(self, client: str, item: Item) -> None:
        """It waits from now on, behind the others of its client."""
        if client in self._waiting:
            self._waiting[client].append(item)
        else:
            self._waiting[client] = deque([item])
            self._line_up(client)

    def next(self, at: float) -> Turn[Item] | None:
        """The one whose turn it is; None while nobody may begin. at: a steady clock. s."""
        while self._free and self._order:
            used, _, client = heapq.heappop(self._order)
            if used < self._of(client):
                self._line_up(client)
            elif not self._may_begin(client, at):
                self._aside.append(client)
            else:
                return self._begin(client, at)
        return None

    def end(self, turn: Turn[Item], at: float) -> None:
        """It has left its thread."""
        running = self._running[turn.client]
        running.remove(turn.began)
        if not running:
            del self._running[turn.client]
        self._free += 1
        if not self._running and not self._waiting:
            self._used.clear()
            self._now = 0.0
            return
        self._charge(turn.client, at - turn.began - LEAST_S)
        for client in self._aside:
            self._line_up(client)
        self._aside.clear()

    def _begin(self, client: str, at: float) -> Turn[Item]:
        # Not past those who are set aside: they have a right to what they did not use.
        self._now = max(self._now, min(map(self._of, [client, *self._aside])))
        self._charge(client, LEAST_S)
        waiting = self._waiting[client]
        turn = Turn(client, waiting.popleft(), at)
        if waiting:
            self._line_up(client)
        else:
            del self._waiting[client]
        self._running.setdefault(client, []).append(at)
        self._free -= 1
        return turn

    def _may_begin(self, client: str, at: float) -> bool:
        running = self._running.get(client)
        if not running:
            return True
        long = sum(began < at - LONG_S for began in running)
        return self._free > 1 and len(running) < max(self.threads // 2, self.threads - 1 - long)

    def _line_up(self, client: str) -> None:
        heapq.heappush(self._order, (self._of(client), next(self._numbers), client))

    def _of(self, client: str) -> float:
        return max(self._used.get(client, 0.0), self._now)

    def _charge(self, client: str, seconds: float) -> None:
        self._used[client] = self._of(client) + max(0.0, seconds)
        if len(self._used) > KEPT:
            self._used = {one: used for one, used in self._used.items() if used > self._now}
            if len(self._used) > KEPT // 2:
                self._used.clear()
