"""The task that carries out a dump, a clean or an import. It carries the run's id and nothing else."""
from __future__ import annotations

from gs2admin import engine
from gs2admin.lease import LeaseLost
from jobqueue.states import UserDataKind, UserDataState
from jobqueue.userdata import files
from jobqueue.userdata.clearing import clean, remove_rows, staged_of
from jobqueue.userdata.dumping import dump
from jobqueue.userdata.format import Refused
from jobqueue.userdata.importing import import_file
from jobqueue.userdata.runs import MAX_ATTEMPTS, PERFORM, RunLease, take, waiting

KINDS = {UserDataKind.DUMP: dump, UserDataKind.CLEAN: clean, UserDataKind.IMPORT: import_file}


def perform(run_id: int) -> None:
    """Carry out a run to its end, unless another worker has its lease, or all workers but one are at such work already: one is
    kept for rollouts. Then wake a worker for the next run that waits, each project in turns.
    """
    if not engine.begin_long():
        return
    try:
        _perform(run_id)
    finally:
        engine.end_long()
    for following in waiting(state=UserDataState.WAITING)[:1]:
        engine.wake(PERFORM, following)


def _perform(run_id: int) -> None:
    lease = take(run_id)
    if lease is None:
        return
    try:
        if lease.run.attempts > MAX_ATTEMPTS and not lease.run.swapped:
            raise Refused(f"It broke down {MAX_ATTEMPTS} times; the server's log has the reason.")
        KINDS[lease.run.kind](lease)
    except Refused as refusal:
        _fail(lease, str(refusal))
    except LeaseLost:
        return


def _fail(lease: RunLease, sentence: str) -> None:
    try:
        remove_rows(lease, staged_of(lease.run))
        lease.end(UserDataState.FAILED, sentence, error=sentence)
    except LeaseLost:
        return
    if lease.run.kind == UserDataKind.IMPORT:
        files.remove(lease.run.file)
