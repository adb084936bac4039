"""Waking a worker. A task holds a row's id and nothing else. A lost one costs a few seconds, until the sweep."""
from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

if TYPE_CHECKING:
    from django_q.brokers import Broker

log = logging.getLogger(__name__)


@cache
def broker(queue: str, at_most: int = 0) -> Broker:
    """The broker object of a queue, one per process: making one per task costs nine tenths of the throughput.

    at_most: it takes no task while so many wait in the queue; 0: it takes all.
    """
    from django_q.brokers import get_broker

    made = get_broker(queue)
    made.at_most = at_most
    return made


def wake(dotted: str, row_id: int | str, *, queue: str | None = None) -> None:
    """Wake a worker to look at a row: it will call the function named `dotted` with row_id.

    With the database as broker the task is part of the caller's transaction and is undone with it. With Redis it is
    sent after the commit, and a failure is logged and left to the sweep. May arrive twice, late, or not at all. A function
    of settings.TASK_BOUNDS looks for its work itself, so where enough tasks wait already, no other one is added.
    """
    if settings.BROKER == "redis":
        transaction.on_commit(lambda: _wake_outside(dotted, row_id, queue), robust=True)
    else:
        push(dotted, row_id, queue)


def _wake_outside(dotted: str, row_id: int | str, queue: str | None) -> None:
    try:
        push(dotted, row_id, queue)
    except Exception:  # whatever the broker raises: the caller has committed; its work is done
        log.warning("a worker could not be woken; the sweep does it", extra={"task": dotted}, exc_info=True)


def push(dotted: str, argument: str | float, queue: str | None = None) -> None:
    """Put a task into a queue now. Raises what the broker raises."""
    from django_q.tasks import async_task

    queue = queue or settings.TASK_QUEUES.get(dotted) or settings.Q_CLUSTER["name"]
    taker = broker(queue, settings.TASK_BOUNDS.get(dotted, 0))
    if taker.full():
        return
    async_task(dotted, argument, q_options={"broker": taker})
