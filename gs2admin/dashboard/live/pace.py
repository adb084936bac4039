"""How long a page waits after news before it asks again: less than people notice, but longer the more of them watch."""
from __future__ import annotations

import time

# Per watcher of this process: all of them together ask at most 500 times a second.
PER_WATCHER_MS = 2
SOON_MS, STEADY_MS, SELDOM_MS = 100, 400, 1_000
# So many pieces of news follow each other quickly, and one more after each REST_S, before the steady pace begins.
BURST, REST_S = 6.0, 0.5

# Requests that are held or waited for an answer lately; the web process tells.
watchers = 0


class Pace:
    """Of one subject."""

    def __init__(self) -> None:
        self._left, self._at = BURST, time.monotonic()

    def next_ms(self) -> int:
        """For the news that are made now."""
        now = time.monotonic()
        self._left, self._at = min(BURST, self._left + (now - self._at) / REST_S), now
        pause = SOON_MS if self._left >= 1 else STEADY_MS
        self._left = max(0.0, self._left - 1)
        return min(SELDOM_MS, max(pause, watchers * PER_WATCHER_MS))
