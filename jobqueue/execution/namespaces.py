"""The namespace of a queue that is about to be drained: its rows are kept for a moment, its switches are read each time."""
from __future__ import annotations

import time

from gs2admin.namespaces.services import NamespaceStatus
from jobqueue import sql
from jobqueue.models import Namespace

# Settings that a drain only hands on, such as where notifications go, take effect within this many seconds.
KEEP_S = 1.0
_KEPT_MAX = 1000
_kept: dict[int, tuple[float, int, Namespace]] = {}


def current(namespace_id: int) -> tuple[Namespace | None, bool]:
    """The namespace with its project, and whether the server runs its jobs by itself at this moment.

    None and False when it is gone.
    """
    switches = sql.namespace_now(namespace_id)
    if switches is None:
        return None, False
    auto_run, status, revision = switches
    kept, now = _kept.get(namespace_id), time.monotonic()
    if kept and kept[1] == revision and now - kept[0] < KEEP_S:
        namespace = kept[2]
    else:
        namespace = Namespace.objects.select_related("project").filter(pk=namespace_id).first()
        if namespace is None:
            return None, False
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[namespace_id] = now, revision, namespace
    return namespace, auto_run and status == NamespaceStatus.ACTIVE


def forget() -> None:
    """Rows of one test must not be met by the next."""
    _kept.clear()
