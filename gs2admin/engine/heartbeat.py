"""A thread at the database, for the supervisor: sends heartbeats, keeps the rows of clusters, reads when workers beat.

A heartbeat is a task in a queue of a lane's own: it proves the queue, the pusher and a worker of exactly this lane.
"""
from __future__ import annotations

import logging
import socket
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any

import redis
from django import db
from django.conf import settings
from django.db.models.functions import Now

from gs2admin import outage
from gs2admin.db import patience
from gs2admin.engine import connections, link, waking
from gs2admin.engine.brokers import private_queue
from gs2admin.engine.models import EngineCluster, EngineWorker
from gs2admin.engine.registry import ON_WORKER_LOST
from gs2admin.processes.faults import beat_every, rest_every

log = logging.getLogger(__name__)
# A heartbeat that has not arrived is sent again after so many turns: Redis may have lost it.
AGAIN = 3
_NOW = {"postgresql": "STATEMENT_TIMESTAMP()", "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"}
_AGE = {
    "postgresql": "EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP() - beat_at)",
    "sqlite": "(JULIANDAY('NOW') - JULIANDAY(beat_at)) * 86400.0",
}


@dataclass
class Watched:
    """A lane and what is known of its heartbeats. sent_at: on the monotonic clock; arrived: beat_at when it was sent."""

    lane: link.Lane
    sent_at: float = 0.0
    arrived: Any = None
    known: bool = False
    draining: bool = False


class DatabaseHeartbeat:
    """`serve` runs in a thread, `listen` in the main one."""

    def __init__(self, supervisor: socket.socket) -> None:
        self._supervisor = supervisor
        self._lock = threading.Lock()
        self._watched: dict[str, Watched] = {}
        self._gone: list[str] = []
        self._dead: list[str] = []
        self._wake = threading.Event()
        self._away = False
        self._host = socket.gethostname()[:50]  # as in presence.worker_label

    def listen(self, ended: threading.Event) -> None:
        """Hear what the supervisor says, until it says the end or is gone."""
        while not ended.is_set() and (said := link.hear(self._supervisor)) is not None:
            with self._lock:
                for lane in said.lanes:
                    self._watched.setdefault(lane.id, Watched(lane)).lane = lane
                for lane_id in said.gone:
                    self._watched.pop(lane_id, None)
                self._gone += said.gone
                self._dead += [f"{self._host}:{lane_id}:{pid}" for lane_id, pid in said.lost]
            self._wake.set()
            if said.end:
                break
        self.stop(ended)

    def serve(self, ended: threading.Event) -> None:
        """Until `ended` is set, and then once more for what was left to note."""
        while True:
            last = ended.is_set()
            self._wake.clear()
            with patience.each(patience.LOOP_S):
                every_s = self._once()
            if last:
                db.connections.close_all()
                return
            self._wake.wait(every_s)

    def stop(self, ended: threading.Event) -> None:
        """Make `serve` and `listen` finish."""
        ended.set()
        self._wake.set()
        link.hang_up(self._supervisor)

    def _once(self) -> float:
        """Returns in how many seconds to ask again."""
        try:
            connections.refresh()
            self._tidy()
            with self._lock:
                watched = dict(self._watched)
            works = self._beat(watched) if watched else False
            if self._away:
                log.info("the database answers again")
            self._away = False
        except (db.Error, redis.RedisError, OSError) as problem:
            link.say(self._supervisor, link.Answers(time.monotonic(), None))
            if not self._away:
                log.warning("database or queue is away; no cluster is replaced until it answers",
                            extra={"problem": f"{type(problem).__name__}: {problem}", "reason": outage.word(problem)})
            self._away, works = True, True
        return beat_every(settings.LATE_S) if works else rest_every(settings.LATE_S)

    def _tidy(self) -> None:
        with self._lock:
            dead, self._dead = self._dead, []
            gone, self._gone = self._gone, []
        try:
            for label in dead:
                _worker_is_lost(label)
            for lane_id in gone:
                waking.broker(private_queue(lane_id)).purge_queue()
                EngineCluster.objects.filter(id=lane_id).delete()
        except (db.Error, redis.RedisError, OSError):
            with self._lock:
                self._dead, self._gone = dead + self._dead, gone + self._gone
            raise

    def _beat(self, watched: dict[str, Watched]) -> bool:
        """Whether anybody works or drains, so that all of this is to be done again soon."""
        now = time.monotonic()
        for one in watched.values():
            self._note(one)
        rows = _seen(list(watched))
        works = len(rows) < len(watched)
        for lane_id, one in watched.items():
            one.known = lane_id in rows  # else somebody cleaned it away
        ages: dict[str, tuple[float | None, dict[int, float]]] = {lane_id: (age, {}) for lane_id, (_, age, _) in rows.items()}
        if busy := [lane_id for lane_id, (_, _, busy) in rows.items() if busy]:
            works = True
            for lane_id, pid, age in _busy_workers(busy):
                ages[lane_id][1][pid] = age
        for lane_id, (beat_at, _, _) in rows.items():
            one = watched[lane_id]
            works |= one.lane.draining or beat_at is None
            if not one.lane.draining:
                self._send(one, beat_at, now, works)
        # Last, so that a queue that is away leaves the old, stale answer.
        link.say(self._supervisor, link.Answers(time.monotonic(), ages))
        return works

    def _note(self, one: Watched) -> None:
        lane = one.lane
        if not one.known:
            EngineCluster.objects.get_or_create(id=lane.id, defaults={
                "queue": lane.queue, "host": self._host, "pid": lane.pid, "workers": lane.workers})
            one.known = True
        if lane.draining and not one.draining:
            EngineCluster.objects.filter(id=lane.id).update(draining=True)
            one.draining = True

    def _send(self, one: Watched, beat_at: Any, now: float, works: bool) -> None:
        every_s = beat_every(settings.LATE_S) if works else 2 * rest_every(settings.LATE_S)
        missing = one.sent_at and beat_at == one.arrived
        broker = waking.broker(private_queue(one.lane.id))
        broker.reach()
        if one.sent_at and now - one.sent_at < (AGAIN * beat_every(settings.LATE_S) if missing else 0.9 * every_s):
            return
        if missing:
            broker.purge_queue()
        one.sent_at, one.arrived = now, beat_at
        waking.push("gs2admin.engine.tasks.heartbeat", now, private_queue(one.lane.id))


def _seen(lane_ids: list[str]) -> dict[str, tuple[Any, float | None, bool]]:
    """Note that these are seen by their supervisor. Lane id -> last heartbeat, its age in s, whether a worker says it is busy."""
    link_ = db.connection
    vendor = link_.vendor
    native = [uuid.UUID(lane_id) if link_.features.has_native_uuid_field else lane_id for lane_id in lane_ids]
    with link_.cursor() as cursor:
        cursor.execute(
            f"UPDATE engine_enginecluster SET seen_at = {_NOW[vendor]} WHERE id IN ({', '.join(['%s'] * len(native))})"
            f" RETURNING id, beat_at, {_AGE[vendor]}, EXISTS (SELECT 1 FROM engine_engineworker worker"
            " WHERE worker.cluster_id = engine_enginecluster.id AND worker.doing <> '')", native)
        return {uuid.UUID(str(lane_id)).hex: (beat_at, None if age is None else float(age), bool(busy))
                for lane_id, beat_at, age, busy in cursor.fetchall()}


def _busy_workers(lane_ids: list[str]) -> list[tuple[str, int, float]]:
    """Lane id, pid, and age in s of the last beat, of the workers that say they are busy."""
    rows = EngineWorker.objects.filter(cluster_id__in=lane_ids).exclude(doing="").annotate(now=Now())
    return [(cluster_id.hex, pid, (now - busy_at).total_seconds())
            for cluster_id, pid, busy_at, now in rows.values_list("cluster_id", "pid", "busy_at", "now")]


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
