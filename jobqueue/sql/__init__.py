"""The statements of the hot path, where the ORM needs several or a SELECT first; bench/ has the difference.

Times are the database's.
"""
from jobqueue.sql.mend import Drifted, drifted, note_missing_given_up
from jobqueue.sql.push import NewJob, Push, join, push
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

__all__ = [
    "LABEL", "Drifted", "Lease", "NewJob", "NextJob", "Push", "Ready", "Settled", "Switches", "ahead", "claim_first", "claim_job",
    "drifted", "join", "keep", "lock", "namespace_now", "note_given_up", "note_missing_given_up", "note_quick", "note_slow",
    "push", "ready", "release", "settle", "settles_alone", "take", "waiting_in",
]  # fmt: skip
