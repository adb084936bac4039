"""The namespace of a queue that is about to be drained: its row is cached for a moment, its switches are read each time."""
from __future__ import annotations

from typing import NamedTuple

from gs2admin.cache import Cache
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue import sql
from jobqueue.models import Namespace

# Settings that a drain only hands on, such as where notifications go, take effect within this many seconds.
CACHE_S = 1.0
# The key holds the revision, so a change counts at once.
_cached: Cache[tuple[int, int], Namespace] = Cache(ttl_s=CACHE_S, entries=1_000, max_bytes=2_000_000)


class Current(NamedTuple):
    """A namespace with its project (None: it is gone). auto: the server runs its jobs by itself. paused: nobody runs them now.

    untried: none was ever run.
    """

    namespace: Namespace | None
    auto: bool
    paused: bool
    untried: bool


def current(namespace_id: int) -> Current:
    """The namespace and its switches as they are now."""
    switches = sql.namespace_now(namespace_id)
    if switches is None:
        return Current(None, False, False, False)
    namespace = _cached.get_or_make(
        (namespace_id, switches.revision), lambda: Namespace.objects.select_related("project").filter(pk=namespace_id).first()
    )
    auto = namespace is not None and switches.auto_run and switches.status == NamespaceStatus.ACTIVE
    return Current(namespace, auto, switches.paused, switches.untried)
