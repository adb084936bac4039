"""Starts, watches, replaces and ends a cluster, from outside. Knows no database; a `Heartbeat` reads and writes that for it.

A replacement interrupts no work: the new cluster starts at once, the old one takes no more work, its busy workers finish their
step and hand over, and only then is it killed.
"""
from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from typing import Protocol

from gs2admin.processes import faults, proc
from gs2admin.processes.backoff import Backoff
from gs2admin.processes.cluster import Cluster, Part
from gs2admin.processes.waiter import Waiter

log = logging.getLogger(__name__)
# Between two looks at clusters that drain. s.
DRAIN_LOOK_S = 0.25
SHUTDOWN_S = 6.0
# A cluster that was whole for so long can start: what ended it came from outside, and whoever waits for work needs another.
HEALTHY_S = 1.0


class Heartbeat(Protocol):
    """The supervisor's line to the database and the queue: a process of its own, so that it never waits."""

    def watch(self, cluster: Cluster) -> None:
        """From now on send its lanes heartbeats and keep their `beats` fresh."""

    def drains(self, cluster: Cluster) -> None:
        """It takes no more work."""

    def forget(self, cluster: Cluster) -> None:
        """It is gone."""

    def workers_lost(self, cluster: Cluster, workers: list[Part]) -> None:
        """These workers of it are dead, with all they had started."""

    def tend(self) -> float:
        """See to the process itself, and read what it says. Returns when it wants the next call, on the monotonic clock."""

    def fds(self) -> list[int]:
        """Ready when it has something to say."""

    def pids(self) -> set[int]:
        """Our child."""

    def end(self) -> None:
        """Let it note what is left, and end it."""


class Slot:
    """The cluster that serves, and former ones that still drain."""

    def __init__(self, start: Callable[[], Cluster]) -> None:
        self.start = start
        self.backoff = Backoff(HEALTHY_S)
        self.current: Cluster | None = None
        self.draining: list[Cluster] = []
        self.start_at = self.look_at = 0.0

    def clusters(self) -> list[Cluster]:
        """All, the current one first."""
        return ([self.current] if self.current else []) + self.draining


class Supervisor:
    """Serves until `stop` is called. Use its process for nothing else: it forks, so it must have no other threads."""

    def __init__(self, start: Callable[[], Cluster], heartbeat: Heartbeat, *, late_s: float, drain_s: float) -> None:
        self.slot = Slot(start)
        self.heartbeat = heartbeat
        self.late_s = late_s
        self.drain_s = drain_s
        self.waiter = Waiter()
        self._stopping = self._at_once = False

    def stop(self) -> None:
        """Begin to end; called by a signal. The second call ends at once."""
        self._at_once = self._stopping
        self._stopping = True
        self.waiter.wake()

    def run(self, lifeline_fd: int | None = None) -> None:
        """Serve. Returns when everything has ended. lifeline_fd: when its other end is closed, that is a call of `stop`."""
        proc.adopt_orphans()
        self.waiter.heed_signals()
        if lifeline_fd is not None:
            self.waiter.watch(lifeline_fd, end_only=True)
        try:
            while not self._stopping:
                until = self.tick()
                if lifeline_fd in self._wait(until):
                    log.warning("the process that started this one is gone; ending")
                    self.waiter.forget(lifeline_fd)
                    self.stop()
        finally:
            self._end()

    def tick(self) -> float:
        """Look at everything once. Returns when to look again if nothing happens before, on the monotonic clock."""
        times = [self.heartbeat.tend(), self._serve(self.slot)]
        for cluster in list(self.slot.draining):
            self._wait_for(self.slot, cluster)
        self._end_orphans()
        if self.slot.draining:
            times.append(time.monotonic() + DRAIN_LOOK_S)
        return min(times)

    def _wait(self, until: float) -> dict[int, int]:
        fds = [*self.heartbeat.fds(), *(fd for cluster in self.slot.clusters() for fd in cluster.fds())]
        for fd in fds:
            self.waiter.watch(fd)
        ready = self.waiter.wait(until - time.monotonic())
        for fd in fds:
            self.waiter.forget(fd)
        return ready

    def _serve(self, slot: Slot) -> float:
        now = time.monotonic()
        if slot.current is None:
            if now < slot.start_at:
                return slot.start_at
            slot.current = slot.start()
            log.info("cluster started", extra={"cluster": slot.current.id.hex, "pid": slot.current.child.pid})
            self.heartbeat.watch(slot.current)
            slot.look_at = now
            return now
        cluster = slot.current
        look = now >= slot.look_at
        if look:
            slot.look_at = now + self.late_s / 8
        self._refresh(cluster, look=look)
        # While the database is away, or nobody is free, no heartbeat is missed; afterwards it has its full time again.
        lanes = list(zip(cluster.lanes.values(), cluster.facts(), strict=True))
        for lane, facts in lanes:
            if faults.blind(facts, self.late_s) or faults.all_busy(facts, self.late_s):
                lane.fair_since = now
        why = next((why for _, facts in lanes if (why := faults.fault(facts, self.late_s))), "")
        if not why:
            return slot.look_at
        slot.start_at = now + slot.backoff.failed(cluster.whole_for())
        log.warning("cluster is replaced", extra={"cluster": cluster.id.hex, "why": why})
        cluster.drain()
        self.heartbeat.drains(cluster)
        slot.draining.append(cluster)
        slot.current = None
        return self._serve(slot) if slot.start_at <= now else slot.start_at

    def _wait_for(self, slot: Slot, cluster: Cluster) -> None:
        self._refresh(cluster)
        facts = cluster.facts()
        for part in faults.stopped(facts[0], self.late_s):
            # At once, whoever else of the cluster still works: it may hold a lock that they, and all others, wait for.
            log.warning("a frozen part of a replaced cluster is killed", extra={"cluster": cluster.id.hex, "part": part})
            cluster.kill_part(part)
        drained = time.monotonic() - cluster.draining_since
        if all(faults.may_kill(lane, draining_for=drained, late_s=self.late_s, drain_s=self.drain_s) for lane in facts):
            self._kill(cluster)
            slot.draining.remove(cluster)
            log.info("cluster ended", extra={"cluster": cluster.id.hex, "drained_s": round(drained, 1)})

    def _refresh(self, cluster: Cluster, *, look: bool = True) -> None:
        died = cluster.refresh(look=look)
        if died:
            self._end_orphans()
            self.heartbeat.workers_lost(cluster, died)

    def _end_orphans(self) -> None:
        """What a dead worker had started: its row goes on elsewhere, and nothing may act for it twice."""
        mains = {cluster.child.pid for cluster in self.slot.clusters()}
        # Killing one may leave us its children.
        for _ in range(10):
            if not proc.end_orphans(keep=mains | self.heartbeat.pids(), groups=mains):
                return
            time.sleep(0.005)

    def _kill(self, cluster: Cluster) -> None:
        workers = [part for part in cluster.parts.values() if part.role == "worker"]
        if not cluster.kill():
            log.error("something of a cluster cannot be killed", extra={"cluster": cluster.id.hex,
                                                                     "pids": [left.process.pid for left in cluster.members()]})
        self._end_orphans()
        self.heartbeat.workers_lost(cluster, [part for part in workers if not proc.alive(part.process)])
        self.heartbeat.forget(cluster)

    def _end(self) -> None:
        clusters = self.slot.clusters()
        for cluster in clusters:
            cluster.drain()
        deadline = time.monotonic() + SHUTDOWN_S
        while not self._at_once and time.monotonic() < deadline:
            for cluster in clusters:
                self._refresh(cluster)
                cluster.stop()
            if all(cluster.ended() for cluster in clusters):
                break
            self._wait(time.monotonic() + 0.05)
        for cluster in clusters:
            self._kill(cluster)
            log.info("cluster ended", extra={"cluster": cluster.id.hex})
        self.heartbeat.end()
        self.waiter.close()


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call stop() on SIGTERM, SIGINT (Ctrl-C) and SIGHUP (the terminal closed)."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop())


def terminate_myself() -> None:
    """End this process by SIGTERM: its own supervisor is gone."""
    log.warning("the process that started this one is gone; ending")
    os.kill(os.getpid(), signal.SIGTERM)
