"""What the processes of a cluster do besides django-q's own work: know their supervisor, and say what they are.

The main process (sentinel.py) forks pusher and workers; each passes through `part` first.
"""
from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from gs2admin.engine.lanes import Lane, Lanes, ready
from gs2admin.processes import news
from gs2admin.processes.lifeline import ChildEnd
from gs2admin.processes.proc import call_myself

# How long the processes of a cluster whose supervisor is gone get to hand over.
ORPHAN_S = 3.0
BUSY, IDLE, PUSHER = "qc-busy", "qc-idle", "qc-pusher"

_lifeline = ChildEnd(None)
_asked_to_stop = threading.Event()
_main_pid = 0
_lanes: Lanes | None = None
_mine: Lane | None = None
_signals_fd = -1
_after_each_task: list[Callable[[], None]] = []


def begin(lanes: Lanes) -> None:
    """Prepare this process, which is about to be a cluster's main process."""
    global _lifeline, _main_pid, _lanes
    _main_pid = os.getpid()
    _lanes = lanes
    _lifeline = ChildEnd.from_environment()


def lifeline_fd() -> int | None:
    """Readable when the supervisor asks to drain; its other end is closed when it is gone."""
    return _lifeline.fd


def cluster_id() -> str:
    """The lane that this worker belongs to, as hex; empty outside a supervised cluster."""
    return _mine.id if _mine else ""


def queues() -> list[tuple[str, str]]:
    """The queues that this cluster takes tasks from, each with the hex id of its lane; none outside a cluster."""
    return [(lane.queue, lane.id) for lane in _lanes] if _lanes else []


def draining() -> bool:
    """True when this cluster must take no new work and hand over what it has."""
    return _asked_to_stop.is_set() or _lifeline.draining()


def take_slot(queue: str, timeout_s: float) -> bool:
    """Wait for an idle worker of a queue. The pusher takes a task only when somebody can start it at once: what it takes
    earlier would wait behind a long rollout while workers elsewhere are idle."""
    return _lanes is None or _lanes[queue].take(timeout_s)


def give_slot(queue: str) -> None:
    """A worker of it is idle again, or the slot was not needed."""
    if _lanes is not None:
        _lanes[queue].give()


def interrupts() -> list[int]:
    """Descriptors that can be read when the pusher has to look at once: a slot that was refused is free, or it has to stop."""
    if _lanes is None:
        return []
    given = [lane.given_fd for lane in _lanes if lane.refused]
    return [*given, *(fd for fd in (_lifeline.fd, _signals_fd) if fd is not None and fd >= 0)]


def wait(timeout_s: float) -> None:
    """Wait for one of `interrupts`, for timeout_s at most."""
    ready(interrupts(), timeout_s)


def begin_long() -> bool:
    """Whether this worker may begin work that takes long: all workers of its queue but one may, or the only one. If so, call
    `end_long` after it."""
    return _mine is None or _mine.long.acquire(block=False)


def end_long() -> None:
    """The work that took long is over. (That of a worker that dies is over with its cluster, which is replaced.)"""
    if _mine is not None:
        _mine.long.release()


def after_each_task(call: Callable[[], None]) -> Callable[[], None]:
    """Decorator: a worker of a cluster calls it when a task has ended."""
    _after_each_task.append(call)
    return call


def part(name: str, tell_fd: int, run: Callable[..., Any], lane: Lane | None, *arguments: Any) -> None:
    """The life of a part, in its process: says that it is there, runs, and says that it leaves. lane: of a worker."""
    global _mine, _signals_fd
    _mine = lane
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    call_myself(name)
    _lifeline.on_cut(end_cluster)
    # A supervisor may signal the whole group (systemd does). The main process decides; a worker hands over.
    # Not SIG_IGN, which the commands that a worker starts would inherit.
    signal.signal(signal.SIGTERM, lambda *_: _asked_to_stop.set())
    signal.signal(signal.SIGINT, lambda *_: None)
    if lane is None:
        # A signal does not end a wait by itself.
        _signals_fd, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    said = ("worker", lane.queue) if lane else ("pusher", "")
    news.tell(tell_fd, news.HERE, *said)
    run(*arguments)
    # Without its pusher a cluster is of no use, however that ended.
    if lane is not None:
        news.tell(tell_fd, news.LEAVES, *said)


def task_starts(**_: Any) -> None:
    """A worker begins a task."""
    call_myself(BUSY)


def task_ended(**_: Any) -> None:
    """A worker has ended one."""
    for call in _after_each_task:
        call()
    call_myself(IDLE)
    if _mine is not None:
        _mine.give()


def end_cluster() -> None:
    """The supervisor is gone: nobody would notice a failure of ours, so end after a moment to hand over."""
    time.sleep(ORPHAN_S)
    if os.getpgrp() == _main_pid:
        os.killpg(_main_pid, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
