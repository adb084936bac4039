"""The statements that push jobs into a queue."""
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from gs2admin.db.raw import raw_cursor
from jobqueue.sql.text import raw_text, repeated, text, vendor

# head_at is the first job's created_at to the digit, so that both can be compared. Where it is NULL, head_tries is 0.
_UPSERT = """
    INSERT INTO jobqueue_queue (namespace_id, user_id, rev, waiting, draining, started_rev, fence, woken_at, head_at, head_tries)
    VALUES (%s, %s, 1, %s, %s, 1, 0, {now}, %s, 0)
    ON CONFLICT (namespace_id, user_id) DO UPDATE SET
        rev = jobqueue_queue.rev + 1,
        waiting = jobqueue_queue.waiting + excluded.waiting,
        started_rev = CASE WHEN jobqueue_queue.draining OR NOT excluded.draining
                           THEN jobqueue_queue.started_rev ELSE jobqueue_queue.rev + 1 END,
        woken_at = CASE WHEN jobqueue_queue.draining THEN jobqueue_queue.woken_at ELSE {now} END,
        head_at = COALESCE(jobqueue_queue.head_at, excluded.head_at),
        draining = jobqueue_queue.draining OR excluded.draining
    RETURNING id, draining AND started_rev = rev
"""
# SQLite writes each index of a column that is named anew, whether it changes or not: into a queue that is being drained a push
# names few.
_JOIN = """
    UPDATE jobqueue_queue SET
        rev = rev + 1,
        head_at = COALESCE(head_at, %s),
        waiting = waiting + %s
    WHERE namespace_id = %s AND user_id = %s AND draining RETURNING id
"""
_JOB = "queue_id, name, script_id, args, max_try_count, generation, try_count, state, created_at, updated_at"
_INSERT_JOB = "(%s, %s, %s, %s, %s, %s, 0, 'waiting', %s, %s)"


class NewJob(NamedTuple):
    """A job to insert. args: JSON text. generation: as Job.generation."""

    name: UUID
    script_id: str
    args: str
    max_tries: int
    generation: int | None = None


class Push(NamedTuple):
    """What a push wrote. begins: the caller must wake a drain. job_ids: in the order of the jobs."""

    queue_id: int
    begins: bool
    job_ids: list[int]


def push(
    namespace_id: int, user_id: str, jobs: Sequence[NewJob], *, auto: bool, at: datetime
) -> Push:
    """Create the queue where there is none, add the jobs to its counters and insert them, in order.

    auto: the server drains the queue. at: when the jobs are made. Raises IntegrityError when the namespace is gone.
    """
    if vendor() == "postgresql":
        return _push_at_once([namespace_id, user_id, len(jobs), auto, at], jobs, at)
    moment = connection.ops.adapt_datetimefield_value(at)
    with raw_cursor() as cursor:
        found = cursor.execute(raw_text(_JOIN), [moment, len(jobs), namespace_id, user_id]).fetchall()
        if not found:
            cursor.execute(raw_text(_UPSERT), [namespace_id, user_id, len(jobs), auto, moment])
            found = cursor.fetchall()
        queue_id, *begins = found[0]
        values = [value for name, *row in jobs for value in (queue_id, name.hex, *row, moment, moment)]
        insert = f"INSERT INTO jobqueue_job ({_JOB}) VALUES {repeated(_INSERT_JOB, len(jobs))} RETURNING id"
        cursor.execute(raw_text(insert), values)
        return Push(queue_id, begins == [1], sorted(row[0] for row in cursor.fetchall()))


def pushes_alone() -> bool:
    """Whether `push` is one statement that needs no transaction around it, and stands in none."""
    return vendor() == "postgresql" and not connection.in_atomic_block


def _push_at_once(queue: list, jobs: Sequence[NewJob], at: datetime) -> Push:
    """All of a push in one round trip, for PostgreSQL. queue: the parameters of _UPSERT."""
    values = [value for number, row in enumerate(jobs) for value in (number, *row)]
    with raw_cursor() as cursor:
        found = cursor.execute(_push_text(len(jobs)), [*queue, at, at, *values]).fetchone()
    return Push(found[0], found[1], sorted(found[2]))


@cache
def _push_text(count: int) -> str:
    values = repeated("(%s::int, %s::uuid, %s, %s, %s::int, %s::int)", count)
    return f"""
        WITH queue AS ({text(_UPSERT)} AS begins),
        made AS (
            INSERT INTO jobqueue_job ({_JOB})
            SELECT queue.id, entry.name, entry.script_id, entry.args, entry.tries, entry.generation, 0, 'waiting', %s, %s
            FROM queue, (VALUES {values}) AS entry (number, name, script_id, args, tries, generation) ORDER BY entry.number
            RETURNING id
        )
        SELECT queue.id, queue.begins, ARRAY(SELECT id FROM made) FROM queue
    """
