"""States of jobs and of user data, and the decision after an attempt. No database."""
from __future__ import annotations

import random
from dataclasses import dataclass

from django.db import models


class JobState(models.TextChoices):
    """waiting -> running -> done, waiting (a retry) or given up."""

    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    GIVEN_UP = "given_up", "Given up"


QUEUED = frozenset({JobState.WAITING, JobState.RUNNING})


class UserDataKind(models.TextChoices):
    """What is done with a player's data."""

    DUMP = "dump", "Dump"
    CLEAN = "clean", "Clean"
    IMPORT = "import", "Import"


class UserDataState(models.TextChoices):
    """prepared -> uploaded -> waiting (imports); waiting -> running -> done or failed (all)."""

    PREPARED = "prepared", "Waiting for its file"
    UPLOADED = "uploaded", "Uploaded"
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


LIVE = frozenset({UserDataState.WAITING, UserDataState.RUNNING})
# No player's id starts with it: imports and erasures give it to rows that they have set aside.
NOBODY = "\x7f"
FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 60.0
DEFAULT_TRIES = 3


@dataclass(frozen=True)
class Next:
    """What becomes of a job after an attempt. wait_s: seconds for which auto-run leaves its queue alone; `run` does not wait."""

    state: JobState
    wait_s: float = 0.0


def after_attempt(*, status_code: int, tries: int, max_tries: int, may_retry: bool, chance: float | None = None) -> Next:
    """Done on 2xx; else waiting again while tries are left and the script does not forbid it; else given up.

    tries: attempts made, this one included. chance: 0 to 1, for the jitter of the back-off: 1 s, 2 s, 4 s … 60 s.
    """
    if 200 <= status_code < 300:
        return Next(JobState.DONE)
    if not may_retry or tries >= max_tries:
        return Next(JobState.GIVEN_UP)
    backoff = min(FIRST_BACKOFF_S * 2 ** (tries - 1), MAX_BACKOFF_S)
    return Next(JobState.WAITING, backoff * (0.75 + 0.25 * (random.random() if chance is None else chance)))
