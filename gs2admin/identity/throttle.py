"""Slows the guessing of client secrets: so many failures per client id and address in a minute, then none is tried.

The counters live in Django's cache, so with REDIS_URL they hold for all hosts, without it per process. Only failures
count, so a fleet of servers behind one address that sign in rightly is never slowed.
"""

from __future__ import annotations

import hashlib
import logging

from django.core.cache import cache

log = logging.getLogger(__name__)

FAILURES = 10
WINDOW_S = 60


def _key(client_id: str, ip: str) -> str:
    return "login-failures:" + hashlib.sha256(f"{ip}\n{client_id}".encode("utf-8", "replace")).hexdigest()


def exhausted(client_id: str, ip: str) -> bool:
    """Whether this client id may not be tried from this address for the rest of the minute."""
    try:
        return cache.get(_key(client_id, ip), 0) >= FAILURES
    except Exception:
        log.warning("the cache does not answer, login guesses are not counted", exc_info=True)
        return False


def note_failure(client_id: str, ip: str) -> None:
    """Count one wrong guess."""
    key = _key(client_id, ip)
    try:
        if not cache.add(key, 1, WINDOW_S):
            cache.incr(key)
    except ValueError:
        # It expired between the two calls: a new window begins with the next failure.
        pass
    except Exception:
        log.warning("the cache does not answer, login guesses are not counted", exc_info=True)
