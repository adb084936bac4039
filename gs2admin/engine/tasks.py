"""The engine's own task, and its own cleaning."""
from __future__ import annotations

import time
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django_q.models import OrmQ, Task

from gs2admin.db import clock
from gs2admin.engine import inside
from gs2admin.engine.models import EngineCluster, EngineWorker
from gs2admin.engine.registry import cleaner

BATCH = 500
KEEP_RESULTS = timedelta(days=7)
KEEP_WAKES = timedelta(days=1)
KEEP_CLUSTERS = timedelta(minutes=10)


def heartbeat(sent: float) -> None:
    """Note that this cluster's pusher, queue and workers work. sent: the machine's monotonic clock at enqueuing, in s."""
    latency_ms = max(0, round((time.monotonic() - sent) * 1000))
    EngineCluster.objects.filter(id=inside.cluster_id()).update(beat_at=Now(), latency_ms=latency_ms)


def _remove(rows) -> int:
    """Delete in batches, so that no transaction holds SQLite's write lock for long. Returns the rows removed."""
    removed = 0
    while batch := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        rows.model._default_manager.filter(pk__in=batch).delete()
        removed += len(batch)
    return removed


@cleaner(every_s=3600)
def clean_queue() -> int:
    """Results of failed tasks, and tasks that nobody took (left behind by a cluster or queue that is gone)."""
    now = clock.now()
    return _remove(Task.objects.filter(stopped__lt=now - KEEP_RESULTS)) + _remove(
        OrmQ.objects.filter(lock__lt=now - KEEP_WAKES)
    )


@cleaner(every_s=60)
def clean_clusters() -> int:
    """Clusters whose supervisor has not been seen for long, with their private queues."""
    from gs2admin.engine.brokers import private_queue

    gone = list(EngineCluster.objects.filter(seen_at__lt=Now() - KEEP_CLUSTERS).values_list("id", flat=True))
    for cluster in gone:
        OrmQ.objects.filter(key=private_queue(cluster.hex)).delete()
        EngineCluster.objects.filter(id=cluster).delete()
    # A worker that beats once more while its cluster is being forgotten leaves a row without one.
    left = EngineWorker.objects.filter(busy_at__lt=Now() - KEEP_CLUSTERS).exclude(cluster__in=EngineCluster.objects.all())
    return len(gone) + _remove(left)


@cleaner(every_s=3600)
def clean_sessions() -> int:
    """Browser sessions that have ended."""
    return _remove(Session.objects.filter(expire_date__lt=clock.now()))
