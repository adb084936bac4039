"""Jobs that jobs make: each is one generation later than its maker, and the chain ends at a cap.

The generation belongs to what runs now, not to a caller that hands it on. So it counts every way in which a job can make a job:
gs2() of its script, a built-in script, a script that it invokes, a job that it runs, a stamp sheet that it sends.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.conf import settings

from jobqueue.execution import attempt
from jobqueue.execution.attempt import Ended, errors

WORD = "jobQueue.job.generation.error.tooMany"
CODE = "jobQueue.execution.generations"
# Of the job that runs around this call; None outside of any.
_running: ContextVar[int | None] = ContextVar("job_generation", default=None)


def of_a_new_job() -> int | None:
    """The generation of a job that is made here and now: None outside of any job."""
    running = _running.get()
    return None if running is None else running + 1


def perform(generation: int | None, **how: object) -> Ended:
    """`attempt.perform(**how)` of a job of that generation; beyond the cap an end that says so, without a retry."""
    own = generation or 0
    if own > settings.JOB_GENERATIONS:
        return _ended(own)
    with _as_generation(own):
        return attempt.perform(**how)


@contextmanager
def _as_generation(own: int) -> Iterator[None]:
    before = _running.set(max(own, _running.get() or 0))
    try:
        yield
    finally:
        _running.reset(before)


def _ended(own: int) -> Ended:
    sentence = (
        f"This job was not run: {own:,} jobs stand before it, each made by the one before, and GS2ADMIN_JOB_GENERATIONS allows"
        f" {settings.JOB_GENERATIONS:,}. A script that pushes jobs like itself has to come to an end."
    )
    return Ended(400, errors("job", WORD, CODE), sentence, may_retry=False)
