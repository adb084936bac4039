"""Dumps, cleans and imports of players' data: those that no worker goes on with, and those that are old."""
from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from gs2admin import engine
from jobqueue.models import UserDataRun
from jobqueue.states import LIVE, UserDataState
from jobqueue.userdata import files
from jobqueue.userdata.runs import EXAMINE, PERFORM

UNCLAIMED_S = 5
# A look at an uploaded file takes 10 s of processor time at most.
UNSEEN_S = 90
AT_ONCE = 100


@engine.sweeper
def wake_runs() -> int:
    """Wake runs that no worker has a lease of, and looks at uploads that nobody took. Returns how many."""
    lost = Q(lease_until__lt=Now()) | Q(lease_until=None, updated_at__lt=Now() - timedelta(seconds=UNCLAIMED_S))
    woken = 0
    for pk in list(UserDataRun.objects.filter(lost, state__in=sorted(LIVE)).values_list("pk", flat=True)[:AT_ONCE]):
        engine.wake(PERFORM, pk)
        woken += 1
    unseen = UserDataRun.objects.filter(state=UserDataState.UPLOADED, said="", error="")
    for pk in list(unseen.filter(updated_at__lt=Now() - timedelta(seconds=UNSEEN_S)).values_list("pk", flat=True)[:AT_ONCE]):
        engine.wake(EXAMINE, pk)
        woken += 1
    return woken


@engine.cleaner(every_s=3600)
def remove_old_files() -> int:
    """Delete runs that ended USER_DATA_KEEP_DAYS days ago, with their files. Returns how many."""
    old = UserDataRun.objects.filter(updated_at__lt=Now() - timedelta(days=settings.USER_DATA_KEEP_DAYS))
    removed = 0
    for run in list(old.exclude(state__in=sorted(LIVE))[:500]):
        files.remove(run.file)
        removed += UserDataRun.objects.filter(pk=run.pk, updated_at=run.updated_at).delete()[0]
    return removed
