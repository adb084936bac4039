"""A busy worker's sign of life, and its answer whether to hand over."""
from __future__ import annotations

import logging
import os
import socket
import time

from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now

from gs2admin.engine import inside

log = logging.getLogger(__name__)
# Callers beat as often as they like; a row is written at most this often, and none for what is over sooner: a short task
# would pay for two writes more than it makes itself.
WRITE_S = 1.0
FIRST_S = 0.5
_wrote = {"at": 0.0, "doing": "", "since": 0.0}


def worker_label() -> str:
    """This process as "host:cluster:pid", at most 100 characters; cluster is "-" outside a supervised cluster."""
    return f"{socket.gethostname()[:50]}:{inside.cluster_id() or '-'}:{os.getpid()}"


def beat(doing: str = "") -> bool:
    """Say that this worker is alive and busy; call it at least every 2 s, from the thread that does the work.

    doing: a few words for people ("rollout 415"). Returns True when the worker is asked to finish its step, give
    its lease back, ring again and return: its cluster is being replaced or shut down, and it will be killed later.
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
    """The task is over: the worker is no longer busy. Called by the cluster after every task."""
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

    mine = EngineWorker.objects.filter(cluster_id=cluster, pid=os.getpid())
    if not mine.update(busy_at=Now(), doing=doing[:200]):
        EngineWorker.objects.update_or_create(
            cluster_id=cluster, pid=os.getpid(), defaults={"busy_at": Now(), "doing": doing[:200]}
        )
