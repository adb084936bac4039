"""What the processes of a cluster do besides django-q's own work: know their supervisor, and say what they are.

django-q2 forks main -> sentinel -> workers, monitor, pusher. `install` wraps the functions those run, in our
`qcluster` command, before anything is forked.
"""
from __future__ import annotations

import multiprocessing
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from gs2admin.processes.lifeline import ChildEnd
from gs2admin.processes.proc import call_myself

CLUSTER_VARIABLE = "GS2ADMIN_CLUSTER"
# How long the processes of a cluster whose supervisor is gone get to hand over.
ORPHAN_S = 3.0
BUSY, IDLE = "qc-busy", "qc-idle"

_lifeline = ChildEnd(None)
_asked_to_stop = threading.Event()
_main_pid = 0
# Queue -> how many more of its tasks may be started: an eventfd that counts down, shared by all processes of the cluster.
_slots: dict[str, int] = {}
_refused: set[str] = set()
_long: Any = None
_after_each_task: list[Callable[[], None]] = []


def cluster_id() -> str:
    """The cluster that this process is part of, as hex; empty outside a supervised one."""
    return os.environ.get(CLUSTER_VARIABLE, "") if _main_pid else ""


def draining() -> bool:
    """True when this cluster must take no new work and hand over what it has."""
    return _asked_to_stop.is_set() or _lifeline.draining()


def queues() -> list[tuple[str, str]]:
    """The queues that this cluster takes tasks from, each with the hex id of its heartbeats; none outside a cluster."""
    return [(queue, cluster_id()) for queue in _slots]


def make_slots(workers: dict[str, int]) -> None:
    """Before anything is forked. workers: queue -> how many of its tasks may run at the same time."""
    _slots.update({queue: os.eventfd(count, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC)
                   for queue, count in workers.items()})


def take_slot(queue: str, timeout_s: float) -> bool:
    """Wait for an idle worker. The pusher takes a task only when somebody can start it at once: what it takes
    earlier would wait behind a long rollout while workers elsewhere are idle."""
    if queue not in _slots:
        return True
    if timeout_s:
        select.select([_slots[queue]], [], [], timeout_s)
    try:
        os.eventfd_read(_slots[queue])
    except BlockingIOError:
        _refused.add(queue)
        return False
    _refused.discard(queue)
    return True


def give_slot(queue: str) -> None:
    """A worker is idle again, or the slot was not needed."""
    if queue in _slots:
        os.eventfd_write(_slots[queue], 1)


def interrupts() -> list[int]:
    """Descriptors that can be read when the pusher has to look at once: a slot that was refused is free, or it has to drain."""
    return [fd for fd in (_lifeline.fd, *(_slots[queue] for queue in _refused)) if fd is not None]


def begin_long() -> bool:
    """Whether this worker may begin work that takes long: all workers of its cluster but one may, or the only one. If so, call
    `end_long` after it."""
    return _long is None or _long.acquire(block=False)


def end_long() -> None:
    """The work that took long is over. (That of a worker that dies is over with its cluster, which is replaced.)"""
    if _long is not None:
        _long.release()


def after_each_task(call: Callable[[], None]) -> Callable[[], None]:
    """Decorator: a worker of a cluster calls it when a task has ended."""
    _after_each_task.append(call)
    return call


def install(workers: int) -> None:
    """Prepare this process, which is about to become a cluster's main process."""
    global _lifeline, _main_pid, _long
    from django_q import cluster
    from django_q.conf import Conf
    from django_q.signals import post_execute_in_worker, pre_execute

    _main_pid = os.getpid()
    _lifeline = ChildEnd.from_environment()
    make_slots({Conf.CLUSTER_NAME: workers})
    _long = multiprocessing.get_context("fork").Semaphore(max(1, workers - 1))
    call_myself("qc-main")
    _lifeline.on_cut(_end_cluster)

    class Sentinel(cluster.Sentinel):
        def start(self) -> None:
            # The stock sentinel ends on a SIGTERM to the group, and the main process then hangs. The main process stops it.
            signal.signal(signal.SIGTERM, lambda *_: None)
            super().start()

    cluster.Sentinel = _enters("qc-sentinel", Sentinel)
    cluster.worker = _enters(IDLE, cluster.worker)
    cluster.monitor = _enters("qc-monitor", cluster.monitor)
    cluster.pusher = _enters("qc-pusher", cluster.pusher)
    pre_execute.connect(_task_starts, dispatch_uid="engine")
    post_execute_in_worker.connect(_task_ended, dispatch_uid="engine")


def _enters(name: str, run: Callable) -> Callable:
    @wraps(run, updated=())
    def in_child(*args: Any, **kwargs: Any) -> Any:
        call_myself(name)
        _lifeline.on_cut(_end_cluster)
        if name != "qc-sentinel":
            # A supervisor may signal the whole group (systemd does). The main process decides; a worker hands over.
            # Not SIG_IGN, which the commands that a worker starts would inherit.
            signal.signal(signal.SIGTERM, lambda *_: _asked_to_stop.set())
            signal.signal(signal.SIGINT, lambda *_: None)
        return run(*args, **kwargs)

    return in_child


def _task_starts(**_: Any) -> None:
    call_myself(BUSY)


def _task_ended(task: dict[str, Any], **_: Any) -> None:
    for call in _after_each_task:
        call()
    call_myself(IDLE)
    give_slot(task["ack_id"])  # brokers.py puts the queue there


def _end_cluster() -> None:
    """The supervisor is gone: nobody would notice a failure of ours, so end after a moment to hand over."""
    time.sleep(ORPHAN_S)
    if os.getpgrp() == _main_pid:
        os.killpg(_main_pid, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
