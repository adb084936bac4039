"""The statements of a turn of several queues at once: lease them, read their first jobs, write those that are done, let go."""
from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from gs2admin.db.raw import raw_cursor
from jobqueue.sql.run import FIRST_WAITING, LABEL, SHARDS, NextJob, ahead
from jobqueue.sql.text import raw_text, vendor

_READY = """
    SELECT id FROM jobqueue_queue WHERE namespace_id = %s AND draining AND next_at IS NULL
        AND (lease_until IS NULL OR lease_until < {now})
    ORDER BY woken_at LIMIT %s
"""
# Who has one of them locked pushes into it, or takes it: it is left out. The commit of a lease need not wait for the disk: what
# is done under it is written by a later commit, which is never there without this one.
_SOME = {"sqlite": _READY, "postgresql": f"{_READY} FOR UPDATE SKIP LOCKED"}
_SOON = {"sqlite": "", "postgresql": "WITH soon AS (SELECT set_config('synchronous_commit', 'off', TRUE))"}
_ALSO = {"sqlite": "", "postgresql": "AND EXISTS (SELECT 1 FROM soon)"}
_TAKE = """
    {soon} UPDATE jobqueue_queue SET lease_until = {later}, leased_by = %s, fence = fence + 1, rev = rev + 1
    WHERE id IN ({some}) {also}
    RETURNING woken_at, id, user_id, fence, let_go_fence < fence - 1
        OR EXISTS (SELECT 1 FROM jobqueue_job WHERE queue_id = jobqueue_queue.id AND state = 'running')
"""
_FIRST = """
    SELECT mine.id, job.id, job.script_id, job.args, job.max_try_count, job.try_count, job.generation
    FROM UNNEST(%s::bigint[]) AS mine (id) CROSS JOIN LATERAL (
        SELECT * FROM jobqueue_job WHERE queue_id = mine.id AND state = 'waiting' ORDER BY id LIMIT %s
    ) job
"""
_SWITCHED_ON = "namespace.enable_auto_run AND namespace.status = 'ACTIVE' AND namespace.paused_at IS NULL"
_HELD = f"""
    SELECT 1 FROM jobqueue_queue queue JOIN jobqueue_namespace namespace ON namespace.id = queue.namespace_id
    WHERE queue.id = %s AND queue.fence = %s AND {_SWITCHED_ON}
"""
_DONE = """
    UPDATE jobqueue_job SET state = 'done', try_count = try_count + 1, updated_at = {now}
    WHERE id = %s AND queue_id = %s AND state = 'waiting' AND try_count = %s AND try_count < max_try_count
"""
_RESULT = """
    INSERT INTO jobqueue_jobresult (job_id, try_number, status_code, result, output, tried_at, took_ms, script_revision)
    VALUES (%s, %s, 200, %s, %s, {now}, %s, %s)
"""
_TALLY = """
    INSERT INTO jobqueue_tally (namespace_id, at, span_s, script, shard, ok, failed, given_up, took_ms)
    {values}
    ON CONFLICT (namespace_id, at, span_s, script, shard) DO UPDATE SET
        ok = jobqueue_tally.ok + excluded.ok, took_ms = jobqueue_tally.took_ms + excluded.took_ms
"""
_TALLY_VALUES = _TALLY.replace("{values}", "VALUES (%s, {minute}, 60, %s, %s, %s, 0, 0, %s)")
# The holders' rows are kept to the commit (run.py has why). Who has one FOR UPDATE is about to raise its fence.
_ALL = f"""
    WITH held AS (
        SELECT queue.id FROM jobqueue_queue queue JOIN jobqueue_namespace namespace ON namespace.id = queue.namespace_id
        WHERE (queue.id, queue.fence) IN (SELECT * FROM UNNEST(%s::bigint[], %s::bigint[])) AND {_SWITCHED_ON}
        FOR KEY SHARE OF queue SKIP LOCKED
    ),
    ran AS (
        SELECT * FROM UNNEST(%s::bigint[], %s::bigint[], %s::int[], %s::text[], %s::text[], %s::int[], %s::bigint[], %s::text[])
        WITH ORDINALITY AS ran (id, queue_id, tries, result, output, took_ms, revision, script, place)
    ),
    done AS (
        UPDATE jobqueue_job job SET state = 'done', try_count = job.try_count + 1, updated_at = {{now}}
        FROM ran JOIN held ON held.id = ran.queue_id
        WHERE job.id = ran.id AND job.queue_id = ran.queue_id AND job.state || '' = 'waiting' AND job.try_count = ran.tries
            AND job.try_count < job.max_try_count
        RETURNING job.id, job.queue_id
    ),
    result AS (
        INSERT INTO jobqueue_jobresult (job_id, try_number, status_code, result, output, tried_at, took_ms, script_revision)
        SELECT ran.id, ran.tries, 200, ran.result, ran.output, {{now}}, ran.took_ms, ran.revision
        FROM ran JOIN done ON done.id = ran.id ORDER BY ran.place
    ),
    counted AS ({_TALLY.replace("{values}", '''
        SELECT %s, {minute}, 60, ran.script, %s, COUNT(*), 0, 0, SUM(ran.took_ms)
        FROM ran JOIN done ON done.id = ran.id GROUP BY ran.script ORDER BY ran.script''')})
    SELECT queue_id, COUNT(*) FROM done GROUP BY queue_id
"""
_LOCK = """
    SELECT id FROM jobqueue_queue WHERE (id, fence) IN (SELECT * FROM UNNEST(%s::bigint[], %s::bigint[])) ORDER BY id
    FOR UPDATE SKIP LOCKED
"""
_SET = f"""
    lease_until = NULL, let_go_fence = fence, rev = rev + 1,
    draining = draining AND EXISTS (SELECT 1 {FIRST_WAITING}), next_at = NULL,
    head_at = (SELECT created_at {FIRST_WAITING}), head_tries = COALESCE((SELECT try_count {FIRST_WAITING}), 0)
"""
_RELEASE = f"""
    UPDATE jobqueue_queue SET waiting = waiting - %s, woken_at = CASE WHEN %s THEN {{now}} ELSE woken_at END, {_SET}
    WHERE id = %s AND fence = %s RETURNING head_at
"""
_RELEASE_ALL = f"""
    UPDATE jobqueue_queue SET waiting = waiting - mine.done,
        woken_at = CASE WHEN mine.served THEN {{now}} ELSE woken_at END, {_SET}
    FROM UNNEST(%s::bigint[], %s::bigint[], %s::int[], %s::boolean[]) AS mine (queue_id, held_fence, done, served)
    WHERE id = mine.queue_id AND fence = mine.held_fence RETURNING head_at
"""


class Held(NamedTuple):
    """A queue under a new lease. last_was_lost: as Lease.last_was_lost."""

    queue_id: int
    user_id: str
    fence: int
    last_was_lost: bool


class Done(NamedTuple):
    """A job that ran well, before it was claimed and without any effect. tries: before this one. revision: of its script."""

    job_id: int
    queue_id: int
    tries: int
    result: str
    output: str
    took_ms: int
    revision: int | None
    script: str


class Over(NamedTuple):
    """The end of a lease. done: how many jobs left the queue under it. served: it had its turn, and goes behind the others."""

    queue_id: int
    fence: int
    done: int
    served: bool


def take_ready(namespace_id: int, count: int, lease_s: float, label: str) -> list[Held]:
    """Lease up to `count` queues of the namespace that wait, those that wait longest first. Not in a transaction."""
    with raw_cursor() as cursor:
        parts = {"{some}": _SOME, "{soon}": _SOON, "{also}": _ALSO}
        statement = _TAKE
        for place, texts in parts.items():
            statement = statement.replace(place, texts[vendor()])
        statement = raw_text(statement)
        found = cursor.execute(statement, (lease_s, label, namespace_id, count)).fetchall()
    return [Held(queue_id, user_id, fence, bool(lost)) for _, queue_id, user_id, fence, lost in sorted(found)]


def first_jobs(queues: Sequence[int], each: int) -> dict[int, list[NextJob]]:
    """The first waiting jobs of each queue, at most `each`, first in first out."""
    if vendor() == "sqlite":
        return {queue: ahead(queue, 0, each) for queue in queues}
    found: dict[int, list[NextJob]] = {queue: [] for queue in queues}
    with raw_cursor() as cursor:
        for queue, *job in cursor.execute(raw_text(_FIRST), (list(queues), each)).fetchall():
            found[queue].append(NextJob(*job))
    for jobs in found.values():
        jobs.sort()
    return found


def write_done(namespace_id: int, held: Sequence[Held], jobs: Sequence[Done]) -> Counter[int]:
    """Count a try of each job, write its result, and say that it is done. Returns queue -> how many jobs of it were written.

    A job that does not wait any more is left out, and all of a queue whose lease is over, or whose namespace is not to be
    drained any more. Call it in a transaction.
    """
    if vendor() == "postgresql":
        with raw_cursor() as cursor:
            fences = {one.queue_id: one.fence for one in held if any(job.queue_id == one.queue_id for job in jobs)}
            columns = [list(column) for column in zip(*(job._replace(script=job.script[:LABEL]) for job in jobs), strict=True)]
            shard = os.getpid() % SHARDS
            cursor.execute(raw_text(_ALL), [list(fences), list(fences.values()), *columns, namespace_id, shard])
            return Counter(dict(cursor.fetchall()))
    return _write_each(namespace_id, {one.queue_id: one.fence for one in held}, jobs)


def _write_each(namespace_id: int, fences: dict[int, int], jobs: Sequence[Done]) -> Counter[int]:
    found: Counter[int] = Counter()
    sums: dict[str, list[int]] = {}
    with raw_cursor() as cursor:
        still = {
            queue for queue in dict.fromkeys(job.queue_id for job in jobs)
            if cursor.execute(raw_text(_HELD), (queue, fences[queue])).fetchone()
        }  # fmt: skip
        for job in jobs:
            if job.queue_id not in still:
                continue
            cursor.execute(raw_text(_DONE), (job.job_id, job.queue_id, job.tries))
            if cursor.rowcount != 1:
                continue
            cursor.execute(raw_text(_RESULT), (job.job_id, job.tries, job.result, job.output, job.took_ms, job.revision))
            found[job.queue_id] += 1
            total = sums.setdefault(job.script[:LABEL], [0, 0])
            total[0] += 1
            total[1] += job.took_ms
        for script, (count, took_ms) in sums.items():
            cursor.execute(raw_text(_TALLY_VALUES), (namespace_id, script, os.getpid() % SHARDS, count, took_ms))
    return found


def release_all(leases: Sequence[Over]) -> tuple[list[Over], bool]:
    """End leases, as run.release. Returns (those of rows that somebody else has locked just now, whether any job waits).

    Nothing is waited for, because who waits for several rows may wait in a circle. Call it in a transaction.
    """
    if vendor() == "sqlite":
        with raw_cursor() as cursor:
            heads = [cursor.execute(raw_text(_RELEASE), (one.done, one.served, *one[:2])).fetchone() for one in leases]
        return [], any(head and head[0] is not None for head in heads)
    with raw_cursor() as cursor:
        columns = [list(column) for column in zip(*leases, strict=True)]
        locked = {row[0] for row in cursor.execute(raw_text(_LOCK), columns[:2]).fetchall()}
        ours = [one for one in leases if one.queue_id in locked]
        if not ours:
            return list(leases), False
        # A statement of its own, which begins when the rows are locked: it sees every job of the pushes before.
        heads = cursor.execute(raw_text(_RELEASE_ALL), [list(column) for column in zip(*ours, strict=True)]).fetchall()
    return [one for one in leases if one.queue_id not in locked], any(head is not None for (head,) in heads)
