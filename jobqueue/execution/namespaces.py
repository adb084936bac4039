"""The namespace of a queue that is about to be drained: its rows are kept for a moment, its switches are read each time."""
from __future__ import annotations

from gs2admin.cache import Cache
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue import sql
from jobqueue.models import Namespace

# Settings that a drain only hands on, such as where notifications go, take effect within this many seconds.
KEEP_S = 1.0
# The key holds the revision, so a change counts at once.
_kept: Cache[tuple[int, int], Namespace] = Cache(ttl_s=KEEP_S, entries=1_000)


def current(namespace_id: int) -> tuple[Namespace | None, bool]:
    """The namespace with its project, and whether the server runs its jobs by itself at this moment.

    None and False when it is gone.
    """
    switches = sql.namespace_now(namespace_id)
    if switches is None:
        return None, False
    auto_run, status, revision = switches
    namespace = _kept.get_or_make(
        (namespace_id, revision), lambda: Namespace.objects.select_related("project").filter(pk=namespace_id).first()
    )
    return namespace, namespace is not None and auto_run and status == NamespaceStatus.ACTIVE
