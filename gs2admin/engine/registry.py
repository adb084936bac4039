"""What the domains register for the sweep: plain lists, filled while Django starts."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gs2admin.engine.due import Due

Sweep = Callable[[], int]
OnWorkerLost = Callable[[str], int]


@dataclass(frozen=True)
class DeliveryThread:
    """One kind of delivery.

    which: the ids of rows that are due now, the longest waiting first. run(row id, leaving): deliver one, and return early when
    leaving() is True. at_once: so many at the same time on one host.
    """

    which: Callable[[], list[int]]
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
# Of those that say when they have something to do (gs2admin/engine/due.py).
DUE: dict[str, Due] = {}


def dotted(function: Callable) -> str:
    """The function's full name."""
    return f"{function.__module__}.{function.__qualname__}"


def _register(known: dict[str, Sweep], function: Sweep | None, due: Due | None) -> Callable:
    def register(function: Sweep) -> Sweep:
        known[dotted(function)] = function
        if due is not None:
            DUE[dotted(function)] = due
        return function

    return register if function is None else register(function)


def sweeper(function: Sweep | None = None, *, due: Due | None = None) -> Callable:
    """Register fn() -> number of rows it woke. Every worker host calls it every few seconds while it is due, so it must be safe
    to run on several hosts at once (conditional updates), and cheap where it does not say when it is due."""
    return _register(SWEEPERS, function, due)


def ticker(function: Sweep | None = None, *, due: Due | None = None) -> Callable:
    """Register fn() -> number of rows it woke, for what has a time to the second. As a sweeper, but called at that time, and
    about twice a second while it stays due. Who writes an earlier time calls `engine.wake_chores`."""
    return _register(TICKERS, function, due)


def cleaner(*, every_s: float, due: Due | None = None) -> Callable[[Sweep], Sweep]:
    """Register fn() -> number of rows it removed, in small batches. One host runs it, once per every_s seconds, if it is due."""

    def register(function: Sweep) -> Sweep:
        CLEANERS[dotted(function)] = Cleaner(dotted(function), every_s, function)
        if due is not None:
            DUE[dotted(function)] = due
        return function

    return register


def on_worker_lost(function: OnWorkerLost) -> OnWorkerLost:
    """Register fn(label) -> number of rows it freed, called once when the worker with that `engine.worker_label()`
    is known to be dead together with all it had started. It only saves time: leases end by themselves too."""
    ON_WORKER_LOST[dotted(function)] = function
    return function


def delivery_thread(
    *, which: Callable[[], list[int]], at_once: int, due: Due | None = None
) -> Callable[[Callable], Callable]:
    """Register fn(row id, leaving) for calls to other servers, which may be slow.

    Threads of each worker host run it for what `which()` names when it is due, so that no worker waits. It must claim the row
    first, and a process that is killed in the middle must leave nothing wrong.
    """

    def register(function: Callable[[int, Callable[[], bool]], object]) -> Callable:
        DELIVERY_THREADS[dotted(function)] = DeliveryThread(which, function, at_once)
        if due is not None:
            DUE[dotted(function)] = due
        return function

    return register
