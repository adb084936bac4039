"""The dot in the top bar: is a worker alive, is the queue quick. Asked at most every few seconds per process."""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass

TTL_S = 3.0


@dataclass(frozen=True)
class Health:
    """ok: a worker is alive. text: for people."""

    ok: bool
    text: str


_lock = threading.Lock()
_seen: tuple[float, Health] | None = None


def _ask() -> Health:
    try:
        from gs2admin import health
        summary = health.summary
    except (ImportError, AttributeError):
        return Health(True, "")
    return Health(*summary())


def snapshot() -> Health:
    """The workers' state, at most TTL_S old."""
    global _seen
    now = time.monotonic()
    seen = _seen
    if seen and now - seen[0] < TTL_S:
        return seen[1]
    with _lock:
        if _seen and time.monotonic() - _seen[0] < TTL_S:
            return _seen[1]
        answer = _ask()
        _seen = (time.monotonic(), answer)
        return answer
