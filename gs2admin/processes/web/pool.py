"""Threads that work on what is put in, one after the other."""
from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class Pool:
    """`put` never waits. The threads end with the process."""

    def __init__(self, name: str, threads: int, work: Callable[[Any], None]) -> None:
        self.work = work
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.put = self._queue.put
        for number in range(threads):
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True).start()

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            try:
                self.work(item)
            except BaseException:
                log.exception("a web thread failed")
            del item
