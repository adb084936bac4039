"""The dot in the top bar: is a worker alive, is the queue quick. Looked up at most once per TTL_S and process."""
from __future__ import annotations

from dataclasses import dataclass

from django.db import DatabaseError

from gs2admin.cache import Cache
from gs2admin.health import summary

TTL_S = 3.0


@dataclass(frozen=True)
class Health:
    """ok: a worker is alive. text: for people."""

    ok: bool
    text: str


_kept: Cache[str, Health] = Cache(ttl_s=TTL_S, entries=1, max_bytes=10_000)


def _ask() -> Health:
    try:
        return Health(*summary())
    except DatabaseError:
        return Health(False, "The database does not answer.")


def snapshot() -> Health:
    """The workers' state, at most TTL_S old."""
    return _kept.get_or_make_once("health", _ask)
