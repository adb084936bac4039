"""Connections to Redis whose waits end, and that say no at once for a moment after the server could not be reached.

What Redis does for us can be done without (workers are woken by the sweep), so a request waits once at most, not at every call.
"""
from __future__ import annotations

import time
from typing import Any

import redis
from django.conf import settings

# How long nobody tries again. s.
PAUSE_S = 2.0


class Pool(redis.ConnectionPool):
    """redis-py's pool; `get_connection` raises redis.RedisError at once within PAUSE_S of a failure to connect."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("socket_connect_timeout", settings.REDIS_WAIT_S)
        kwargs.setdefault("socket_timeout", settings.REDIS_WAIT_S)
        super().__init__(*args, **kwargs)
        self._again_at = 0.0

    def get_connection(self, *args: Any, **options: Any) -> Any:
        if time.monotonic() < self._again_at:
            raise redis.ConnectionError("Redis could not be reached a moment ago")
        try:
            return super().get_connection(*args, **options)
        except (redis.RedisError, OSError):
            self._again_at = time.monotonic() + PAUSE_S
            raise
