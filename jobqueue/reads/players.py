"""Players with work in a namespace, and one player's queue."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from django.db import models
from django.db.models import BooleanField, Q, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Length, Substr

from gs2admin.db.portions import Portion, fitting
from gs2admin.text import from_there
from jobqueue import words
from jobqueue.models import GivenUp, Job, JobResult, Namespace, Queue
from jobqueue.states import JobState

SNIPPET = 300
# So many queues with work are few.
FEW = 500


class Shown(models.TextChoices):
    """Which players a list shows; the values stand in addresses."""

    ANY = "", "Any"
    RETRYING = "retrying", words.RETRYING.label
    RUNNING = "running", words.JOB[JobState.RUNNING].label


class Place(NamedTuple):
    """Where a list of players goes on. head_at: of the last queue seen, as the database writes it; id: of that queue."""

    head_at: str
    id: int


@dataclass(frozen=True)
class PlayerRow:
    """One player with work. given_up: not replayed yet."""

    queue: Queue
    waiting: int
    running: int
    given_up: int


def with_work(
    namespace: Namespace, *, busy: list[int], user: str = "", state: str = Shown.ANY, after: Place | None = None,
    after_user: str = "", limit: int,
) -> Portion:
    """Queues with work, who waits longest first; with `user`, those whose id starts with it, in order of ids, read for a
    bounded time.

    after: the place of the last row seen; SQLite compares moments as text, and writes the same moment with three digits or
    with six. after_user: its user id, where the list is in order of ids. busy: `running_queues()`. state: a Shown.
    """
    every = Queue.objects.filter(namespace=namespace)
    shown = {Shown.RUNNING: Q(pk__in=busy), Shown.RETRYING: Q(head_tries__gt=0)}.get(state, Q(waiting__gt=0))
    rows = every.filter(shown)
    if user:
        # Few of many players may have work, or many: either the ones with work are read whole, or the ones called so in portions.
        few = list(rows.order_by("head_at", "pk").values_list("pk", flat=True)[: FEW + 1])
        listed, fits = (every.filter(pk__in=few), Q()) if len(few) <= FEW else (every, shown)
        listed = listed.filter(from_there("user_id", user))
        return fitting(listed, fits, key=("user_id",), start=user, after=(after_user,) if after_user else None, limit=limit)
    if after:
        beyond = "(jobqueue_queue.head_at, jobqueue_queue.id) > (%s, %s)"
        rows = rows.filter(RawSQL(beyond, after, output_field=BooleanField()))
    return Portion(list(rows.annotate(place=Cast("head_at", TextField())).order_by("head_at", "pk")[:limit]))


def rows_of(namespace: Namespace, queues: list[Queue], busy: list[int]) -> list[PlayerRow]:
    """The queues with what runs and what was given up; one query. busy: `running_queues()`."""
    running = Counter(busy)
    lines = GivenUp.objects.filter(
        namespace=namespace, user_id__in=[row.user_id for row in queues], replayed_at=None
    ).order_by()
    given_up = Counter(lines.values_list("user_id", flat=True)[:5000])
    return [
        PlayerRow(row, max(0, row.waiting - running[row.pk]), running[row.pk], given_up[row.user_id]) for row in queues
    ]


def waiting(queue: Queue, *, after: int = 0, limit: int) -> list[Job]:
    """Waiting jobs in the order in which they run, without their arguments."""
    rows = Job.objects.filter(queue=queue, state=JobState.WAITING)
    if after:
        rows = rows.filter(pk__gt=after)
    return list(_whole(rows.order_by("pk"), limit).order_by("pk"))


def _whole(rows: QuerySet[Job], limit: int) -> QuerySet[Job]:
    """The first `limit` rows, without their arguments; the ids come from the index job_of_queue alone.

    In one query for whole rows, PostgreSQL may read the jobs of all players from a given id on.
    """
    return Job.objects.filter(pk__in=rows.values("pk")[:limit]).defer("args")


def running(queue: Queue) -> Job | None:
    """The job that runs now."""
    return Job.objects.filter(queue=queue, state=JobState.RUNNING).defer("args").first()


def past(queue: Queue, *, before: int | None = None, limit: int) -> list[Job]:
    """Jobs that left the queue, the one pushed last first; two queries, each from the end of an index."""
    found: list[Job] = []
    for state in (JobState.DONE, JobState.GIVEN_UP):
        rows = Job.objects.filter(queue=queue, state=state)
        if before is not None:
            rows = rows.filter(pk__lt=before)
        found += _whole(rows.order_by("-pk"), limit)
    return sorted(found, key=lambda job: -job.pk)[:limit]


def last_results(jobs: list[Job], *, snippet: int = SNIPPET) -> dict[int, JobResult]:
    """The newest result of each job, with the beginning of its body as `snippet` and its length as `size`."""
    # The attempt that runs has no result yet; the one before it does.
    wanted = [
        Q(job_id=job.pk, try_number=job.try_count - (2 if job.state == JobState.RUNNING else 1))
        for job in jobs if job.try_count > (job.state == JobState.RUNNING)
    ]
    if not wanted:
        return {}
    rows = JobResult.objects.filter(Q(*wanted, _connector=Q.OR)).order_by().defer("result", "output")
    return {row.job_id: row for row in rows.annotate(snippet=Substr("result", 1, snippet), size=Length("result"))}
