"""What a client may take: time, bytes, connections."""
from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings

# What all unfinished bodies of a process may keep in memory, and as much all answers. Bytes.
MEMORY = 16 * 1024 * 1024
# How long a connection that had its last answer is heard: a client may read that only after it has sent everything.
LINGER_S = 5.0


@dataclass(frozen=True)
class Limits:
    """head_s: for a whole head. stall_s, rate: a body or an answer may be so many seconds behind `rate` bytes a second.

    idle_s: how long a connection is kept for another request. connections: of a process; per_share: of one client.
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


def shares() -> Callable[[Any], str]:
    """A function from a client's address, as `accept` gives it, to the name of the share that its connections count in.

    "" for those that no limit holds: proxies that are trusted, and sockets without addresses. A network of 64 bits is one IPv6
    client.
    """
    networks = settings.TRUSTED_PROXIES

    @lru_cache(10_000)
    def share(text: str) -> str:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return ""
        address = getattr(address, "ipv4_mapped", None) or address
        if any(address in network for network in networks):
            return ""
        return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))

    return lambda client: share(client[0]) if isinstance(client, tuple) and client else ""
