"""Which queues wait for a worker: of each namespace the one that waits longest."""
from __future__ import annotations

from typing import NamedTuple

from gs2admin.db.raw import raw_cursor
from jobqueue.sql.text import raw_text

_WAITS = "queue.draining AND queue.next_at IS NULL"
_FREE = "(queue.lease_until IS NULL OR queue.lease_until < {now})"
_OF_NAMESPACE = f"""
    (SELECT queue.{{what}} FROM jobqueue_queue queue {{by_ready}} WHERE queue.namespace_id = namespace.id AND {_WAITS} AND {_FREE}
     ORDER BY queue.woken_at LIMIT 1 OFFSET %s)
"""
# From one namespace to the next through the index `queue_ready`, however many queues of each wait.
_READY = f"""
    WITH RECURSIVE waits (id) AS (
        SELECT MIN(queue.namespace_id) FROM jobqueue_queue queue {{by_ready}} WHERE {_WAITS}
        UNION ALL
        SELECT (SELECT MIN(queue.namespace_id) FROM jobqueue_queue queue {{by_ready}}
                WHERE {_WAITS} AND queue.namespace_id > waits.id)
        FROM waits WHERE waits.id IS NOT NULL
    )
    SELECT namespace.project_id, namespace.id, COALESCE(namespace.slow_until > {{now}}, TRUE),
        {_OF_NAMESPACE.replace("{what}", "id")}
    FROM waits JOIN jobqueue_namespace namespace ON namespace.id = waits.id WHERE namespace.paused_at IS NULL
"""


_WAITING = "SELECT COALESCE(SUM(waiting), 0) FROM jobqueue_queue WHERE namespace_id = %s AND waiting > 0"


class Ready(NamedTuple):
    """A namespace that is not paused and of which a queue waits for a worker. slow: its jobs take long, or may."""

    project_id: int
    namespace_id: int
    slow: bool
    queue_id: int


def ready(skip: int = 0) -> list[Ready]:
    """One queue of each namespace that has some: the one that waits longest, or that of the place `skip` behind it."""
    with raw_cursor() as cursor:
        rows = cursor.execute(raw_text(_READY), (skip,)).fetchall()
    return [Ready(project, namespace, bool(slow), queue) for project, namespace, slow, queue in rows if queue is not None]


def waiting_in(namespace_id: int) -> int:
    """The jobs not done yet of a namespace, added up from an index."""
    with raw_cursor() as cursor:
        return int(cursor.execute(raw_text(_WAITING), (namespace_id,)).fetchone()[0])
