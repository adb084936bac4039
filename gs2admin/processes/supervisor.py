"""Starts, watches, replaces and ends clusters, from outside. Knows no database; a `Heartbeat` reads and writes that for it.

A replacement interrupts no work: the new cluster starts at once, the old one takes no more work, its busy workers finish their
step and hand over, and only then is it killed.
"""
from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Protocol

from gs2admin.processes import faults, proc
from gs2admin.processes.backoff import Backoff
from gs2admin.processes.cluster import Cluster

log = logging.getLogger(__name__)
TICK_S = 0.25
SHUTDOWN_S = 6.0
# A cluster that was whole for so long can start: what ended it came from outside, and whoever waits for work needs another.
HEALTHY_S = 1.0


class Heartbeat(Protocol):
    """The supervisor's line to the database and the queue, served by a thread of its own, so that it never waits."""

    def watch(self, cluster: Cluster) -> None:
        """From now on send it heartbeats and keep its `beats` fresh."""

    def forget(self, cluster: Cluster) -> None:
        """It is gone."""

    def workers_lost(self, cluster: Cluster, pids: list[int]) -> None:
        """These workers of it are dead, with all they had started."""


class Slot:
    """One queue: the cluster that serves it, and former ones that still drain."""

    def __init__(self, start: Callable[[], Cluster]) -> None:
        self.start = start
        self.backoff = Backoff(HEALTHY_S)
        self.current: Cluster | None = None
        self.draining: list[Cluster] = []
        self.start_at = 0.0

    def clusters(self) -> list[Cluster]:
        """All, the current one first."""
        return ([self.current] if self.current else []) + self.draining


class Supervisor:
    """Serves the queues until `stop` is called."""

    def __init__(self, starts: list[Callable[[], Cluster]], heartbeat: Heartbeat, *, late_s: float, drain_s: float) -> None:
        self.slots = [Slot(start) for start in starts]
        self.heartbeat = heartbeat
        self.late_s = late_s
        self.drain_s = drain_s
        self._stopping = threading.Event()
        self._at_once = False

    def stop(self) -> None:
        """Begin to end; called by a signal. The second call ends at once."""
        self._at_once = self._stopping.is_set()
        self._stopping.set()

    def run(self) -> None:
        """Serve. Returns when everything has ended."""
        proc.adopt_orphans()
        try:
            while not self._stopping.is_set():
                self.tick()
                starting = any(slot.current and not slot.current.complete for slot in self.slots)
                self._stopping.wait(TICK_S / 5 if starting else TICK_S)
        finally:
            self._end()

    def tick(self) -> None:
        """Look at everything once."""
        for slot in self.slots:
            self._serve(slot)
            for cluster in list(slot.draining):
                self._wait_for(slot, cluster)
        self._end_orphans()

    def _serve(self, slot: Slot) -> None:
        now = time.monotonic()
        if slot.current is None:
            if now >= slot.start_at:
                slot.current = slot.start()
                log.info("cluster started", extra={"cluster": slot.current.id.hex, "pid": slot.current.popen.pid})
                self.heartbeat.watch(slot.current)
            return
        cluster = slot.current
        self._refresh(cluster)
        facts = cluster.facts()
        # While the database is away, or nobody is free, no heartbeat is missed; afterwards it has its full time again.
        if faults.blind(facts, self.late_s) or faults.all_busy(facts, self.late_s):
            cluster.fair_since = now
        why = faults.fault(facts, self.late_s)
        if why:
            slot.start_at = now + slot.backoff.failed(cluster.whole_for())
            log.warning("cluster is replaced", extra={"cluster": cluster.id.hex, "why": why})
            cluster.drain()
            slot.draining.append(cluster)
            slot.current = None
            if slot.start_at <= now:
                self._serve(slot)

    def _wait_for(self, slot: Slot, cluster: Cluster) -> None:
        self._refresh(cluster)
        facts = cluster.facts()
        for part in faults.stopped(facts, self.late_s):
            # At once, whoever else of the cluster still works: it may hold a lock that they, and all others, wait for.
            log.warning("a frozen part of a replaced cluster is killed", extra={"cluster": cluster.id.hex, "part": part})
            cluster.kill_part(part)
        drained = time.monotonic() - cluster.draining_since
        if faults.may_kill(facts, draining_for=drained, late_s=self.late_s, drain_s=self.drain_s):
            self._kill(cluster)
            slot.draining.remove(cluster)
            log.info("cluster ended", extra={"cluster": cluster.id.hex, "drained_s": round(drained, 1)})

    def _refresh(self, cluster: Cluster) -> None:
        died = cluster.refresh()
        if died:
            self._end_orphans()
            self.heartbeat.workers_lost(cluster, [worker.pid for worker in died])

    def _end_orphans(self) -> None:
        """What a dead worker had started: its row goes on elsewhere, and nothing may act for it twice."""
        mains = {cluster.popen.pid for slot in self.slots for cluster in slot.clusters()}
        # Killing one may leave us its children.
        for _ in range(10):
            if not proc.end_orphans(keep=mains, groups=mains):
                return
            time.sleep(0.005)

    def _kill(self, cluster: Cluster) -> None:
        workers = [part for part, role in cluster.parts.items() if role == "worker" and part not in cluster.dead]
        if not cluster.kill():
            log.error("something of a cluster cannot be killed", extra={"cluster": cluster.id.hex,
                                                                     "pids": [left.process.pid for left in cluster.members()]})
        self._end_orphans()
        self.heartbeat.workers_lost(cluster, [worker.pid for worker in workers if not proc.alive(worker)])
        self.heartbeat.forget(cluster)

    def _end(self) -> None:
        clusters = [cluster for slot in self.slots for cluster in slot.clusters()]
        for cluster in clusters:
            cluster.drain()
        deadline = time.monotonic() + SHUTDOWN_S
        while not self._at_once and time.monotonic() < deadline:
            for cluster in clusters:
                self._refresh(cluster)
                cluster.stop()
            if all(cluster.ended() for cluster in clusters):
                break
            time.sleep(0.05)
        for cluster in clusters:
            self._kill(cluster)
            log.info("cluster ended", extra={"cluster": cluster.id.hex})


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call stop() on SIGTERM, SIGINT (Ctrl-C) and SIGHUP (the terminal closed)."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop())


def terminate_myself() -> None:
    """End this process by SIGTERM: its own supervisor is gone."""
    log.warning("the process that started this one is gone; ending")
    os.kill(os.getpid(), signal.SIGTERM)
