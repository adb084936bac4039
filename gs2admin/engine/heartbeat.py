"""The supervisor's thread at the database: sends heartbeats, keeps the rows of clusters, reads when workers beat."""
from __future__ import annotations

import logging
import socket
import threading
import time
from dataclasses import dataclass
from datetime import datetime

import redis
from django import db
from django.db.models.functions import Now

from gs2admin import outage
from gs2admin.db import patience
from gs2admin.engine import connections, waking
from gs2admin.engine.brokers import private_queue
from gs2admin.engine.models import EngineCluster, EngineWorker
from gs2admin.engine.registry import ON_WORKER_LOST
from gs2admin.processes.cluster import Cluster
from gs2admin.processes.faults import Beats

log = logging.getLogger(__name__)
# A heartbeat that has not arrived is sent again after so many turns: Redis may have lost it.
AGAIN = 3


@dataclass
class Watched:
    """A cluster and what is known of its heartbeats. sent_at: on the monotonic clock; arrived: beat_at when it was sent."""

    cluster: Cluster
    sent_at: float = 0.0
    arrived: datetime | None = None
    known: bool = False


class DatabaseHeartbeat:
    """Implements `processes.supervisor.Heartbeat`. All methods return at once; `serve` runs in a thread."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._lock = threading.Lock()
        self._watched: dict[str, Watched] = {}
        self._gone: list[Cluster] = []
        self._dead: list[str] = []
        self._wake = threading.Event()
        self._away = False
        self._host = socket.gethostname()[:50]  # as in presence.worker_label

    def watch(self, cluster: Cluster) -> None:
        """Send it heartbeats from now on, and keep its `beats` fresh."""
        with self._lock:
            self._watched[cluster.id.hex] = Watched(cluster)
        self._wake.set()

    def forget(self, cluster: Cluster) -> None:
        """It is gone: its row and its private queue are removed."""
        with self._lock:
            self._watched.pop(cluster.id.hex, None)
            self._gone.append(cluster)
        self._wake.set()

    def workers_lost(self, cluster: Cluster, pids: list[int]) -> None:
        """These workers of it are dead: what they had is freed (`engine.on_worker_lost`)."""
        with self._lock:
            self._dead += [f"{self._host}:{cluster.id.hex}:{pid}" for pid in pids]
        self._wake.set()

    def serve(self, ended: threading.Event) -> None:
        """Until `ended` is set, and then once more for what was left to note."""
        while True:
            last = ended.is_set()
            self._wake.clear()
            with patience.each(patience.LOOP_S):
                self._once()
            if last:
                db.connections.close_all()
                return
            self._wake.wait(self._every_s)

    def stop(self, ended: threading.Event) -> None:
        """Make `serve` finish."""
        ended.set()
        self._wake.set()

    def _once(self) -> None:
        try:
            connections.refresh()
            self._tidy()
            with self._lock:
                watched = list(self._watched.values())
            for one in watched:
                self._beat(one)
            if self._away:
                log.info("the database answers again")
            self._away = False
        except (db.Error, redis.RedisError, OSError) as problem:
            if not self._away:
                log.warning("database or queue is away; no cluster is replaced until it answers",
                            extra={"problem": f"{type(problem).__name__}: {problem}", "reason": outage.word(problem)})
            self._away = True

    def _tidy(self) -> None:
        with self._lock:
            dead, self._dead = self._dead, []
            gone, self._gone = self._gone, []
        try:
            for label in dead:
                _worker_is_lost(label)
            for cluster in gone:
                waking.broker(private_queue(cluster.id.hex)).purge_queue()
                EngineCluster.objects.filter(id=cluster.id).delete()
        except (db.Error, redis.RedisError, OSError):
            with self._lock:
                self._dead, self._gone = dead + self._dead, gone + self._gone
            raise

    def _beat(self, one: Watched) -> None:
        cluster, now = one.cluster, time.monotonic()
        draining = cluster.draining_since is not None
        rows = EngineCluster.objects.filter(id=cluster.id)
        if not one.known:
            EngineCluster.objects.get_or_create(id=cluster.id, defaults={
                "queue": cluster.queue, "host": self._host, "pid": cluster.popen.pid, "workers": cluster.workers})
            one.known = True
        rows.update(seen_at=Now(), draining=draining)
        row = rows.annotate(now=Now()).values("beat_at", "now").first()
        if row is None:  # somebody cleaned it away
            one.known = False
            return
        if not draining:
            self._send(one, row["beat_at"], now)
        age = (row["now"] - row["beat_at"]).total_seconds() if row["beat_at"] else None
        # Last, so that a queue that is away leaves the old, stale answer. One assignment: no lock.
        cluster.beats = Beats(at=time.monotonic(), heartbeat_age=age, workers=cluster_workers(cluster, row["now"]))

    def _send(self, one: Watched, beat_at: datetime | None, now: float) -> None:
        broker = waking.broker(private_queue(one.cluster.id.hex))
        broker.reach()
        missing = one.sent_at and beat_at == one.arrived
        if missing and now - one.sent_at <= AGAIN * self._every_s:
            return
        if missing:
            broker.purge_queue()
        one.sent_at, one.arrived = now, beat_at
        waking.push("gs2admin.engine.tasks.heartbeat", now, private_queue(one.cluster.id.hex))


def cluster_workers(cluster: Cluster, now: datetime) -> dict[int, float]:
    """pid -> age in s of the last beat, of the workers that say they are busy."""
    rows = EngineWorker.objects.filter(cluster_id=cluster.id).exclude(doing="").values_list("pid", "busy_at")
    return {pid: (now - busy_at).total_seconds() for pid, busy_at in rows}


def _worker_is_lost(label: str) -> None:
    for name, free in ON_WORKER_LOST.items():
        try:
            freed = free(label)
            if freed:
                log.info("work of a dead worker was freed", extra={"worker": label, "rows": freed})
        except (db.OperationalError, db.InterfaceError):
            raise
        except Exception:
            log.exception("an on_worker_lost function failed", extra={"on_worker_lost": name})
