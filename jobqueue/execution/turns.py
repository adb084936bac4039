"""What a worker does when it is woken: it gives turns to queues that wait, fairly by project, namespace and player.

A task names no queue that must be drained, so a namespace with ten thousand ready queues stands in nobody's way: a task says
only that there is something to do, and there are few of them (settings.TASK_BOUNDS). Within a namespace the player goes first
who waits longest, and after a turn stands behind the others.
"""
from __future__ import annotations

import logging
import random
import time

from gs2admin import engine
from jobqueue import sql
from jobqueue.execution import drain as drains
from jobqueue.execution import together
from jobqueue.execution.shares import Shares
from jobqueue.sql import Ready

log = logging.getLogger(__name__)
# Where jobs take long, or may, a turn is hardly more than one job.
BRIEF_S = 0.02
# A task gives turns for so long, then another one goes on: the cluster may want to end, and tasks of other kinds may wait.
TURNS_S = 0.25
# After its turns it looks so often for more, s apart: while somebody pushes, that costs less than another task, and jobs that
# came together are run together.
LOOKS, LOOK_S = 2, 0.002
# After a turn of fewer jobs it waits for so long too: what is pushed meanwhile is one turn, not many. s.
FEW, REST_S = 4, 0.003
# What a turn costs at least, also one that another worker was quicker to take.
LEAST_S = 0.0005
# Two workers that look at the same moment see the same queue; who comes too late takes one of the next.
APART = 4
_shares = Shares()


def drain(queue_id: int) -> None:
    """Give turns to queues that wait, for about TURNS_S; wake a worker when some are left. queue_id: not used any more."""
    ends, skip, looks = time.monotonic() + TURNS_S, 0, 0
    while True:
        ready = sql.ready(skip)
        if not ready and not skip:
            if not looks:
                return
            looks -= 1
            time.sleep(LOOK_S)
            continue
        chosen, is_long = _choose(ready)
        if chosen is None and not skip:
            return  # what is left is for the workers that do long work; they wake each other
        skip = 0
        if chosen is None:
            continue
        began = time.monotonic()
        try:
            # Jobs that take long, or may, are run one by one.
            done = _turn(chosen)
            if done is None:
                skip = random.randint(1, APART)
        finally:
            if is_long:
                engine.end_long()
        now, looks = time.monotonic(), LOOKS
        _shares.charge(chosen, max(LEAST_S, now - began))
        if now > ends or engine.beat("jobs"):
            if left := sql.ready():
                engine.wake(drains.DRAIN, left[0].queue_id)
            return
        if done is not None and done < FEW:
            time.sleep(REST_S)


def _turn(chosen: Ready) -> int | None:
    """As together.turn."""
    if chosen.slow:
        return FEW if drains.drain(chosen.queue_id, BRIEF_S) else None
    return together.turn(chosen)


def _choose(ready: list[Ready]) -> tuple[Ready | None, bool]:
    """(whose turn it is, whether `engine.end_long` has to be called after it).

    Namespaces whose jobs take long, or of which none was ever run, are left out while all workers but one are at such work: one
    is always free for the others.
    """
    chosen = _shares.choose(ready)
    if chosen is None or not chosen.slow:
        return chosen, False
    if engine.begin_long():
        return chosen, True
    return _shares.choose([one for one in ready if not one.slow]), False
