"""How long this thread waits for the database, where that is less than the process's own limits: probes, loops of the engine."""
from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_thread = threading.local()
# A statement of a loop that looks for work is short; when it is not answered after so long, nobody is there to answer. s.
LOOP_S = 10.0


def left(limit_s: float | None) -> float | None:
    """The seconds that may be waited now: limit_s, or what is left of a shorter patience. None: for ever."""
    limits = [limit_s, getattr(_thread, "each", None)]
    until = getattr(_thread, "until", None)
    if until is not None:
        limits.append(max(0.0, until - time.monotonic()))
    return min((limit for limit in limits if limit is not None), default=None)


@contextmanager
def each(seconds: float) -> Iterator[None]:
    """No single wait of this thread for the database inside is longer."""
    before = getattr(_thread, "each", None)
    _thread.each = seconds
    try:
        yield
    finally:
        _thread.each = before


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this thread asks the database inside is answered or fails within so many seconds; a shorter outer limit holds."""
    before = getattr(_thread, "until", None)
    until = time.monotonic() + seconds
    _thread.until = until if before is None else min(before, until)
    try:
        yield
    finally:
        _thread.until = before
