"""The statements of the hot path, written once for both databases.

One statement each where the ORM needs several or a select first; bench/ has the difference. Times are the database's.
Everything that comes from outside is a parameter.
"""
from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db import connection

from gs2admin.db.raw import raw_cursor
from jobqueue.states import NOBODY, JobState

_NOW = {"sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')", "postgresql": "STATEMENT_TIMESTAMP()"}
_LATER = {
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', %s || ' seconds')",
    "postgresql": "STATEMENT_TIMESTAMP() + %s * INTERVAL '1 second'",
}
_MINUTE = {"sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:00', 'NOW')", "postgresql": "DATE_TRUNC('minute', STATEMENT_TIMESTAMP())"}
_TAKE = """
    UPDATE jobqueue_queue SET lease_until = {later}, leased_by = %s, fence = fence + 1, rev = rev + 1
    WHERE id = %s AND (lease_until IS NULL OR lease_until < {now})
    RETURNING fence, namespace_id, user_id, let_go_fence < fence - 1
        OR EXISTS (SELECT 1 FROM jobqueue_job WHERE queue_id = jobqueue_queue.id AND state = 'running')
"""
_AHEAD = """
    SELECT id, script_id, args, max_try_count, try_count FROM jobqueue_job
    WHERE queue_id = %s AND state = 'waiting' AND id > %s ORDER BY id LIMIT %s
"""
_LOCK = "SELECT 1 FROM jobqueue_queue WHERE id = %s AND fence = %s FOR UPDATE"
_WAITING = "FROM jobqueue_job WHERE queue_id = jobqueue_queue.id AND state = 'waiting' ORDER BY id LIMIT 1"
_LET_GO = f"""
    UPDATE jobqueue_queue SET lease_until = NULL, let_go_fence = fence, waiting = waiting - %s, rev = rev + 1, rung_at = {{now}},
        draining = draining AND NOT %s AND EXISTS (SELECT 1 {_WAITING}),
        next_at = CASE WHEN %s > 0 AND EXISTS (SELECT 1 {_WAITING}) THEN {{later}} ELSE NULL END,
        head_at = (SELECT created_at {_WAITING}), head_tries = COALESCE((SELECT try_count {_WAITING}), 0)
    WHERE id = %s AND fence = %s RETURNING head_at
"""
_NAMESPACE = "SELECT enable_auto_run, status, revision FROM jobqueue_namespace WHERE id = %s"
# head_at is the first job's created_at to the digit, so that both can be compared. Where it is NULL, head_tries is 0.
_UPSERT = """
    INSERT INTO jobqueue_queue (namespace_id, user_id, rev, waiting, draining, started_rev, fence, rung_at, head_at, head_tries)
    VALUES (%s, %s, 1, %s, %s, 1, 0, {now}, %s, 0)
    ON CONFLICT (namespace_id, user_id) DO UPDATE SET
        rev = jobqueue_queue.rev + 1,
        waiting = jobqueue_queue.waiting + excluded.waiting,
        started_rev = CASE WHEN jobqueue_queue.draining OR NOT excluded.draining
                           THEN jobqueue_queue.started_rev ELSE jobqueue_queue.rev + 1 END,
        rung_at = CASE WHEN jobqueue_queue.draining THEN jobqueue_queue.rung_at ELSE {now} END,
        head_at = COALESCE(jobqueue_queue.head_at, excluded.head_at),
        draining = jobqueue_queue.draining OR excluded.draining
    RETURNING id, draining AND started_rev = rev
"""
# A queue that is being drained takes more without a ring: that is one statement, and needs no transaction around it.
_JOIN = """
    UPDATE jobqueue_queue SET
        rev = rev + 1,
        head_at = COALESCE(head_at, %s),
        waiting = waiting + %s
    WHERE namespace_id = %s AND user_id = %s AND draining RETURNING id
"""
_JOB = "queue_id, name, script_id, args, max_try_count, try_count, state, created_at, updated_at"
_INSERT_JOB = "(%s, %s, %s, %s, %s, 0, 'waiting', %s, %s)"
_RESULT = """
    INSERT INTO jobqueue_jobresult (job_id, try_number, status_code, result, output, tried_at, took_ms)
    VALUES (%s, %s, %s, %s, %s, {now}, %s)
"""
# By its id, and never by the index of running jobs: that one is tiny to PostgreSQL's planner, and full of jobs that ran since
# it was last vacuumed.
_SETTLE = "UPDATE jobqueue_job SET state = %s, updated_at = {now} WHERE id = %s AND state || '' = 'running' AND try_count = %s"
_GAVE_UP = """
    INSERT INTO jobqueue_givenup (job_id, namespace_id, user_id, script, status_code, at)
    SELECT job.id, queue.namespace_id, queue.user_id, SUBSTR(job.script_id, 1, 200), %s, {now}
    FROM jobqueue_job job JOIN jobqueue_queue queue ON queue.id = job.queue_id WHERE job.id = %s
    ON CONFLICT (job_id) DO NOTHING
"""
# Queues whose numbers are not those of their jobs. In one statement nobody's push is half seen; a queue that is held is not
# asked about, since its holder counts out what it finished when it lets go.
_DRIFTED = f"""
    SELECT id, EXISTS (SELECT 1 FROM jobqueue_job WHERE queue_id = jobqueue_queue.id AND state = 'running')
    FROM jobqueue_queue
    WHERE id > %s AND id <= %s AND (lease_until IS NULL OR lease_until < {{now}}) AND SUBSTR(user_id, 1, 1) <> %s
        AND namespace_id IN (SELECT id FROM jobqueue_namespace WHERE status = 'ACTIVE')
        AND (waiting <> (SELECT COUNT(*) FROM jobqueue_job
                         WHERE queue_id = jobqueue_queue.id AND state IN ('waiting', 'running'))
            OR head_tries <> COALESCE((SELECT try_count {_WAITING}), 0)
            OR head_at IS DISTINCT FROM (SELECT created_at {_WAITING})
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
# Each attempt is counted in the transaction of its result. Counts that a slice gathers and writes at its end were lost with
# the worker, and could not be made again from results, which go when a job is deleted; a statement more is what exactness costs.
_TALLY = """
    INSERT INTO jobqueue_tally (namespace_id, at, span_s, script, shard, ok, failed, given_up, took_ms)
    SELECT %s, {minute}, 60, %s, %s, %s, %s, %s, %s {of}
    ON CONFLICT (namespace_id, at, span_s, script, shard) DO UPDATE SET
        ok = jobqueue_tally.ok + excluded.ok, failed = jobqueue_tally.failed + excluded.failed,
        given_up = jobqueue_tally.given_up + excluded.given_up, took_ms = jobqueue_tally.took_ms + excluded.took_ms
"""
_CLAIM = """
    UPDATE jobqueue_job SET state = 'running', try_count = try_count + 1, updated_at = {now}
    WHERE id = %s AND state = 'waiting' AND try_count < max_try_count
"""
# By whoever holds the queue, and while auto-run is on: the switch counts from the next job on.
_BY_HOLDER = """
    AND EXISTS (SELECT 1 FROM jobqueue_queue queue JOIN jobqueue_namespace space ON space.id = queue.namespace_id
        WHERE queue.id = jobqueue_job.queue_id AND queue.fence = %s AND space.enable_auto_run AND space.status = 'ACTIVE')
"""
_CLAIM_FIRST = f"""
    UPDATE jobqueue_job SET state = 'running', try_count = try_count + 1, updated_at = {{now}}
    WHERE id = (SELECT id FROM jobqueue_job WHERE queue_id = %s AND state = 'waiting' ORDER BY id LIMIT 1)
        AND state = 'waiting' AND try_count < max_try_count {_BY_HOLDER}
    RETURNING id, script_id, args, max_try_count, try_count
"""
# PostgreSQL does all of it in one statement, and so in one round trip.
_SETTLE_AND_CLAIM = f"""
    WITH settled AS ({_SETTLE} RETURNING id),
    result AS (
        INSERT INTO jobqueue_jobresult (job_id, try_number, status_code, result, output, tried_at, took_ms)
        SELECT id, %s, %s, %s, %s, {{now}}, %s FROM settled
    ),
    counted AS ({_TALLY.replace("{of}", "FROM settled")}),
    claimed AS ({_CLAIM} AND EXISTS (SELECT 1 FROM settled){_BY_HOLDER} RETURNING id)
    SELECT (SELECT COUNT(*) FROM settled), (SELECT COUNT(*) FROM claimed)
"""

# How much of a script's id a tally names, and how many rows of a minute keep workers from waiting for each other.
LABEL = 200
SHARDS = 64
# A job to insert: name, script id, args, max tries.
Pushed = tuple[UUID, str, str, int]


@cache
def _vendor() -> str:
    """Of this process's database; asking the connection costs as much as a tenth of a statement."""
    return connection.vendor


@cache
def _text(statement: str) -> str:
    """The statement for Django's cursor on this process's database."""
    for word, of_vendor in (("{now}", _NOW), ("{later}", _LATER), ("{minute}", _MINUTE)):
        statement = statement.replace(word, of_vendor[_vendor()])
    return statement


@cache
def _raw_text(statement: str) -> str:
    """The same for the driver's own cursor, which on SQLite knows ? and no %%."""
    text = _text(statement)
    return text.replace("%s", "?").replace("%%", "%") if _vendor() == "sqlite" else text


def push(
    namespace_id: int, user_id: str, rows: Sequence[Pushed], *, auto: bool, at: datetime
) -> tuple[int, bool, list[int]]:
    """Make or find the queue, count the jobs in and insert them, in order.

    Returns the queue's id, whether this push has to begin a drain, and the jobs' ids in the same order.
    """
    if _vendor() == "postgresql":
        return _push_at_once(f"{_UPSERT} AS begins", [namespace_id, user_id, len(rows), auto, at], rows, at)
    moment = connection.ops.adapt_datetimefield_value(at)
    with raw_cursor() as cursor:
        cursor.execute(_raw_text(_UPSERT), [namespace_id, user_id, len(rows), auto, moment])
        (queue_id, begins), = cursor.fetchall()
        values = [value for name, *row in rows for value in (queue_id, name.hex, *row, moment, moment)]
        insert = f"INSERT INTO jobqueue_job ({_JOB}) VALUES {_rows(_INSERT_JOB, len(rows))} RETURNING id"
        cursor.execute(_raw_text(insert), values)
        return queue_id, bool(begins), sorted(row[0] for row in cursor.fetchall())


def join(namespace_id: int, user_id: str, rows: Sequence[Pushed], *, at: datetime) -> tuple[int, list[int]] | None:
    """`push` into a queue that is being drained, in one statement that needs no transaction: (queue's id, jobs' ids).

    None, and nothing is written, when nobody drains it, and always on SQLite, where a push is two statements.
    """
    if _vendor() != "postgresql":
        return None
    found = _push_at_once(f"{_JOIN}, FALSE AS begins", [at, len(rows), namespace_id, user_id], rows, at)
    return found and (found[0], found[2])


def _push_at_once(
    queue: str, head: list, rows: Sequence[Pushed], at: datetime
) -> tuple[int, bool, list[int]] | None:
    """All of a push in one round trip, for PostgreSQL. queue: what finds the queue's row, with its parameters `head`."""
    values = [value for number, row in enumerate(rows) for value in (number, *row)]
    with raw_cursor() as cursor:
        found = cursor.execute(_push_text(queue, len(rows)), [*head, at, at, *values]).fetchone()
    return found and (found[0], found[1], sorted(found[2]))


@cache
def _push_text(queue: str, count: int) -> str:
    values = _rows("(%s::int, %s::uuid, %s, %s, %s::int)", count)
    return f"""
        WITH queue AS ({_text(queue)}),
        made AS (
            INSERT INTO jobqueue_job ({_JOB})
            SELECT queue.id, entry.name, entry.script_id, entry.args, entry.tries, 0, 'waiting', %s, %s
            FROM queue, (VALUES {values}) AS entry (number, name, script_id, args, tries) ORDER BY entry.number
            RETURNING id
        )
        SELECT queue.id, queue.begins, ARRAY(SELECT id FROM made) FROM queue
    """


def _rows(row: str, count: int) -> str:
    return ", ".join([row] * count)


def settle(
    *, job_id: int, tries: int, to: JobState, status_code: int, result: str, output: str, took_ms: int,
    namespace_id: int, script: str, next_id: int | None = None, fence: int = 0,
) -> tuple[bool, bool]:  # fmt: skip
    """Write an attempt's result, count it, move its job on, and claim the next job while that fence holds the queue and
    auto-run is on.

    The caller's transaction holds all of it, unless `settles_alone`. Returns (settled, claimed). Not settled: the attempt
    was not ours any more, and nothing was written. Not claimed: the next job went away meanwhile, or auto-run was
    turned off.
    """
    done, given_up = to == JobState.DONE, to == JobState.GIVEN_UP
    tally = namespace_id, script[:LABEL], os.getpid() % SHARDS, int(done), int(not done), int(given_up), took_ms
    with raw_cursor() as cursor:
        if settles_alone(to):
            cursor.execute(_raw_text(_SETTLE_AND_CLAIM), (
                str(to), job_id, tries, tries - 1, status_code, result, output, took_ms, *tally, next_id, fence
            ))  # fmt: skip
            settled, claimed = cursor.fetchone()
            return settled == 1, claimed == 1
        cursor.execute(_raw_text(_SETTLE), (str(to), job_id, tries))
        if cursor.rowcount != 1:
            return False, False
        cursor.execute(_raw_text(_RESULT), (job_id, tries - 1, status_code, result, output, took_ms))
        cursor.execute(_raw_text(_TALLY.replace("{of}", "WHERE TRUE")), tally)
        if given_up:
            note_given_up(job_id, status_code)
        if next_id is None:
            return True, False
        cursor.execute(_raw_text(_CLAIM + _BY_HOLDER), (next_id, fence))
        return True, cursor.rowcount == 1


def settles_alone(to: JobState) -> bool:
    """Whether `settle` is one statement, which needs no transaction around it."""
    return _vendor() == "postgresql" and to != JobState.GIVEN_UP


def take(queue_id: int, lease_s: float, label: str) -> tuple[int, int, str, bool] | None:
    """Lease the queue if nobody holds it; None when somebody does or it is gone.

    Returns (fence, namespace id, user id, whether the last holder was lost: it did not let the queue go, or a job of its
    is still running).
    """
    with raw_cursor() as cursor:
        return cursor.execute(_raw_text(_TAKE), (lease_s, label, queue_id)).fetchone()


def ahead(queue_id: int, after: int, count: int) -> list[tuple[int, str, str, int, int]]:
    """The next waiting jobs behind one, first in first out: (id, script id, args, max tries, tries) each."""
    with raw_cursor() as cursor:
        return cursor.execute(_raw_text(_AHEAD), (queue_id, after, count)).fetchall()


def lock(queue_id: int, fence: int) -> bool:
    """Lock the queue's row to the end of the transaction; False when the hold of that fence is over.

    Not on SQLite, where every transaction of ours has the only write lock from its beginning.
    """
    if _vendor() == "sqlite":
        return True
    with raw_cursor() as cursor:
        return cursor.execute(_raw_text(_LOCK), (queue_id, fence)).fetchone() is not None


def let_go(queue_id: int, fence: int, *, finished: int, stop: bool, wait_s: float) -> bool:
    """End the hold of that fence; see `execution.hold.let_go`. Returns whether jobs are waiting."""
    with raw_cursor() as cursor:
        found = cursor.execute(_raw_text(_LET_GO), (finished, stop, wait_s, wait_s, queue_id, fence)).fetchone()
        return found is not None and found[0] is not None


def namespace_now(namespace_id: int) -> tuple[bool, str, int] | None:
    """(auto-run, status, revision) of this moment."""
    with raw_cursor() as cursor:
        found = cursor.execute(_raw_text(_NAMESPACE), (namespace_id,)).fetchone()
        return found and (bool(found[0]), found[1], found[2])


def claim_job(job_id: int) -> bool:
    """waiting -> running, and one try more; before any work of the attempt. By hand, whatever auto-run says."""
    with raw_cursor() as cursor:
        cursor.execute(_raw_text(_CLAIM), (job_id,))
        return cursor.rowcount == 1


def claim_first(queue_id: int, fence: int) -> tuple[int, str, str, int, int] | None:
    """The same for the first waiting job, by the holder of that fence: (id, script id, args, max tries, tries), this one
    included. None when nothing waits, when the hold is over, or when auto-run is off."""
    with raw_cursor() as cursor:
        return cursor.execute(_raw_text(_CLAIM_FIRST), (queue_id, fence)).fetchone()


def note_given_up(job_id: int, status_code: int) -> None:
    """Write the line of a given-up job, in the transaction that gives it up."""
    with raw_cursor() as cursor:
        cursor.execute(_raw_text(_GAVE_UP), (status_code, job_id))


def drifted(after: int, upto: int) -> list[tuple[int, bool]]:
    """Of the queues with after < id <= upto, those that nobody holds and whose numbers are wrong: (id, whether a job is still
    running, whose holder is lost)."""
    with raw_cursor() as cursor:
        return cursor.execute(_raw_text(_DRIFTED), (after, upto, NOBODY)).fetchall()


def note_missing_given_up(after: int, upto: int) -> int:
    """Write the lines that given-up jobs of these queues lack; returns how many."""
    with raw_cursor() as cursor:
        cursor.execute(_raw_text(_GIVEN_UP_MISSING), (after, upto, NOBODY))
        return max(0, cursor.rowcount)
