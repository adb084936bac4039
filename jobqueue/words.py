"""How a job, an attempt, a queue and a run of user data stand, in words for people.

Badges, tags, charts and lists take them from here.
An attempt fails; the job is then tried again, and its queue is retrying, until the job succeeds or is given up.
"""
from __future__ import annotations

from typing import NamedTuple

from jobqueue.states import JobState, UserDataState


class Words(NamedTuple):
    """The words for one state.

    label: on a badge, in a filter. tone: one of the five colours of the pages (ok, info, warn, bad, muted). moving: it
    changes without a person.
    """

    label: str
    tone: str
    moving: bool = False

    @property
    def inside(self) -> str:
        """The label inside a sentence, on a tag or in a legend: "given up"."""
        return self.label[:1].lower() + self.label[1:]


JOB: dict[JobState, Words] = {
    JobState.WAITING: Words("Waiting", "muted"),
    JobState.RUNNING: Words("Running", "info", moving=True),
    JobState.DONE: Words("Done", "ok"),
    JobState.GIVEN_UP: Words("Given up", "bad"),
}
SUCCEEDED = Words("Succeeded", "ok")
FAILED = Words("Failed", "bad")
# An attempt that its time limit ended: the game's backend may be slow, so it is less alarming than an error.
TIMED_OUT = FAILED._replace(tone="warn")
# A queue whose first job failed and is tried again.
RETRYING = Words("Retrying", "warn")
USER_DATA: dict[UserDataState, Words] = {
    UserDataState.PREPARED: Words("Waiting for its file", "warn"),
    UserDataState.UPLOADED: Words("Uploaded", "warn"),
    UserDataState.WAITING: Words("Waits for a worker", "info", moving=True),
    UserDataState.RUNNING: Words("Running", "info", moving=True),
    UserDataState.DONE: Words("Done", "ok"),
    UserDataState.FAILED: FAILED,
}


def job_words(state: str, tries: int, max_tries: int, place: int = 0) -> Words:
    """The words for a job. tries: attempts begun, of max_tries. place: how many jobs are before it, 0 where that is not known.

    Raises ValueError for a text that is no state.
    """
    words = JOB[JobState(state)]
    if state == JobState.WAITING and tries:
        return RETRYING._replace(label=f"{tries} of {max_tries} tries {FAILED.inside}")
    if state == JobState.WAITING and place:
        return words._replace(label=f"Waits behind {place}")
    if state == JobState.RUNNING and max_tries > 1:
        return words._replace(label=f"{words.label}, try {tries} of {max_tries}")
    return words


def attempt_words(status_code: int) -> Words:
    """The words for an attempt that ended with that status."""
    if 200 <= status_code < 300:
        return SUCCEEDED
    return TIMED_OUT if status_code == 504 else FAILED


def retrying(tries: int) -> str:
    """What a queue is doing whose first job failed so often: "retrying, 2 failed"."""
    return f"{RETRYING.inside}, {tries} {FAILED.inside}"
