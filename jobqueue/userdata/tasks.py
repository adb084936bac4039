"""The tasks that carry out a dump, a clean or an import, and look at an upload. They carry the run's id and nothing else."""
from __future__ import annotations

from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.lease import LeaseLost
from jobqueue.models import UserDataRun
from jobqueue.states import UserDataKind, UserDataState
from jobqueue.userdata import files
from jobqueue.userdata.clearing import clean, remove_rows, staged_of
from jobqueue.userdata.dumping import dump
from jobqueue.userdata.format import Refused
from jobqueue.userdata.importing import import_file
from jobqueue.userdata.inspecting import look
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


def examine(run_id: int) -> None:
    """Say what an uploaded file is, for the page that asks whether to import it."""
    uploaded = UserDataRun.objects.filter(pk=run_id, state=UserDataState.UPLOADED, said="", error="")
    run = uploaded.first()
    if run is None:
        return
    said = error = ""
    try:
        with files.storage().open(run.file, "rb") as file:
            said = look(file, run.size, lambda: engine.beat("user data")).text()
    except Refused as refusal:
        error = str(refusal)
    except FileNotFoundError:
        error = "The file is no longer kept; upload it again."
    # Unless another file has taken its place meanwhile: that has a look of its own.
    uploaded.filter(file=run.file).update(said=said, error=error, updated_at=Now())


def _fail(lease: RunLease, sentence: str) -> None:
    try:
        remove_rows(lease, staged_of(lease.run))
        lease.end(UserDataState.FAILED, sentence, error=sentence)
    except LeaseLost:
        return
    if lease.run.kind == UserDataKind.IMPORT:
        files.remove(lease.run.file)
