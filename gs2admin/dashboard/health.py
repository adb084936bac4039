"""The dot in the top bar: is a worker alive, is the queue quick. Asked at most every few seconds per process."""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from django.db import DatabaseError

from gs2admin.health import summary

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
        return Health(*summary())
    except DatabaseError:
        return Health(False, "The database does not answer.")


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
