"""A cluster's main process: django-q2's sentinel, which starts pusher and workers, without what we do not need of it.

It is the main process itself, asks nobody several times a second, starts workers when they are needed, and replaces none that
died: a dead worker may hold a lock that all wait for, so its supervisor replaces the whole cluster. There is no monitor: a
worker notes by itself that a task has failed, and results of others are not kept.
"""
from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Value
from multiprocessing.process import BaseProcess
from typing import Any

from django import db
from django_q.brokers import get_broker
from django_q.cluster import Sentinel, get_mp_context
from django_q.conf import Conf
from django_q.monitor import save_task
from django_q.pusher import pusher
from django_q.signals import post_execute_in_worker, pre_execute
from django_q.worker import worker

from gs2admin.engine import inside
from gs2admin.engine.lanes import Lane, Lanes, drained
from gs2admin.processes import news
from gs2admin.processes.cluster import Cluster
from gs2admin.processes.waiter import GONE, Waiter

log = logging.getLogger(__name__)
# A lane keeps the workers that it needed at the same time in the last so many seconds, and one.
KEEP_S = 30.0
# How exactly the last-resort limit of a task is kept. s.
GUARD_S = 60.0
# A part that has been asked to end gets so long before main ends without it. s.
STOP_S = 30.0


class Results:
    """The workers' `result_queue`: keeps those of failed tasks, in the worker's own process."""

    def __init__(self, broker: Any) -> None:
        self.broker = broker

    def put(self, task: dict[str, Any]) -> None:
        if not task["success"]:
            save_task(task, self.broker)
            log.error("a task failed", extra={"task": str(task["func"]), "problem": str(task["result"])})


class Guard(Sentinel):
    """Runs in the main thread of a process without other threads, because it forks."""

    def __init__(self, cluster: Cluster) -> None:
        lanes = [Lane(lane.queue, lane.workers, lane.id.hex) for lane in cluster.lanes.values()]
        self.lanes = Lanes(lanes)
        inside.begin(self.lanes)
        self.tell_fd = cluster.tell_fd
        context = get_mp_context()
        super().__init__(context.Event(), context.Event(), cluster.id, broker=get_broker(), timeout=Conf.TIMEOUT, start=False)
        self.waiter = Waiter()
        self.lane_of: dict[BaseProcess, Lane] = {}
        self._stopping = False
        self._keep_at = self._guarded_at = time.monotonic()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        # The end of a child ends the wait.
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True

    def spawn_process(self, target: Callable, *args: Any) -> BaseProcess:
        name, lane, run, *arguments = args
        process = get_mp_context().Process(target=target, args=(name, self.tell_fd, run, lane, *arguments))
        process.daemon = True  # a task starts no processes of multiprocessing
        process.start()
        return process

    def spawn_worker(self, lane: Lane) -> None:
        timer = Value("f", -1)
        arguments = (lane.tasks, Results(self.broker), timer, self.timeout)
        process = self.spawn_process(inside.part, inside.IDLE, lane, worker, *arguments)
        process.timer = timer
        self.pool.append(process)
        self.lane_of[process] = lane
        lane.alive.value += 1

    def spawn_pusher(self) -> BaseProcess:
        return self.spawn_process(inside.part, inside.PUSHER, None, pusher, self.lanes, self.event_out, self.broker)

    def spawn_cluster(self) -> None:
        pre_execute.connect(inside.task_starts, dispatch_uid="engine")
        post_execute_in_worker.connect(inside.task_ended, dispatch_uid="engine")
        db.connections.close_all()
        self.waiter.heed_signals()
        # The pusher last: by then somebody can do what it takes.
        for lane in self.lanes:
            self.spawn_worker(lane)
        self.pusher = self.spawn_pusher()

    def guard(self) -> None:
        self.start_event.set()
        self.waiter.watch(self.lanes.short_fd)
        line = inside.lifeline_fd()
        if line is not None:
            self.waiter.watch(line, end_only=True)
        while not self._stopping:
            ready = self.waiter.wait(self._next() - time.monotonic())
            if line in ready and ready[line] & GONE:
                inside.end_cluster()
            self._reap()
            drained(self.lanes.short_fd)
            self._grow()
            self._shrink()
            self._guard_times()
        self.stop()

    def _next(self) -> float:
        """When something is to be done though nothing happens."""
        times = [self._guarded_at + GUARD_S]
        if any(lane.alive.value > 1 for lane in self.lanes):
            times.append(self._keep_at + KEEP_S)
        return min(times)

    def _reap(self) -> None:
        for process in [process for process in self.pool if not process.is_alive()]:
            self.pool.remove(process)
            lane = self.lane_of.pop(process)
            if lane.leaving:
                lane.leaving -= 1
            else:
                lane.alive.value -= 1
            self._ended(process, "worker", lane.queue)
        if self.pusher is not None and not self.pusher.is_alive():
            self._ended(self.pusher, "pusher", "")
            self.pusher = None

    def _ended(self, process: BaseProcess, role: str, lane: str) -> None:
        if process.exitcode:
            # The supervisor has seen it, unless it died before it could say that it is there.
            news.tell(self.tell_fd, news.DIED, role, lane, process.pid)
        process.close()

    def _grow(self) -> None:
        for lane in self.lanes:
            for _ in range(max(1, lane.peak.value) - lane.alive.value):
                self.spawn_worker(lane)

    def _shrink(self) -> None:
        if time.monotonic() < self._keep_at + KEEP_S:
            return
        self._keep_at = time.monotonic()
        for lane in self.lanes:
            now = lane.in_flight()
            most, lane.peak.value = max(1, now, lane.peak.value), now
            for _ in range(lane.alive.value - most):
                lane.alive.value -= 1
                lane.leaving += 1
                lane.tasks.put("STOP")

    def _guard_times(self) -> None:
        """The last resort: a task that is over its time, and whose worker does not even end by its alarm, is killed with it."""
        now = time.monotonic()
        passed, self._guarded_at = now - self._guarded_at, now
        for process in self.pool:
            # Without its lock where that is not free: a worker that is stopped may hold it.
            left = process.timer.get_obj()
            if left.value > 0 and process.timer.get_lock().acquire(block=False):
                left.value = max(0.0, left.value - passed)
                process.timer.get_lock().release()
                if left.value == 0:
                    process.kill()

    def stop(self) -> None:
        """Let all that runs end: the pusher at once, workers when their task has handed over."""
        self.event_out.set()
        with suppress(ProcessLookupError, AttributeError):
            os.kill(self.pusher.pid, signal.SIGTERM)
        for process in self.pool:
            self.lane_of[process].tasks.put("STOP")
        deadline = time.monotonic() + STOP_S
        while (self.pool or self.pusher) and time.monotonic() < deadline:
            self.waiter.wait(0.1)
            self._reap()


def run(cluster: Cluster) -> None:
    """Be the main process of this cluster, which was just forked, until told to end."""
    guard = Guard(cluster)
    guard.spawn_cluster()
    guard.guard()
    # multiprocessing would wait for children that are stuck; they are the supervisor's.
    os._exit(0)
