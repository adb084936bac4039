"""What workers do for players' data. A task carries a run's id and nothing else."""
from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.lease import LeaseLost
from jobqueue.models import UserDataRun
from jobqueue.states import LIVE, UserDataKind, UserDataState
from jobqueue.userdata import files
from jobqueue.userdata.clearing import clean, remove_rows, staged_of
from jobqueue.userdata.dumping import dump
from jobqueue.userdata.format import Refused
from jobqueue.userdata.importing import import_file
from jobqueue.userdata.runs import MAX_ATTEMPTS, Hold, take

KINDS = {UserDataKind.DUMP: dump, UserDataKind.CLEAN: clean, UserDataKind.IMPORT: import_file}


def perform(run_id: int) -> None:
    """Begin or go on with a run, if nobody else does, to its end."""
    hold = take(run_id)
    if hold is None:
        return
    try:
        if hold.run.attempts > MAX_ATTEMPTS and not hold.run.swapped:
            raise Refused(f"It broke down {MAX_ATTEMPTS} times; the server's log has the reason.")
        KINDS[hold.run.kind](hold)
    except Refused as refusal:
        _fail(hold, str(refusal))
    except LeaseLost:
        return


def _fail(hold: Hold, sentence: str) -> None:
    try:
        remove_rows(hold, staged_of(hold.run))
        hold.end(UserDataState.FAILED, sentence, error=sentence)
    except LeaseLost:
        return
    if hold.run.kind == UserDataKind.IMPORT:
        files.remove(hold.run.file)


@engine.cleaner(every_s=3600)
def remove_old_files() -> int:
    """Remove runs with their files when their time is over."""
    old = UserDataRun.objects.filter(updated_at__lt=Now() - timedelta(days=settings.USER_DATA_KEEP_DAYS))
    removed = 0
    for run in list(old.exclude(state__in=sorted(LIVE))[:500]):
        files.remove(run.file)
        removed += UserDataRun.objects.filter(pk=run.pk, updated_at=run.updated_at).delete()[0]
    return removed
