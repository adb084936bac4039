"""What the domains register for the sweep: plain lists, filled while Django starts."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Sweep = Callable[[], int]
OnWorkerLost = Callable[[str], int]


@dataclass(frozen=True)
class DeliveryThread:
    """One kind of delivery.

    due: the ids of rows that are due now, the longest waiting first. run(row id, leaving): deliver one, and return early when
    leaving() is True. at_once: so many at the same time on one host.
    """

    due: Callable[[], list[int]]
    run: Callable[[int, Callable[[], bool]], object]
    at_once: int


@dataclass(frozen=True)
class Cleaner:
    """A cleaner and how often it runs, over all hosts together."""

    name: str
    every_s: float
    run: Sweep


SWEEPERS: dict[str, Sweep] = {}
TICKERS: dict[str, Sweep] = {}
CLEANERS: dict[str, Cleaner] = {}
ON_WORKER_LOST: dict[str, OnWorkerLost] = {}
DELIVERY_THREADS: dict[str, DeliveryThread] = {}


def dotted(function: Callable) -> str:
    """The function's full name."""
    return f"{function.__module__}.{function.__qualname__}"


def sweeper(function: Sweep) -> Sweep:
    """Register fn() -> number of rows it woke. Every worker host calls it every few seconds, so it must be cheap
    when there is nothing to do, and safe to run on several hosts at once (conditional updates)."""
    SWEEPERS[dotted(function)] = function
    return function


def ticker(function: Sweep) -> Sweep:
    """Register fn() -> number of rows it woke, for what has a time to the second. As a sweeper, but called about twice
    a second: one indexed query when there is nothing to do."""
    TICKERS[dotted(function)] = function
    return function


def cleaner(*, every_s: float) -> Callable[[Sweep], Sweep]:
    """Register fn() -> number of rows it removed, in small batches. One host runs it, once per every_s seconds."""

    def register(function: Sweep) -> Sweep:
        CLEANERS[dotted(function)] = Cleaner(dotted(function), every_s, function)
        return function

    return register


def on_worker_lost(function: OnWorkerLost) -> OnWorkerLost:
    """Register fn(label) -> number of rows it freed, called once when the worker with that `engine.worker_label()`
    is known to be dead together with all it had started. It only saves time: leases end by themselves too."""
    ON_WORKER_LOST[dotted(function)] = function
    return function


def delivery_thread(*, due: Callable[[], list[int]], at_once: int) -> Callable[[Callable], Callable]:
    """Register fn(row id, leaving) for calls to other servers, which may be slow.

    Threads of each worker host run it for what `due()` names, about twice a second, so that no worker waits. It must claim the
    row first, and a process that is killed in the middle must leave nothing wrong.
    """

    def register(function: Callable[[int, Callable[[], bool]], object]) -> Callable:
        DELIVERY_THREADS[dotted(function)] = DeliveryThread(due, function, at_once)
        return function

    return register
