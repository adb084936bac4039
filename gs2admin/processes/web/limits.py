"""What a client may take: time, bytes, connections."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

# What all unfinished bodies of a process may keep in memory, and as much all answers. Bytes.
MEMORY = 16 * 1024 * 1024
# How long a connection that had its last answer is heard: a client may read that only after it has sent everything.
LINGER_S = 5.0
# Of one client's requests that wait for a thread so many are taken whole; when no more than ENOUGH of them are left, more are.
READ_AHEAD, ENOUGH = 100, 50


@dataclass(frozen=True)
class Limits:
    """head_s: for a whole head. stall_s, rate: a body or an answer may be so many seconds behind `rate` bytes a second.

    idle_s: how long a connection is kept for another request. connections: of a process; per_share: of one client, and as many
    requests of one client behind trusted proxies may wait.
    """

    head_s: float
    stall_s: float
    rate: int
    idle_s: float
    connections: int
    per_share: int
    body: int
    large_bodies: dict[str, int]

    @classmethod
    def of_settings(cls, cfg: Any) -> Limits:
        """From Django's settings and gunicorn's."""
        return cls(
            head_s=settings.WEB_HEAD_S, stall_s=settings.WEB_STALL_S, rate=settings.WEB_MIN_KB_S * 1024, idle_s=cfg.keepalive,
            connections=cfg.worker_connections, per_share=settings.WEB_CONNECTIONS_PER_ADDRESS,
            # Above what the door itself refuses, so that the refusal is the door's.
            body=settings.GS2_MAX_BODY + settings.GS2_MAX_BODY // 64 + 2048, large_bodies=settings.WEB_LARGE_BODIES,
        )  # fmt: skip

    def body_of(self, path: str) -> int:
        """The longest body at a path. Bytes."""
        return next((size for prefix, size in self.large_bodies.items() if path.startswith(prefix)), self.body)

    def later(self, deadline: float, count: int, now: float) -> float:
        """The deadline of a transfer of which `count` bytes more have got through: never more than stall_s from now."""
        return min(now + self.stall_s, deadline + count / self.rate)
