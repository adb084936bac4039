"""The statements that find and mend what differs from the jobs."""
from __future__ import annotations

from typing import NamedTuple

from gs2admin.db.raw import raw_cursor
from jobqueue.sql.run import FIRST_WAITING
from jobqueue.sql.text import raw_text
from jobqueue.states import NOBODY

# Queues whose counters differ from their jobs. One statement never sees half of a push. A leased queue is left out: its holder
# subtracts what it finished when it releases the queue.
_DRIFTED = f"""
    SELECT id, EXISTS (SELECT 1 FROM jobqueue_job WHERE queue_id = jobqueue_queue.id AND state = 'running')
    FROM jobqueue_queue
    WHERE id > %s AND id <= %s AND (lease_until IS NULL OR lease_until < {{now}}) AND SUBSTR(user_id, 1, 1) <> %s
        AND namespace_id IN (SELECT id FROM jobqueue_namespace WHERE status = 'ACTIVE')
        AND (waiting <> (SELECT COUNT(*) FROM jobqueue_job
                         WHERE queue_id = jobqueue_queue.id AND state IN ('waiting', 'running'))
            OR head_tries <> COALESCE((SELECT try_count {FIRST_WAITING}), 0)
            OR head_at IS DISTINCT FROM (SELECT created_at {FIRST_WAITING})
            OR EXISTS (SELECT 1 FROM jobqueue_job WHERE queue_id = jobqueue_queue.id AND state = 'running'))
    ORDER BY id
"""
_GIVEN_UP_MISSING = """
    INSERT INTO jobqueue_givenup (job_id, namespace_id, user_id, script, status_code, at)
    SELECT job.id, queue.namespace_id, queue.user_id, SUBSTR(job.script_id, 1, 200), COALESCE(
        (SELECT status_code FROM jobqueue_jobresult WHERE job_id = job.id ORDER BY try_number DESC LIMIT 1), 500), job.updated_at
    FROM jobqueue_queue queue JOIN jobqueue_job job ON job.queue_id = queue.id AND job.state = 'given_up'
    WHERE queue.id > %s AND queue.id <= %s AND SUBSTR(queue.user_id, 1, 1) <> %s
        AND queue.namespace_id IN (SELECT id FROM jobqueue_namespace WHERE status = 'ACTIVE')
        AND NOT EXISTS (SELECT 1 FROM jobqueue_givenup WHERE job_id = job.id)
    ORDER BY job.id
    ON CONFLICT (job_id) DO NOTHING
"""


class Drifted(NamedTuple):
    """A queue whose counters are wrong. still_running: a job of it is running although nobody has a lease."""

    queue_id: int
    still_running: bool


def drifted(after: int, upto: int) -> list[Drifted]:
    """The queues with after < id <= upto that nobody has a lease of and whose counters differ from their jobs."""
    with raw_cursor() as cursor:
        return [Drifted(*row) for row in cursor.execute(raw_text(_DRIFTED), (after, upto, NOBODY)).fetchall()]


def note_missing_given_up(after: int, upto: int) -> int:
    """Write the GivenUp rows that given-up jobs of the queues with after < id <= upto lack; returns how many."""
    with raw_cursor() as cursor:
        cursor.execute(raw_text(_GIVEN_UP_MISSING), (after, upto, NOBODY))
        return max(0, cursor.rowcount)
