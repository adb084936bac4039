"""A turn of several queues of one namespace: their first jobs are run ahead, and what they did is written at once.

The rest is as for one queue: a queue whose next job has to be claimed first gets a slice of its own (drain.py).
"""
from __future__ import annotations

import logging
import time

from django.conf import settings
from django.db import transaction

from gs2admin import engine
from gs2admin.cache import Cache
from gs2admin.lease import LeaseLost
from jobqueue import notifications, sql
from jobqueue.execution import ahead, namespaces
from jobqueue.execution import drain as drains
from jobqueue.execution.lease import QueueLease
from jobqueue.sql import Held, Over, Ready

log = logging.getLogger(__name__)
# Queues of one turn; jobs of one turn, and of each queue at least.
QUEUES, JOBS, EACH = 16, 64, 4
# Other workers are woken for what is left at most once in so many seconds; this one goes on by itself.
WAKE_S = 0.02
_woken = {"at": 0.0}
# How many queues a turn of a namespace takes: fewer while most of its jobs have to be claimed first.
_counts: Cache[int, int] = Cache(ttl_s=60.0, entries=1_000, max_bytes=500_000)


def turn(chosen: Ready) -> int | None:
    """Give a turn to queues of that namespace, those that wait longest first.

    Returns how many jobs were run ahead and written, EACH at least where jobs were run one by one; None: all were taken by others
    meanwhile.
    """
    namespace, auto, paused, _ = namespaces.current(chosen.namespace_id)
    if not auto or paused or notifications.wanted(namespace.run_notification):
        return EACH if drains.drain(chosen.queue_id) else None
    count = _counts.get(chosen.namespace_id, QUEUES)
    held = sql.take_ready(chosen.namespace_id, count, settings.JOB_LEASE_S, engine.worker_label())
    if not held:
        return None
    # Where the last holder was lost, its script may be why: there each job is claimed before it runs, so that its tries count.
    lost = [one for one in held if one.last_was_lost]
    sound = [one for one in held if not one.last_was_lost]
    jobs = sql.first_jobs([one.queue_id for one in sound], max(EACH, JOBS // len(held))) if sound else {}
    ran = ahead.run(namespace.project, {one.queue_id: one.user_id for one in sound}, jobs)
    own = lost[0] if lost else next((one for one in sound if one.queue_id in ran.apart), None)
    _counts.put(chosen.namespace_id, 1 if own else min(QUEUES, count * 2))
    for one in lost[1:]:
        # It stays as lost as it was, for a turn of its own.
        _lease(one, chosen.namespace_id).rows.update(lease_until=None)
    finished = _write(chosen.namespace_id, sound, own, ran)
    if own:
        _serve_alone(own, chosen.namespace_id, finished)
        return EACH
    return len(ran.done)


def _write(namespace_id: int, held: list[Held], own: Held | None, ran: ahead.Ran) -> int:
    """Write what was run and end all leases but that of `own`. Returns how many jobs of `own` are done."""
    with transaction.atomic():
        done = sql.write_done(namespace_id, held, ran.done) if ran.done else {}
        over = [Over(one.queue_id, one.fence, done.get(one.queue_id, 0), done.get(one.queue_id, 0) > 0)
                for one in held if one is not own]  # fmt: skip
        locked, left = sql.release_all(over) if over else ([], False)
        if left and time.monotonic() - _woken["at"] > WAKE_S:
            # The others found nothing while all was taken here.
            engine.wake(drains.DRAIN, over[0].queue_id)
            _woken["at"] = time.monotonic()
    for one in held:
        for end in locked:
            if end.queue_id == one.queue_id:
                _lease(one, namespace_id).release(finished=end.done)
    return done.get(own.queue_id, 0) if own else 0


def _lease(held: Held, namespace_id: int) -> QueueLease:
    return QueueLease(held.queue_id, held.fence, namespace_id, held.user_id)


def _serve_alone(held: Held, namespace_id: int, finished: int) -> None:
    lease = _lease(held, namespace_id)
    try:
        if held.last_was_lost:
            lease.clear_up()
    except LeaseLost:
        return
    drains.serve(lease, finished)
