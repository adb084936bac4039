"""The jobs of one player in one namespace, as GS2 methods list them. Each query begins at an index of the player's queue."""
from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet, Sum, Value
from django.db.models.functions import Coalesce, Length

from jobqueue.models import Job, JobResult, Namespace, Queue
from jobqueue.states import QUEUED, JobState

# How many characters a row holds, for pages that must stay small.
SIZE_OF_JOB = Length("args")
SIZE_WITH_RESULTS = Length("args") + Coalesce(Sum(Length("results__result")), Value(0))


def jobs_of(namespace: Namespace, user_id: str) -> QuerySet[Job]:
    """All jobs of a player, in any state."""
    queue_id = Queue.objects.filter(namespace=namespace, user_id=user_id).values_list("pk", flat=True).first()
    return Job.objects.filter(queue_id=queue_id) if queue_id else Job.objects.none()


def queued(namespace: Namespace, user_id: str) -> QuerySet[Job]:
    """Jobs that wait or run; their ids are in the order in which they run."""
    return jobs_of(namespace, user_id).filter(state__in=sorted(QUEUED))


def queued_after(namespace: Namespace, user_id: str, *, after: int | None, limit: int) -> QuerySet[Job]:
    """The next `limit` jobs that wait or run, and one more where there is one.

    One query per state: the index has each in its order, while both together would be sorted whole.
    """
    rows = jobs_of(namespace, user_id)
    ids: list[int] = []
    for state in (JobState.RUNNING, JobState.WAITING):
        ids += rows.filter(state=state, pk__gt=after or 0).order_by("pk").values_list("pk", flat=True)[: limit + 1]
    # Filtered by state again: a job may have ended meanwhile.
    return Job.objects.filter(pk__in=sorted(ids)[: limit + 1], state__in=sorted(QUEUED))


def given_up(namespace: Namespace, user_id: str) -> QuerySet[Job]:
    """Jobs that were given up and not deleted yet."""
    return jobs_of(namespace, user_id).filter(state=JobState.GIVEN_UP)


def named(jobs: QuerySet[Job], name: str) -> Job | None:
    """The job of that name; None also when the name is no UUID."""
    try:
        key = UUID(name)
    except ValueError:
        return None
    return jobs.filter(name=key).first() if str(key) == name.lower() else None


def result_of(job: Job, try_number: int | None) -> JobResult | None:
    """The result of one attempt; of the newest when try_number is None. try_number: 0 is the first."""
    rows = JobResult.objects.filter(job=job)
    return rows.filter(try_number=try_number).first() if try_number is not None else rows.order_by("-try_number").first()
