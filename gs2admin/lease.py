"""The right to work on something for a time: how it is renewed, and what is raised when somebody else has it.

Each kind of work has its own row and its own fenced UPDATE. What they share is here: when to renew, and the end.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class LeaseLost(BaseException):
    """This worker has lost its lease: stop at once and write nothing more, another worker may be at it already.

    A BaseException, so that no ``except Exception`` swallows it. Who takes a lease catches it.
    """


class Renewer(Generic[T]):
    """Renews a lease while its work goes on.

    every_s: how long after a renewal the next one is due, in seconds; a part of the lease, so that a late call still finds it.
    renew: writes the new end of the lease. Raises LeaseLost.
    """

    def __init__(self, every_s: float, renew: Callable[[], T]) -> None:
        self._every_s, self._renew = every_s, renew
        self.restart()

    def restart(self) -> None:
        """The lease was renewed by other means, just now."""
        self._renewed_at = time.monotonic()

    @property
    def due(self) -> bool:
        """every_s is over since the last renewal. A process that was stopped for long sees so when it goes on."""
        return time.monotonic() - self._renewed_at >= self._every_s

    def tick(self) -> T | None:
        """Renew when it is due; returns what `renew` returned, None when it was not due. Raises what `renew` raises."""
        return self.now() if self.due else None

    def now(self) -> T:
        """Renew at once. Raises what `renew` raises; the lease is due again then."""
        asked_at = time.monotonic()  # before the statement: the lease counts from no earlier moment
        renewed = self._renew()
        self._renewed_at = asked_at
        return renewed
