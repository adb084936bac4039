"""The job at the head of a queue, as two pages show it: its arguments and how its newest attempts ended."""
from __future__ import annotations

from typing import Any

from jobqueue.models import Job
from jobqueue.pages.pretty import shown
from jobqueue.reads.jobs import attempts, with_arguments

ARGS_SHOWN, BODY_SHOWN, ATTEMPTS = 4_096, 600, 5


def head_of(job: Job | None) -> dict[str, Any]:
    """What templates/jobqueue/_player_job.html needs."""
    if job is None:
        return {"head": None, "head_args": None, "head_attempts": []}
    head = with_arguments(job, shown=ARGS_SHOWN)
    newest = attempts(head)[:ATTEMPTS]
    return {
        "head": head, "head_args": shown(head.args_head, head.args_size),
        "head_attempts": [(each, shown(each.body[:BODY_SHOWN], each.body_size)) for each in newest],
    }
