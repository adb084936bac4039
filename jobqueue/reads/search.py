"""Search within a project. Ids and names through an index; text by reading the newest jobs, for a bounded time."""
from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from uuid import UUID

from django.db.models import Max, Q

from gs2admin.identity.models import Project
from gs2admin.text import starts_with
from jobqueue.models import Job, Namespace, Queue
from jobqueue.states import JobState

CHUNK = 1_000
READ_S = 0.3
HITS = 50


@dataclass
class Found:
    """jobs: newest first. read: how many jobs were read. further: the next search begins before this id; None at the end."""

    jobs: list[Job] = field(default_factory=list)
    read: int = 0
    further: int | None = None


def players(project: Project, user: str, *, limit: int) -> list[Queue]:
    """Queues of players whose id starts with `user`, the exact one first."""
    namespaces = {row.pk: row for row in Namespace.objects.filter(project=project)}
    rows = Queue.objects.filter(namespace_id__in=list(namespaces))
    exact = list(rows.filter(user_id=user)[:limit])
    others = list(rows.filter(starts_with("user_id", user)).exclude(user_id=user).order_by("user_id")[: limit - len(exact)])
    for row in (found := exact + others):
        row.namespace = namespaces[row.namespace_id]
    return found


def job_named(project: Project, text: str) -> Job | None:
    """The job whose name is the text; None when there is none."""
    try:
        name = UUID(text.strip())
    except ValueError:
        return None
    rows = Job.objects.filter(name=name, queue__namespace__project=project)
    return rows.select_related("queue__namespace").defer("args").first()


def jobs(project: Project, *, user: str = "", script: str = "", text: str = "", before: int | None = None) -> Found:
    """Jobs of that player, of that script, with that text in their arguments, read from the newest on, CHUNK at a time.

    Ends after HITS jobs, or after READ_S seconds; `further` says where to go on.
    """
    ends = time.monotonic() + READ_S
    rows = Job.objects.filter(queue__namespace__project=project)
    if script:
        rows = rows.filter(script_id=script)
    if text:
        rows = rows.filter(args__contains=text)
    found = Found()
    for ids in _of_player(project, user, before) if user else _of_all(before):
        window = Q(pk__in=ids) if isinstance(ids, list) else Q(pk__gte=ids[0], pk__lte=ids[-1])
        hits = rows.filter(window).order_by("-pk").select_related("queue__namespace").defer("args")
        found.jobs += hits[: HITS - len(found.jobs)]
        full = len(found.jobs) >= HITS
        stopped = found.jobs[-1].pk if full else ids[0]
        found.read += len(ids) - bisect_left(ids, stopped)
        if stopped > 1 and (full or time.monotonic() > ends):
            found.further = stopped
            break
    return found


def _of_all(before: int | None) -> Iterator[range]:
    """The ids of all jobs in windows of CHUNK, the newest first."""
    newest = Job.objects.aggregate(last=Max("pk"))["last"] or 0
    at = min(before, newest + 1) if before is not None else newest + 1
    while at > 1:
        low = max(at - CHUNK, 1)
        yield range(low, at)
        at = low


def _of_player(project: Project, user: str, before: int | None) -> Iterator[list[int]]:
    """The ids of one player's jobs, CHUNK at a time, the newest first; from the beginning of each queue's index."""
    queues = list(Queue.objects.filter(namespace__project=project, user_id=user).values_list("pk", flat=True))
    while True:
        ids: list[int] = []
        for queue, state in product(queues, JobState):
            rows = Job.objects.filter(queue_id=queue, state=state)
            if before is not None:
                rows = rows.filter(pk__lt=before)
            ids += rows.order_by("-pk").values_list("pk", flat=True)[:CHUNK]
        if ids:
            yield sorted(ids)[-CHUNK:]
        if len(ids) < CHUNK:
            return  # no state had more than it gave
        before = sorted(ids)[-CHUNK:][0]
