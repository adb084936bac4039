"""Ends a script from outside when the runner itself cannot."""
from __future__ import annotations

import time
from collections.abc import Callable

from jobqueue.scripting.outcome import Limits, Outcome, failure

# The runner ends a script itself and says where it was; only when it cannot is it killed, this much later.
GRACE_S = 0.3
TIMEOUT = "script.execution.timeout"


class Killed(Exception):
    """The script was stopped from outside; carries its outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Watch:
    """Ends a script that the runner itself cannot end: GRACE_S seconds after its limits of wall or CPU time."""

    def __init__(self, cpu_s: Callable[[], float], limits: Limits, tick: Callable[[], object] | None) -> None:
        self._cpu_s, self._limits, self._tick = cpu_s, limits, tick
        self._end = time.monotonic() + limits.wall_s + GRACE_S
        # The runner's CPU clock runs on while it prepares the state for the next script, so it is read only while waiting.
        self._cpu_end: float | None = None

    def tick(self) -> None:
        """Call the caller's tick, if there is one. Raises what it raises."""
        if self._tick:
            self._tick()

    def check_wall(self) -> None:
        """Raises Killed when the wall time is over."""
        if time.monotonic() > self._end:
            raise Killed(failure(504, TIMEOUT, "the script took too long"))

    def wait(self) -> None:
        """Called about every TICK_S while nothing comes. Raises Killed when a time is over, and what tick raises."""
        self.tick()
        used = self._cpu_s()
        if self._cpu_end is None:
            self._cpu_end = used + self._limits.cpu_s + GRACE_S
        self.check_wall()
        if used > self._cpu_end:
            raise Killed(failure(504, TIMEOUT, "the script used up its CPU time"))
