"""One worker host: its supervisor, the process beside it that asks the database, and the clusters."""
from __future__ import annotations

import logging
import os
import signal
import time
from contextlib import suppress
from functools import partial

from django.conf import settings

from gs2admin.engine import background, lanes, link, sentinel
from gs2admin.processes import forks, proc
from gs2admin.processes.backoff import Backoff
from gs2admin.processes.cluster import Cluster, Part
from gs2admin.processes.faults import Beats
from gs2admin.processes.lifeline import VARIABLE, ChildEnd, Lifeline
from gs2admin.processes.supervisor import Supervisor, stop_on_signals

log = logging.getLogger(__name__)
HEALTHY_S = 10.0
END_S = 2.5


class HostHeartbeat:
    """Implements `processes.supervisor.Heartbeat`, by a process of its own."""

    def __init__(self, late_s: float) -> None:
        self.late_s = late_s
        self.backoff = Backoff(HEALTHY_S)
        self.child: forks.Child | None = None
        self._clusters: dict[str, Cluster] = {}
        self._started = self._start_at = self._look_at = 0.0
        self._frozen_since: float | None = None

    def start(self) -> None:
        """Start the process, and tell it everything."""
        self._lifeline = Lifeline()
        self._end, theirs = link.pair()
        read = self._lifeline.read_fd
        self.child = forks.fork(partial(background.run, theirs), name="gs-chores", keep=(read, theirs.fileno()),
                                variables={VARIABLE: str(read)})
        self._lifeline.close_read()
        theirs.close()
        self._started, self._frozen_since = time.monotonic(), None
        self._say(lanes=[lane for cluster in self._clusters.values() for lane in self._lanes(cluster)])

    def watch(self, cluster: Cluster) -> None:
        """Send its lanes heartbeats from now on."""
        self._clusters[cluster.id.hex] = cluster
        self._say(lanes=self._lanes(cluster))

    drains = watch

    def forget(self, cluster: Cluster) -> None:
        """It is gone: its rows and its private queues are removed."""
        self._clusters.pop(cluster.id.hex, None)
        self._say(gone=[lane.id.hex for lane in cluster.lanes.values()])

    def workers_lost(self, cluster: Cluster, workers: list[Part]) -> None:
        """These workers of it are dead: what they had is freed (`engine.on_worker_lost`)."""
        self._say(lost=[(cluster.lanes[part.lane].id.hex, part.process.pid) for part in workers])

    def tend(self) -> float:
        """Start it again when it has ended, kill it when it is stopped for late_s, and hear what it says."""
        now = time.monotonic()
        if self.child is not None and self.child.poll() is not None:
            wait_s = self.backoff.failed(now - self._started)
            log.error("the process that asks the database ended; it is started again",
                      extra={"code": self.child.returncode, "wait_s": wait_s})
            self._close()
            self._start_at = now + wait_s
        if self.child is None:
            if now < self._start_at:
                return self._start_at
            self.start()
        for answers in link.heard(self._end):
            self._take(answers)
        if now >= self._look_at:
            self._look_at = now + self.late_s / 8
            self._look(now)
        return self._look_at

    def fds(self) -> list[int]:
        """Its pidfd, and our end."""
        return [] if self.child is None else [self.child.fd, self._end.fileno()]

    def pids(self) -> set[int]:
        """Our child."""
        return {self.child.pid} if self.child else set()

    def end(self) -> None:
        """Let it note what is left; kill it when that takes long."""
        if self.child is None:
            return
        self._say(end=True)
        if self.child.wait(END_S) is None:
            self.child.signal(signal.SIGKILL)
            self.child.wait(1.0)
        self._close()

    def _look(self, now: float) -> None:
        seen = proc.look(self.child.pid)
        if seen is None or seen.state not in proc.FROZEN:
            self._frozen_since = None
            return
        self._frozen_since = self._frozen_since or now
        if now - self._frozen_since > self.late_s:
            log.error("the process that asks the database is stopped and is killed", extra={"pid": self.child.pid})
            self.child.signal(signal.SIGKILL)

    def _take(self, answers: link.Answers) -> None:
        for cluster in self._clusters.values():
            for lane in cluster.lanes.values():
                if answers.ages is None:
                    lane.beats = None
                elif found := answers.ages.get(lane.id.hex):
                    lane.beats = Beats(at=answers.at, heartbeat_age=found[0], workers=found[1])

    def _lanes(self, cluster: Cluster) -> list[link.Lane]:
        draining = cluster.draining_since is not None
        return [link.Lane(lane.id.hex, lane.queue, lane.workers, cluster.child.pid, draining) for lane in cluster.lanes.values()]

    def _say(self, **orders: object) -> None:
        if self.child is not None:
            link.say(self._end, link.Orders(**orders))

    def _close(self) -> None:
        with suppress(OSError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.close()
        self.child = None
        self._lifeline.cut()
        self._end.close()


def serve() -> None:
    """Supervise this host until told to end. The process has loaded everything, and has no threads and no connections."""
    lifeline = ChildEnd.from_environment()
    heartbeat = HostHeartbeat(settings.LATE_S)
    start = partial(Cluster, sentinel.run, lanes.queues())
    supervisor = Supervisor(start, heartbeat, late_s=settings.LATE_S, drain_s=settings.DRAIN_S)
    stop_on_signals(supervisor.stop)
    supervisor.run(lifeline.fd)
