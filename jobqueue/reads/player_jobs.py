"""The jobs of one player in one namespace, as GS2 methods list them. Each query begins at an index of the player's queue.

What is read for an answer is named by project, namespace and player in one statement (gs2admin/db/prepared.py). A namespace that
is not there reads as an empty one: whoever finds nothing asks for the namespace.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, F, OuterRef, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Length
from django.db.models.lookups import LessThanOrEqual

from gs2admin.db.columns import Milliseconds, UuidText
from gs2admin.db.prepared import MOST, Places, Prepared
from gs2admin.identity.models import Project
from jobqueue.models import Job, JobResult, Namespace, Queue
from jobqueue.states import QUEUED, JobState


class JobRow(NamedTuple):
    """What an answer says of a job. uuid: its name. Times are in Unix milliseconds."""

    id: int
    uuid: str
    script_id: str
    args: str
    state: str
    try_count: int
    max_try_count: int
    created_ms: int
    updated_ms: int


class ListedJob(NamedTuple):
    """The same in a list. size: of the arguments, in characters; small_args: they, unless they are longer than was asked for."""

    id: int
    uuid: str
    script_id: str
    small_args: str | None
    state: str
    try_count: int
    max_try_count: int
    created_ms: int
    updated_ms: int
    size: int

    def with_args(self, args: str) -> JobRow:
        """As a row of its own."""
        return JobRow(*self[:3], args, *self[4:9])


class GivenUpJob(NamedTuple):
    """A given-up job in a list. size: of its arguments and results; small_args: as of ListedJob."""

    id: int
    uuid: str
    script_id: str
    small_args: str | None
    created_ms: int
    updated_ms: int
    size: int


class Attempt(NamedTuple):
    """How an attempt ended, the first one with number 0."""

    try_number: int
    status_code: int
    result: str
    tried_ms: int


class ResultRow(NamedTuple):
    """How an attempt ended, with its job's uuid, script and arguments."""

    uuid: str
    script_id: str
    args: str
    try_number: int
    status_code: int
    result: str
    tried_ms: int


def _shown(jobs: QuerySet[Job]) -> QuerySet[Job]:
    return jobs.annotate(uuid=UuidText("name"), created_ms=Milliseconds("created_at"), updated_ms=Milliseconds("updated_at"))


def _queue(at: Places) -> QuerySet:
    rows = Queue.objects.filter(user_id=at.user_id, namespace__name=at.namespace, namespace__project_id=at.project)
    return rows.order_by().values("pk")[:1]


def _of_player(at: Places) -> QuerySet[Job]:
    return Job.objects.filter(queue_id=_queue(at)).order_by()


def _with_arguments(rows: QuerySet[Job], at: Places) -> QuerySet[Job]:
    return _shown(rows).annotate(small_args=Case(When(LessThanOrEqual(Length("args"), at.small), then=F("args"))))


def _listed(at: Places) -> list[QuerySet[Job]]:
    # One list per state: the index has each in its order, while both together would be sorted whole.
    rows = _with_arguments(_of_player(at), at).annotate(size=Length("args")).order_by("pk").filter(pk__gt=at.after)
    return [rows.filter(state=state)[:MOST] for state in (JobState.RUNNING, JobState.WAITING)]


def _given_up(at: Places) -> QuerySet[Job]:
    results = JobResult.objects.filter(job=OuterRef("pk")).order_by().values("job").annotate(all=Sum(Length("result")))
    rows = _with_arguments(_of_player(at), at).filter(state=JobState.GIVEN_UP)
    rows = rows.annotate(size=Length("args") + Coalesce(Subquery(results.values("all")), Value(0)))
    return rows.filter(name=at.name) if "name" in at else rows.filter(pk__gt=at.after).order_by("pk")[:MOST]


def _results(at: Places) -> QuerySet[JobResult]:
    rows = JobResult.objects.filter(job__name=at.name, job__queue_id=_queue(at))
    rows = rows.annotate(
        uuid=UuidText("job__name"), script_id=F("job__script_id"), args=F("job__args"), tried_ms=Milliseconds("tried_at")
    )
    return rows.filter(try_number=at.try_number).order_by() if "try_number" in at else rows.order_by("-try_number")[:1]


_QUEUED = Prepared(JobRow, lambda at: _shown(_of_player(at)).filter(name=at.name, state__in=sorted(QUEUED)))
_LISTED = Prepared(ListedJob, _listed)
_GIVEN_UP = Prepared(GivenUpJob, _given_up)
_RESULTS = Prepared(ResultRow, _results)


def queued_job(project: Project, namespace: str, user_id: str, name: str) -> JobRow | None:
    """The job of that name, while it waits or runs; None also when the name is no UUID."""
    key = _uuid(name)
    return key and _QUEUED.first(project=project.pk, namespace=namespace, user_id=user_id, name=key)


def queued_after(
    project: Project, namespace: str, user_id: str, *, after: int, limit: int, small: int
) -> list[ListedJob]:
    """The first `limit` jobs that wait or run with an id above `after`, and one more where there is one; by id, as they run.

    small: how long arguments may be that are read along, in characters.
    """
    whose: dict[str, Any] = {"project": project.pk, "namespace": namespace, "user_id": user_id}
    return sorted(_LISTED.rows(**whose, after=after, small=small, most=limit + 1))[: limit + 1]


def given_up_after(
    project: Project, namespace: str, user_id: str, *, after: int, limit: int, small: int
) -> list[GivenUpJob]:
    """As queued_after, of jobs that were given up and not deleted yet."""
    whose: dict[str, Any] = {"project": project.pk, "namespace": namespace, "user_id": user_id}
    return _GIVEN_UP.rows(**whose, after=after, small=small, most=limit + 1)


def given_up_job(project: Project, namespace: str, user_id: str, name: str) -> GivenUpJob | None:
    """One of them, with its arguments."""
    key = _uuid(name)
    return key and _GIVEN_UP.first(project=project.pk, namespace=namespace, user_id=user_id, name=key, small=MOST)


def arguments_of(jobs: Sequence[ListedJob | GivenUpJob]) -> dict[int, str]:
    """{id: arguments} of these jobs, which never change; without those that were deleted meanwhile."""
    large = [job.id for job in jobs if job.small_args is None]
    rest = dict(Job.objects.filter(pk__in=large).order_by().values_list("pk", "args")) if large else {}
    return rest | {job.id: job.small_args for job in jobs if job.small_args is not None}


def with_arguments(jobs: list[ListedJob]) -> list[JobRow]:
    """The jobs with all their arguments."""
    found = arguments_of(jobs)
    return [job.with_args(found[job.id]) for job in jobs if job.id in found]


def attempts_of(jobs: Sequence[GivenUpJob], *, most: int) -> dict[int, list[Attempt]]:
    """{id: its attempts, oldest first}. Of one job alone that holds more than `most` characters the newest that fit."""
    rows = JobResult.objects.filter(job_id__in=[job.id for job in jobs]).annotate(tried_ms=Milliseconds("tried_at"))
    columns = rows.order_by("-try_number").values_list("job_id", *Attempt._fields)
    found: dict[int, list[Attempt]] = {job.id: [] for job in jobs}
    left = most
    for job_id, *attempt in columns.iterator(chunk_size=4) if sum(job.size for job in jobs) > most else columns:
        left -= len(attempt[2])
        if left < 0 and found[job_id]:
            break
        found[job_id].insert(0, Attempt(*attempt))
    return found


def attempt(project: Project, namespace: str, user_id: str, name: str, try_number: int | None) -> ResultRow | None:
    """How one attempt of the job of that name ended, the newest when try_number is None. try_number: 0 is the first."""
    key = _uuid(name)
    whose: dict[str, Any] = {"project": project.pk, "namespace": namespace, "user_id": user_id, "name": key}
    if try_number is not None:
        whose["try_number"] = try_number
    return key and _RESULTS.first(**whose)


def jobs_of(namespace: Namespace, user_id: str) -> QuerySet[Job]:
    """All jobs of a player, in any state."""
    queue_id = Queue.objects.filter(namespace=namespace, user_id=user_id).values_list("pk", flat=True).first()
    return Job.objects.filter(queue_id=queue_id) if queue_id else Job.objects.none()


def queued(namespace: Namespace, user_id: str) -> QuerySet[Job]:
    """Jobs that wait or run; their ids are in the order in which they run."""
    return jobs_of(namespace, user_id).filter(state__in=sorted(QUEUED))


def given_up(namespace: Namespace, user_id: str) -> QuerySet[Job]:
    """Jobs that were given up and not deleted yet."""
    return jobs_of(namespace, user_id).filter(state=JobState.GIVEN_UP)


def named(jobs: QuerySet[Job], name: str) -> Job | None:
    """The job of that name; None also when the name is no UUID."""
    key = _uuid(name)
    return key and jobs.filter(name=key).first()


def _uuid(name: str) -> UUID | None:
    try:
        key = UUID(name)
    except ValueError:
        return None
    return key if str(key) == name.lower() else None
