"""One player's jobs through all namespaces of a project: a fixed number of queries, each list from the head of an index."""
from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from gs2admin.db.batched import rows_of_each, rows_per
from gs2admin.identity.models import Project
from gs2admin.text import starts_with
from jobqueue.models import GivenUp, Job, Namespace, Queue, Script, ScriptNamespace
from jobqueue.states import NOBODY, JobState

# A player has one queue per namespace; beyond so many only the first are shown.
QUEUES = 200
SHORTEST_NAME = 8


class Work(NamedTuple):
    """A player's queue. waiting: jobs in it; head_tries: failed tries of the job at its head."""

    namespace: str
    waiting: int
    head_tries: int


class KnownPlayer(NamedTuple):
    """A player with the queues of that player."""

    user_id: str
    queues: list[Work]


def queues_of(project: Project, user_id: str) -> list[Queue]:
    """The player's queues with their namespaces: those whose head fails first, then those with work, then by name."""
    rows = Queue.objects.filter(user_id=user_id, namespace__project=project).select_related("namespace")
    found = sorted(rows.order_by("namespace__name")[:QUEUES], key=lambda row: (not row.head_tries, row.waiting <= 0))
    for row in found:
        row.namespace.project = project
    return found


def running_in(queues: Sequence[Queue]) -> dict[int, Job]:
    """{queue id: the job that runs}"""
    rows = Job.objects.filter(queue_id__in=[row.pk for row in queues], state=JobState.RUNNING)
    return {job.queue_id: job for job in rows.defer("args")}


def lines_of(queues: Sequence[Queue], *, each: int) -> dict[int, list[Job]]:
    """{queue id: its first `each` waiting jobs in order}, without arguments; two queries."""
    ids = rows_of_each(
        Job.objects.filter(queue_id=row.pk, state=JobState.WAITING).order_by("pk").values_list("pk")[:each] for row in queues
    )
    found: dict[int, list[Job]] = {row.pk: [] for row in queues}
    for job in Job.objects.filter(pk__in=[pk for (pk,) in ids]).order_by("pk").defer("args"):
        found[job.queue_id].append(job)
    return found


def past_of(queues: Sequence[Queue], *, before: int | None = None, limit: int) -> list[Job]:
    """Jobs that left the queues, the one pushed last first; two queries."""
    lists = []
    for row in queues:
        for state in (JobState.DONE, JobState.GIVEN_UP):
            rows = Job.objects.filter(queue_id=row.pk, state=state)
            lists.append((rows.filter(pk__lt=before) if before is not None else rows).order_by("-pk").values_list("pk")[:limit])
    ids = sorted((pk for (pk,) in rows_of_each(lists)), reverse=True)[:limit]
    return list(Job.objects.filter(pk__in=ids).order_by("-pk").select_related("queue__namespace").defer("args"))


def given_up_of(queues: Sequence[Queue], *, before: int | None = None, limit: int) -> list[GivenUp]:
    """Lines of given-up jobs, the newest first; two queries."""
    lists = []
    for row in queues:
        rows = GivenUp.objects.filter(namespace_id=row.namespace_id, user_id=row.user_id)
        lists.append((rows.filter(pk__lt=before) if before is not None else rows).order_by("-pk").values_list("pk")[:limit])
    ids = sorted((pk for (pk,) in rows_of_each(lists)), reverse=True)[:limit]
    rows = GivenUp.objects.filter(pk__in=ids).order_by("-pk").select_related("job", "namespace").defer("job__args")
    return list(rows)


def players_by_id(project: Project, *, start: str = "", after: str = "", limit: int) -> list[KnownPlayer]:
    """Players by id with their queues, at most `limit`. Rows that an import or an erasure has set aside are left out."""
    names = dict(Namespace.objects.filter(project=project).order_by("name").values_list("pk", "name"))

    def users(pk: int) -> QuerySet:
        rows = Queue.objects.filter(namespace_id=pk).exclude(user_id__startswith=NOBODY)
        rows = rows.filter(starts_with("user_id", start)) if start else rows
        rows = rows.filter(user_id__gt=after) if after else rows
        return rows.order_by("user_id").values_list("user_id", "namespace_id", "waiting", "head_tries")[:limit]

    found: dict[str, list[Work]] = {}
    for user_id, namespace_id, waiting, tries in rows_per(names, users):
        found.setdefault(user_id, []).append(Work(names[namespace_id], max(0, waiting), tries))
    return [KnownPlayer(*each) for each in sorted(found.items())[:limit]]


def jobs_named(project: Project, text: str, *, limit: int) -> list[Job]:
    """Jobs whose name is the text, or begins with it when that is at least SHORTEST_NAME of its digits."""
    digits = text.strip().lower().replace("-", "")
    if not SHORTEST_NAME <= len(digits) <= 32 or set(digits) - set("0123456789abcdef"):
        return []
    low, high = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    rows = Job.objects.filter(name__gte=low, name__lte=high, queue__namespace__project=project)
    return list(rows.order_by("name").select_related("queue__namespace").defer("args")[:limit])


def scripts_named(project: Project, text: str, *, limit: int) -> list[Script]:
    """Scripts whose name begins with the text; without their sources."""
    namespaces = list(ScriptNamespace.objects.filter(project=project).values_list("pk", flat=True))
    ids = rows_per(
        namespaces,
        lambda pk: Script.objects.filter(starts_with("name", text), namespace_id=pk).order_by("name").values_list("pk")[:limit],
    )
    rows = Script.objects.filter(pk__in=[pk for (pk,) in ids]).select_related("namespace").defer("source")
    return list(rows.order_by("name", "pk")[:limit])
