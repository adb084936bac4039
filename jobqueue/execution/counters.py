"""What a queue's row says about its jobs, made from the jobs themselves."""
from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from jobqueue.models import Job, Queue
from jobqueue.states import QUEUED, JobState


class Counters(NamedTuple):
    """waiting: jobs not done yet, the running one included. head_at, head_tries: of the first waiting job (None and 0: none)."""

    waiting: int
    head_at: datetime | None
    head_tries: int


def recount(queue_id: int) -> tuple[Counters, Counters]:
    """Set waiting, head_at and head_tries from the jobs; returns them before and after. Call it in a transaction.

    Call it only with a new lease that has not finished a job, or while nobody has a lease: a holder subtracts what it has
    finished when it releases the queue. The queue's row is locked before the jobs are counted, so that a push is either
    seen here or adds itself afterwards.
    """
    rows = Queue.objects.filter(pk=queue_id)
    before = Counters(*rows.select_for_update().values_list(*Counters._fields).get())
    waiting = Job.objects.filter(queue_id=queue_id, state__in=sorted(QUEUED)).count()
    rows.update(waiting=waiting, rev=F("rev") + 1, **head())
    return before, Counters(*rows.values_list(*Counters._fields).get())


def head() -> dict[str, Any]:
    """Values for Queue.update(): head_at (None when nothing waits) and head_tries, of the first waiting job.

    The database computes them, so that head_at is written exactly as the job's created_at.
    """
    waiting = Job.objects.filter(queue_id=OuterRef("pk"), state=JobState.WAITING).order_by("id")
    return {
        "head_at": Subquery(waiting.values("created_at")[:1]),
        "head_tries": Coalesce(Subquery(waiting.values("try_count")[:1]), 0),
    }
