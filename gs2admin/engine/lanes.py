"""The lanes of a cluster: one per queue, each with slots for so many tasks at once, and with workers started when needed.

All of it lies in semaphores and shared numbers that are made before the fork, so pusher, workers and main process agree.
"""
from __future__ import annotations

import multiprocessing
import os
import select
from contextlib import suppress
from typing import Any

from django.conf import settings

_FORK = multiprocessing.get_context("fork")


def queues() -> list[tuple[str, int]]:
    """What a cluster serves: queue, and how many tasks of it at once. Rollouts and everything else; players' jobs."""
    found = [(settings.Q_CLUSTER["name"], settings.WORKERS)]
    if settings.JOB_WORKERS:
        found.append((settings.JOB_QUEUE, settings.JOB_WORKERS))
    return found


class Lane:
    """One queue of a cluster. id: of its row, as hex. slots: tasks that may be taken now."""

    def __init__(self, queue: str, workers: int, id: str) -> None:
        self.queue, self.workers, self.id = queue, workers, id
        self.tasks = _FORK.SimpleQueue()
        self.slots = _FORK.Semaphore(workers)
        self.long = _FORK.Semaphore(max(1, workers - 1))
        # Workers that there are, written by the main process; the most tasks at once since it looked last, by the pusher.
        self.alive: Any = _FORK.Value("i", 0, lock=False)
        self.peak: Any = _FORK.Value("i", 0, lock=False)
        # Workers that were told to leave and are still there; in the main process.
        self.leaving = 0
        # Readable once a slot was given back after it was refused; for the pusher.
        self.given_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.refused = False

    def take(self, timeout_s: float) -> bool:
        """Take a slot, within timeout_s. In the pusher alone."""
        drained(self.given_fd)
        self.refused = not (self.slots.acquire(timeout=timeout_s) if timeout_s else self.slots.acquire(block=False))
        return not self.refused

    def give(self) -> None:
        """Give a slot back."""
        self.slots.release()
        with suppress(BlockingIOError):
            os.eventfd_write(self.given_fd, 1)

    def in_flight(self) -> int:
        """Tasks that were taken and have not ended."""
        return self.workers - self.slots.get_value()


class Lanes:
    """All lanes of a cluster. Made in its main process."""

    def __init__(self, lanes: list[Lane]) -> None:
        self._lanes = {lane.queue: lane for lane in lanes}
        # Readable while a lane needs another worker; for the main process.
        self.short_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __iter__(self):
        return iter(self._lanes.values())

    def __getitem__(self, queue: str) -> Lane:
        return self._lanes[queue]

    def put(self, task: dict[str, Any]) -> None:
        """Hand a task to the workers of its lane, which travels as its ack_id; the pusher's `task_queue`."""
        lane = self[task["ack_id"]]
        task["ack_id"] = None
        now = lane.in_flight()
        lane.peak.value = max(lane.peak.value, now)
        lane.tasks.put(task)
        if now > lane.alive.value:
            os.eventfd_write(self.short_fd, 1)


def drained(fd: int) -> bool:
    """Read an eventfd; whether there was anything."""
    try:
        return bool(os.eventfd_read(fd))
    except BlockingIOError:
        return False


def ready(fds: list[int], timeout_s: float) -> bool:
    """Wait until one of them can be read, for timeout_s at most."""
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    return bool(poller.poll(timeout_s * 1000))
