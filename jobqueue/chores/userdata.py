"""Dumps, cleans and imports of players' data: those that no worker goes on with, and those that are old."""
from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from gs2admin import engine
from jobqueue.models import UserDataRun
from jobqueue.states import LIVE, UserDataState
from jobqueue.userdata import files
from jobqueue.userdata.runs import EXAMINE, PERFORM, waiting

UNCLAIMED_S = 5
# A look at an uploaded file takes 10 s of processor time at most.
UNSEEN_S = 90
AT_ONCE = 100


def _unseen() -> QuerySet:
    rows = UserDataRun.objects.filter(state=UserDataState.UPLOADED, said="", error="")
    return rows.filter(updated_at__lt=Now() - timedelta(seconds=UNSEEN_S))


def _due() -> list[QuerySet]:
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    lost = UserDataRun.objects.filter(free, state__in=sorted(LIVE), updated_at__lt=Now() - timedelta(seconds=UNCLAIMED_S))
    return [rows.order_by().values(at=Now())[:1] for rows in (lost, _unseen())]


@engine.sweeper(due=_due)
def wake_runs() -> int:
    """Wake runs that no worker has a lease of, those of each project in turns, and looks at uploads that nobody took.

    The oldest first. Returns how many.
    """
    lost = waiting(updated_at__lt=Now() - timedelta(seconds=UNCLAIMED_S))[:AT_ONCE]
    for pk in lost:
        engine.wake(PERFORM, pk)
    late = list(_unseen().values_list("pk", flat=True)[:AT_ONCE])
    for pk in late:
        engine.wake(EXAMINE, pk)
    return len(lost) + len(late)


@engine.cleaner(every_s=3600)
def remove_old_files() -> int:
    """Delete runs that ended USER_DATA_KEEP_DAYS days ago, with their files. Returns how many."""
    old = UserDataRun.objects.filter(updated_at__lt=Now() - timedelta(days=settings.USER_DATA_KEEP_DAYS))
    removed = 0
    for run in list(old.exclude(state__in=sorted(LIVE))[:500]):
        files.remove(run.file)
        removed += UserDataRun.objects.filter(pk=run.pk, updated_at=run.updated_at).delete()[0]
    return removed
