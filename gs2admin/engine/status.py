"""Is anybody there to do the work: for /readyz and the dot in the header. One query."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from gs2admin.engine.models import EngineCluster, EngineWorker


@dataclass(frozen=True)
class Health:
    """workers: worker processes of live clusters. latency_ms: how long the latest heartbeats waited to be started, the
    worst cluster's; None before the first. clusters: live ones."""

    clusters: int
    workers: int
    latency_ms: int | None


def live_clusters():
    """Clusters that work: a heartbeat got through lately, or a worker is too busy for one and says so."""
    since = Now() - timedelta(seconds=settings.LATE_S)
    busy = EngineWorker.objects.filter(cluster_id=OuterRef("pk"), busy_at__gt=since).exclude(doing="")
    return EngineCluster.objects.filter(draining=False, seen_at__gt=since).filter(Q(beat_at__gt=since) | Exists(busy))


def health() -> Health:
    """How the workers are. Raises a database error when the database is away."""
    rows = list(live_clusters().values_list("workers", "latency_ms"))
    latencies = [latency for _, latency in rows if latency is not None]
    return Health(len(rows), sum(workers for workers, _ in rows), max(latencies, default=None))
