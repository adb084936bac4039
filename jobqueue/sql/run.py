"""The statements of a drain: lease a queue, claim a job, write its result, release the queue."""
from __future__ import annotations

import os
from typing import NamedTuple

from gs2admin.db.raw import raw_cursor
from jobqueue.sql.text import raw_text, vendor
from jobqueue.states import JobState

_TAKE = """
    UPDATE jobqueue_queue SET lease_until = {later}, leased_by = %s, fence = fence + 1, rev = rev + 1
    WHERE id = {one} AND (lease_until IS NULL OR lease_until < {now})
    RETURNING fence, namespace_id, user_id, let_go_fence < fence - 1
        OR EXISTS (SELECT 1 FROM jobqueue_job WHERE queue_id = jobqueue_queue.id AND state = 'running')
"""
# Effects under the old fence that are about to be committed keep the row FOR KEY SHARE: an UPDATE alone would not wait for them.
_ONE = {
    "sqlite": "%s",
    "postgresql": "(SELECT id FROM jobqueue_queue WHERE id = %s AND (lease_until IS NULL OR lease_until < {now}) FOR UPDATE)",
}
# Pushes change the row too, and must neither hinder this nor be hindered. Who has it FOR UPDATE is about to raise the fence.
_KEEP = {"sqlite": "", "postgresql": "FOR KEY SHARE SKIP LOCKED"}
_KEPT = "SELECT 1 FROM jobqueue_queue WHERE id = %s AND fence = %s "
_AHEAD = """
    SELECT id, script_id, args, max_try_count, try_count, generation FROM jobqueue_job
    WHERE queue_id = %s AND state = 'waiting' AND id > %s ORDER BY id LIMIT %s
"""
_LOCK = "SELECT 1 FROM jobqueue_queue WHERE id = %s AND fence = %s FOR UPDATE"
FIRST_WAITING = "FROM jobqueue_job WHERE queue_id = jobqueue_queue.id AND state = 'waiting' ORDER BY id LIMIT 1"
_RELEASE = f"""
    UPDATE jobqueue_queue SET lease_until = NULL, let_go_fence = fence, waiting = waiting - %s, rev = rev + 1, woken_at = {{now}},
        draining = draining AND NOT %s AND EXISTS (SELECT 1 {FIRST_WAITING}),
        next_at = CASE WHEN %s > 0 AND EXISTS (SELECT 1 {FIRST_WAITING}) THEN {{later}} ELSE NULL END,
        head_at = (SELECT created_at {FIRST_WAITING}), head_tries = COALESCE((SELECT try_count {FIRST_WAITING}), 0)
    WHERE id = %s AND fence = %s RETURNING head_at
"""
_NAMESPACE = """
    SELECT enable_auto_run, status, revision, paused_at IS NOT NULL, slow_until IS NULL FROM jobqueue_namespace WHERE id = %s
"""
# Once in half a minute at most, because every drain reads the row.
_NOTE_SLOW = """
    UPDATE jobqueue_namespace SET slow_until = {later} WHERE id = %s AND (slow_until IS NULL OR slow_until < {later})
"""
_NOTE_QUICK = "UPDATE jobqueue_namespace SET slow_until = {now} WHERE id = %s AND slow_until IS NULL"
_RESULT = """
    INSERT INTO jobqueue_jobresult (job_id, try_number, status_code, result, output, tried_at, took_ms, script_revision)
    VALUES (%s, %s, %s, %s, %s, {now}, %s, %s)
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
# Each attempt is counted in the transaction of its result. Counts that a slice gathers and writes at its end would be lost with
# its worker, and cannot be made again from results, which are deleted with their job. Exact counts cost one statement more.
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
# Under the lease of that fence, while auto-run is on and nothing is paused: a change of a switch counts from the next job on.
_BY_HOLDER = """
    AND EXISTS (SELECT 1 FROM jobqueue_queue queue JOIN jobqueue_namespace namespace ON namespace.id = queue.namespace_id
        WHERE queue.id = jobqueue_job.queue_id AND queue.fence = %s AND namespace.enable_auto_run AND namespace.status = 'ACTIVE'
            AND namespace.paused_at IS NULL)
"""
_CLAIM_FIRST = f"""
    UPDATE jobqueue_job SET state = 'running', try_count = try_count + 1, updated_at = {{now}}
    WHERE id = (SELECT id FROM jobqueue_job WHERE queue_id = %s AND state = 'waiting' ORDER BY id LIMIT 1)
        AND state = 'waiting' AND try_count < max_try_count {_BY_HOLDER}
    RETURNING id, script_id, args, max_try_count, try_count, generation
"""
# PostgreSQL does all of it in one statement, and so in one round trip.
_SETTLE_AND_CLAIM = f"""
    WITH settled AS ({_SETTLE} RETURNING id),
    result AS (
        INSERT INTO jobqueue_jobresult (job_id, try_number, status_code, result, output, tried_at, took_ms, script_revision)
        SELECT id, %s, %s, %s, %s, {{now}}, %s, %s FROM settled
    ),
    counted AS ({_TALLY.replace("{of}", "FROM settled")}),
    claimed AS ({_CLAIM} AND EXISTS (SELECT 1 FROM settled){_BY_HOLDER} RETURNING id)
    SELECT (SELECT COUNT(*) FROM settled), (SELECT COUNT(*) FROM claimed)
"""
# Tallies and lines of given-up jobs are found by the first LABEL characters of a script id: an index takes no 1,024. Job has
# the whole id.
LABEL = 200
# How long a namespace counts as slow after a job that took long.
SLOW_S = 60
# Rows per minute and script, so that workers do not wait for each other.
SHARDS = 64


class Lease(NamedTuple):
    """What `take` returns. last_was_lost: the last holder did not release the queue, or a job of it is still running."""

    fence: int
    namespace_id: int
    user_id: str
    last_was_lost: bool


class NextJob(NamedTuple):
    """A job to run. tries: attempts begun; args: JSON text; generation: as Job.generation."""

    id: int
    script_id: str
    args: str
    max_tries: int
    tries: int
    generation: int | None


class Settled(NamedTuple):
    """settled: False: the attempt was another worker's by then, or its job is gone, and nothing was written.

    claimed: False: the next job is gone, or auto-run is off, or none was named.
    """

    settled: bool
    claimed: bool


class Switches(NamedTuple):
    """What a drain reads of its namespace before each turn. status: a NamespaceStatus. untried: no job of it was ever run."""

    auto_run: bool
    status: str
    revision: int
    paused: bool
    untried: bool


def settle(
    *, job_id: int, tries: int, to: JobState, status_code: int, result: str, output: str, took_ms: int,
    namespace_id: int, script: str, revision: int | None = None, next_id: int | None = None, fence: int = 0,
) -> Settled:  # fmt: skip
    """Write an attempt's result, count it, move its job to the state `to`, and claim the job next_id.

    revision: of the script that ran, as JobResult.script_revision. The next job is claimed only under the lease of that
    fence and while auto-run is on. Call it in a transaction, unless `settles_alone`.
    """
    done, given_up = to == JobState.DONE, to == JobState.GIVEN_UP
    tally = namespace_id, script[:LABEL], os.getpid() % SHARDS, int(done), int(not done), int(given_up), took_ms
    with raw_cursor() as cursor:
        if settles_alone(to):
            cursor.execute(raw_text(_SETTLE_AND_CLAIM), (
                str(to), job_id, tries, tries - 1, status_code, result, output, took_ms, revision, *tally, next_id, fence
            ))  # fmt: skip
            settled, claimed = cursor.fetchone()
            return Settled(settled == 1, claimed == 1)
        cursor.execute(raw_text(_SETTLE), (str(to), job_id, tries))
        if cursor.rowcount != 1:
            return Settled(False, False)
        cursor.execute(raw_text(_RESULT), (job_id, tries - 1, status_code, result, output, took_ms, revision))
        cursor.execute(raw_text(_TALLY.replace("{of}", "WHERE TRUE")), tally)
        if given_up:
            note_given_up(job_id, status_code)
        if next_id is None:
            return Settled(True, False)
        cursor.execute(raw_text(_CLAIM + _BY_HOLDER), (next_id, fence))
        return Settled(True, cursor.rowcount == 1)


def settles_alone(to: JobState) -> bool:
    """Whether `settle` is one statement, which needs no transaction around it."""
    return vendor() == "postgresql" and to != JobState.GIVEN_UP


def take(queue_id: int, lease_s: float, label: str) -> Lease | None:
    """Lease the queue for lease_s seconds; None while somebody else has a lease, or when the queue is gone.

    label: the worker's, as models.Queue.leased_by.
    """
    with raw_cursor() as cursor:
        found = cursor.execute(raw_text(_TAKE.replace("{one}", _ONE[vendor()])), (lease_s, label, queue_id)).fetchone()
        return found and Lease(*found)


def ahead(queue_id: int, after: int, count: int) -> list[NextJob]:
    """The next waiting jobs after the job of that id, at most `count`, first in first out."""
    with raw_cursor() as cursor:
        return [NextJob(*row) for row in cursor.execute(raw_text(_AHEAD), (queue_id, after, count)).fetchall()]


def lock(queue_id: int, fence: int) -> bool:
    """Lock the queue's row to the end of the transaction; False when the lease of that fence is over.

    On SQLite it does nothing: every transaction has the only write lock from its beginning.
    """
    if vendor() == "sqlite":
        return True
    with raw_cursor() as cursor:
        return cursor.execute(raw_text(_LOCK), (queue_id, fence)).fetchone() is not None


def keep(queue_id: int, fence: int) -> bool:
    """Whether the lease of that fence still counts; then nobody takes it before the transaction ends. Waits for nobody."""
    with raw_cursor() as cursor:
        return cursor.execute(raw_text(_KEPT + _KEEP[vendor()]), (queue_id, fence)).fetchone() is not None


def release(queue_id: int, fence: int, *, finished: int, stop: bool, wait_s: float) -> bool:
    """End the lease of that fence; see `execution.lease.QueueLease.release`. Returns whether jobs are waiting."""
    with raw_cursor() as cursor:
        found = cursor.execute(raw_text(_RELEASE), (finished, stop, wait_s, wait_s, queue_id, fence)).fetchone()
        return found is not None and found[0] is not None


def namespace_now(namespace_id: int) -> Switches | None:
    """The namespace's switches now; None when it is gone."""
    with raw_cursor() as cursor:
        found = cursor.execute(raw_text(_NAMESPACE), (namespace_id,)).fetchone()
        return found and Switches(bool(found[0]), found[1], found[2], bool(found[3]), bool(found[4]))


def note_slow(namespace_id: int) -> None:
    """Note that a job of the namespace took long: it counts as slow for SLOW_S seconds."""
    with raw_cursor() as cursor:
        cursor.execute(raw_text(_NOTE_SLOW), (SLOW_S, namespace_id, SLOW_S / 2))


def note_quick(namespace_id: int) -> None:
    """Note that the first jobs of the namespace did not take long."""
    with raw_cursor() as cursor:
        cursor.execute(raw_text(_NOTE_QUICK), (namespace_id,))


def claim_job(job_id: int) -> bool:
    """Move a job from waiting to running and count the try, before the attempt does anything; whatever auto-run says."""
    with raw_cursor() as cursor:
        cursor.execute(raw_text(_CLAIM), (job_id,))
        return cursor.rowcount == 1


def claim_first(queue_id: int, fence: int) -> NextJob | None:
    """Claim the first waiting job under the lease of that fence; its tries include this one.

    None when nothing waits, when the lease is over, or when auto-run is off.
    """
    with raw_cursor() as cursor:
        found = cursor.execute(raw_text(_CLAIM_FIRST), (queue_id, fence)).fetchone()
        return found and NextJob(*found)


def note_given_up(job_id: int, status_code: int) -> None:
    """Write the GivenUp row of a job, in the transaction that gives it up."""
    with raw_cursor() as cursor:
        cursor.execute(raw_text(_GAVE_UP), (status_code, job_id))
