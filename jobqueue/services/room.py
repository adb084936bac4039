"""How many jobs may still wait in a namespace (settings.JOB_WAITING).

Counting them is a sum over the players with work, 20 ms for a hundred thousand, so it is not done for every push. A process
counts once and may then add a sixteenth of the room that was left, for a second at most, before it counts again: far from
the cap it hardly ever counts, and next to it for each push. After a refusal it does not count for a moment, so that a client
that goes on pushing costs nothing. Up to sixteen processes never pass the cap but by the pushes that are under way.
"""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from django.conf import settings

from gs2admin.cache import Cache
from gs2admin.errors import Quota
from jobqueue import sql
from jobqueue.models import Namespace

SHARE = 16
FRESH_S, REFUSED_S = 1.0, 0.25


@dataclass
class _Room:
    """free: as it was counted. left: jobs that this process may add before it counts again. refused_at: when free was too few."""

    free: int
    left: int
    refused_at: float = 0.0


_rooms: Cache[int, _Room] = Cache(ttl_s=FRESH_S, entries=10_000, max_bytes=4_000_000)
_lock = threading.Lock()


def require_room(namespace: Namespace, count: int) -> None:
    """Claim room for so many new jobs. Raises Quota."""
    with _lock:
        if _claimed(namespace.pk, count):
            return
        known = _rooms.get(namespace.pk)
        if known and count > known.free and time.monotonic() - known.refused_at < REFUSED_S:
            raise _full(namespace)
    free = settings.JOB_WAITING - sql.waiting_in(namespace.pk)
    with _lock:
        found = _rooms.put(namespace.pk, _Room(free, max(0, free // SHARE - count)))
        if count > free:
            found.refused_at = time.monotonic()
            raise _full(namespace)


def _claimed(namespace_id: int, count: int) -> bool:
    known = _rooms.get(namespace_id)
    if known is None or known.left < count:
        return False
    known.left -= count
    return True


def forget() -> None:
    """Count anew the next time (tests)."""
    _rooms.clear()


def _full(namespace: Namespace) -> Quota:
    return Quota(
        f"At most {settings.JOB_WAITING:,} jobs may wait in {namespace.name}, and with these there would be more; nothing was"
        " pushed. Push again when some have run, or have GS2ADMIN_JOB_WAITING raised.",
        component="namespace", message="jobQueue.namespace.jobs.error.tooMany",
    )  # fmt: skip
