"""Runs scripts of jobs that nobody has claimed yet. What runs well, quickly and calls nothing has had no effect: its end is
written when the job is still there for us, and dropped when not. Everything else is run anew, after its job was claimed.
"""
from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.conf import settings

from gs2admin.cache import Cache
from gs2admin.identity.models import Project
from jobqueue import sql
from jobqueue.execution import calls
from jobqueue.execution.attempt import MAX_RESULT
from jobqueue.execution.scripts import Source, find
from jobqueue.sql import NextJob

log = logging.getLogger(__name__)
# A script that was not fit to run ahead is not tried again for so long. s.
APART_S = 60.0
_apart: Cache[tuple[int, int | None], bool] = Cache(ttl_s=APART_S, entries=1_000, max_bytes=500_000)


class Ran(NamedTuple):
    """done: in order. apart: the queues whose next job has to be claimed before it runs."""

    done: list[sql.Done]
    apart: set[int]


def run(project: Project, users: Mapping[int, str], jobs: Mapping[int, Sequence[NextJob]]) -> Ran:
    """Run the jobs of some queues. users: queue -> its player; jobs: queue -> its first jobs, first in first out."""
    from jobqueue.scripting.ahead import ROOM, Run
    from jobqueue.scripting.outcome import RunnerDied, RunnersBusy
    from jobqueue.scripting.pool import runner  # late: only processes that run scripts start a runner

    asked: list[tuple[int, NextJob, Source]] = []
    runs: list[Run] = []
    ran, room = Ran([], set()), ROOM
    for queue_id, waiting in jobs.items():
        follows = False
        for job in waiting:
            found = None if (job.generation or 0) > settings.JOB_GENERATIONS else find(project, job.script_id)
            if not isinstance(found, Source) or _apart.get((found.pk, found.revision)):
                ran.apart.add(queue_id)
                break
            room -= len(job.args)
            if room < 0:
                break
            asked.append((queue_id, job, found))
            user_id, as_text, floats = users[queue_id], found.disable_number_strings, found.keep_whole_floats
            runs.append(Run(found.source, job.args, user_id, as_text, floats, follows))
            follows = True
        if room < 0 and not runs:
            ran.apart.add(queue_id)
    if not runs:
        return ran
    try:
        outcomes = runner().run_ahead(runs, calls.methods())
    except RunnersBusy:
        return Ran([], set(jobs))
    except RunnerDied:
        # Whose fault it is shows when each is run alone.
        log.info("scripts are not run ahead any more for a while", extra={"scripts": len({source.pk for _, _, source in asked})})
        for _, _, source in asked:
            _apart.put((source.pk, source.revision), True)
        return Ran([], set(jobs))
    for (queue_id, job, source), outcome in zip(asked, outcomes, strict=True):
        if outcome is None:
            continue
        if outcome.status_code != 200 or len(outcome.result) > MAX_RESULT:
            _apart.put((source.pk, source.revision), True)
            ran.apart.add(queue_id)
            continue
        ran.done.append(
            sql.Done(job.id, queue_id, job.tries, outcome.result, "\n".join(outcome.output), int(outcome.execute_ms),
                     source.revision, job.script_id)
        )  # fmt: skip
    return ran
