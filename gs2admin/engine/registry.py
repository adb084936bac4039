"""What the domains register for the sweep: plain lists, filled while Django starts."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Sweep = Callable[[], int]
Bury = Callable[[str], int]


@dataclass(frozen=True)
class DeliveryThread:
    """due: numbers of the rows that somebody should go for now, the longest waiting first. run: go for one, until the answer to
    `leaving` is True. at_once: so many per host."""

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
ON_WORKER_LOST: dict[str, Bury] = {}
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


def on_worker_lost(function: Bury) -> Bury:
    """Register fn(label) -> number of rows it freed, called once when the worker with that `engine.worker_label()`
    is known to be dead together with all it had started. A quick help only: leases end by themselves too."""
    ON_WORKER_LOST[dotted(function)] = function
    return function


def delivery_thread(*, due: Callable[[], list[int]], at_once: int) -> Callable[[Callable], Callable]:
    """Register fn(row id, leaving) for errands to strangers, who may keep one waiting: threads of each worker host run it for
    what `due()` names, about twice a second, so that no worker waits. Rows must be claimed, and be safe to be lost."""

    def register(function: Callable[[int, Callable[[], bool]], object]) -> Callable:
        DELIVERY_THREADS[dotted(function)] = DeliveryThread(due, function, at_once)
        return function

    return register
