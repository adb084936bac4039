"""Search within a project. Ids and names through an index; text by reading the newest jobs, for a bounded time."""
from __future__ import annotations

import time
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Max

from gs2admin.identity.models import Project
from gs2admin.text import begins
from jobqueue.models import Job, Namespace, Queue

CHUNK = 1_000
READ_S = 0.3
HITS = 50


@dataclass
class Found:
    """jobs: newest first. read: how many jobs were looked at; further: look on before this id, None at the end."""

    jobs: list[Job] = field(default_factory=list)
    read: int = 0
    further: int | None = None


def players(project: Project, user: str, *, limit: int) -> list[Queue]:
    """Queues whose player's id begins so, the exact one first."""
    spaces = {row.pk: row for row in Namespace.objects.filter(project=project)}
    rows = Queue.objects.filter(namespace_id__in=list(spaces))
    exact = list(rows.filter(user_id=user)[:limit])
    others = list(rows.filter(begins("user_id", user)).exclude(user_id=user).order_by("user_id")[: limit - len(exact)])
    for row in (found := exact + others):
        row.namespace = spaces[row.namespace_id]
    return found


def job_named(project: Project, text: str) -> Job | None:
    """The job of that name, if the text is one."""
    try:
        name = UUID(text.strip())
    except ValueError:
        return None
    rows = Job.objects.filter(name=name, queue__namespace__project=project)
    return rows.select_related("queue__namespace").defer("args").first()


def jobs(project: Project, *, user: str = "", script: str = "", text: str = "", before: int | None = None) -> Found:
    """Jobs of that player, of that script, with that text in their arguments, read from the newest on, CHUNK ids at a time.

    Ends at HITS jobs found, or when READ_S seconds have gone; `further` says where to go on.
    """
    ends = time.monotonic() + READ_S
    newest = Job.objects.aggregate(last=Max("pk"))["last"] or 0
    at = min(before, newest + 1) if before is not None else newest + 1
    rows = Job.objects.filter(queue__namespace__project=project)
    if script:
        rows = rows.filter(script_id=script)
    if text:
        rows = rows.filter(args__contains=text)
    if user:
        rows = rows.filter(queue__user_id=user)
    found = Found()
    while at > 1:
        low = max(at - CHUNK, 1)
        hits = rows.filter(pk__gte=low, pk__lt=at).order_by("-pk").select_related("queue__namespace").defer("args")
        found.jobs += hits[: HITS - len(found.jobs)]
        full = len(found.jobs) >= HITS
        stopped = found.jobs[-1].pk if full else low
        found.read += at - stopped
        at = stopped
        if at > 1 and (full or time.monotonic() > ends):
            found.further = at
            break
    return found
