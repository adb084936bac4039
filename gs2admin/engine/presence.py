"""How a busy worker says that it is alive, and learns whether to hand over."""
from __future__ import annotations

import logging
import os
import socket
import time

from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from gs2admin.engine import inside

log = logging.getLogger(__name__)
# s. Callers beat as often as they like; a row is written at most once per WRITE_S, and none for a task that ends within FIRST_S:
# two more writes would cost it more than its own.
WRITE_S = 1.0
FIRST_S = 0.5
_wrote = {"at": 0.0, "doing": "", "since": 0.0}


def worker_label() -> str:
    """This process as "host:cluster:pid", at most 100 characters; cluster is "-" outside a supervised cluster."""
    # The host's name is cut so that the label fits its column; host names that differ only after 50 characters are rare.
    return f"{socket.gethostname()[:50]}:{inside.cluster_id() or '-'}:{os.getpid()}"


def beat(doing: str = "") -> bool:
    """Say that this worker is alive and busy; call it at least every 2 s, from the thread that does the work.

    doing: a few words for people ("rollout 415"). Returns True when the worker is asked to finish its step, give
    its lease back, wake a worker again and return: its cluster is being replaced or shut down, and it will be killed later.
    """
    cluster = inside.cluster_id()
    now = time.monotonic()
    since = _wrote["since"] = _wrote["since"] or now
    if cluster and now - since >= FIRST_S and (now - _wrote["at"] >= WRITE_S or doing != _wrote["doing"]):
        try:
            _write(cluster, doing or "busy")
            _wrote.update(at=now, doing=doing)
        except (OperationalError, InterfaceError):
            # In a transaction the error is the caller's. Outside, a missed beat is worth no failed rollout.
            if connection.in_atomic_block:
                raise
            log.info("a beat could not be written", exc_info=True)
    return inside.draining()


@inside.after_each_task
def rest() -> None:
    """The task is over: the worker is idle. Called by the cluster after every task."""
    _wrote["since"] = 0.0
    if not _wrote["at"]:
        return
    _wrote.update(at=0.0, doing="")
    try:
        _write(inside.cluster_id(), "")
    except (OperationalError, InterfaceError):
        log.info("the end of a task could not be noted", exc_info=True)


def _write(cluster: str, doing: str) -> None:
    from gs2admin.engine.models import EngineWorker

    doing = doing[:200]  # words for people; the column's width
    mine = EngineWorker.objects.filter(cluster_id=cluster, pid=os.getpid())
    if not mine.update(busy_at=Now(), doing=doing):
        EngineWorker.objects.update_or_create(
            cluster_id=cluster, pid=os.getpid(), defaults={"busy_at": Now(), "doing": doing}
        )
