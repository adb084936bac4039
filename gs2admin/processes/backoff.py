"""How long to wait before starting something again that keeps ending."""
from __future__ import annotations

WAITS_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)


class Backoff:
    """0, 0.5, 1, 2, 5, 10, 10 … seconds; from the beginning after it had run well for healthy_s seconds."""

    def __init__(self, healthy_s: float) -> None:
        self.healthy_s = healthy_s
        self.failures = 0

    def failed(self, ran_s: float) -> float:
        """It ran well for ran_s seconds and ended: how many seconds to wait."""
        if ran_s >= self.healthy_s:
            self.failures = 0
        wait = WAITS_S[min(self.failures, len(WAITS_S) - 1)]
        self.failures += 1
        return wait
