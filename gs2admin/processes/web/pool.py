"""Threads that work on what is put in, in fair turns of its clients."""
from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol

from gs2admin.processes.web.turns import Turn, Turns

log = logging.getLogger(__name__)


class Item(Protocol):
    """caller: the client in whose turn it is worked on."""

    caller: str


class Pool:
    """`put` never waits. The threads end with the process. low: called when only `enough` of a client's items are left."""

    def __init__(self, name: str, threads: int, work: Callable[[Item], None], enough: int, low: Callable[[], None]) -> None:
        self.work, self.enough, self.low = work, enough, low
        self._turns: Turns[Item] = Turns(threads)
        self._lock = threading.Lock()
        self._begun: queue.SimpleQueue[Turn[Item]] = queue.SimpleQueue()
        for number in range(threads):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def put(self, item: Item) -> None:
        """It waits for its turn."""
        with self._lock:
            self._turns.add(item.caller, item)
            self._begin()

    def waiting(self, caller: str) -> int:
        """How many items of a client wait."""
        return self._turns.waiting(caller)

    def _begin(self) -> None:
        while turn := self._turns.next(time.monotonic()):
            self._begun.put(turn)
            if self._turns.waiting(turn.client) == self.enough:
                self.low()

    def _run(self) -> None:
        while True:
            turn = self._begun.get()
            try:
                self.work(turn.item)
            except BaseException:
                log.exception("a web thread failed")
            with self._lock:
                self._turns.end(turn, time.monotonic())
                self._begin()
            del turn
