"""The statements of the hot path, where the ORM needs several or a SELECT first; bench/ has the difference.

Times are the database's.
"""
from jobqueue.sql.mend import Drifted, drifted, note_missing_given_up
from jobqueue.sql.push import NewJob, Push, push, pushes_alone
from jobqueue.sql.ready import Ready, ready, waiting_in
from jobqueue.sql.run import (
    LABEL,
    Lease,
    NextJob,
    Settled,
    Switches,
    ahead,
    claim_first,
    claim_job,
    keep,
    lock,
    namespace_now,
    note_given_up,
    note_quick,
    note_slow,
    release,
    settle,
    settles_alone,
    take,
)
from jobqueue.sql.together import Done, Held, Over, first_jobs, release_all, take_ready, write_done

__all__ = [
    "LABEL", "Done", "Drifted", "Held", "Lease", "NewJob", "NextJob", "Over", "Push", "Ready", "Settled", "Switches", "ahead",
    "claim_first", "claim_job", "drifted", "first_jobs", "keep", "lock", "namespace_now", "note_given_up",
    "note_missing_given_up", "note_quick", "note_slow", "push", "pushes_alone", "ready", "release", "release_all", "settle",
    "settles_alone", "take", "take_ready", "waiting_in", "write_done",
]  # fmt: skip
