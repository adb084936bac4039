"""Search within a project. Ids and names through an index; text by reading the newest jobs, for a bounded time.

A text is found however JSON writes it (gs2admin.json_text): the stored bytes are searched, so nothing has to be kept beside
them, and rows of any age are found alike.
"""
from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Max, Q, QuerySet

from gs2admin import json_text
from gs2admin.db.raw import vendor
from gs2admin.identity.models import Project
from gs2admin.text import starts_with, storable
from jobqueue.models import Job, JobResult, Namespace, Queue
from jobqueue.states import JobState

# Jobs are read in portions: a few at first, because each may hold megabytes, then more as long as that is quick.
FIRST, MOST, QUICK_S = 64, 8_192, 0.006
# A page with its own queries takes less than 50 ms then.
READ_S = 0.02
HITS = 50
ARGUMENTS, RESULT, OUTPUT = "arguments", "result", "printed lines"


@dataclass
class Found:
    """jobs: newest first, each with found_in: where the text stands. read: how many jobs were read. further: the next search
    begins before this id; None at the end."""

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


def holds(column: str, text: str) -> Q:
    """Rows whose column holds the text as it is written here, or as JSON may write it.

    Letters of ASCII in the other case fit on SQLite, and not on PostgreSQL.
    """
    sqlite = vendor() == "sqlite"
    found = Q()
    for form in dict.fromkeys((text, json_text.compact(text))):
        read = json_text.read_string(form)
        # Most rows need no look but these: the text itself is not there, and nothing that could be it.
        for plain in dict.fromkeys((form, read)):
            if storable(plain):
                found |= Q(**{f"{column}__contains": plain})
        escaped = Q(**{f"{column}__contains": "\\"})
        # PostgreSQL's expressions are as quick as its LIKE, which heeds the case of the digits.
        for pair in json_text.needles(read) if sqlite else ():
            escaped &= Q(*((f"{column}__contains", each) for each in pair), _connector=Q.OR)
        expression = json_text.pattern(form)
        found |= escaped & Q(**{f"{column}__regex": f"(?ai){expression}" if sqlite else expression})
    return found


def jobs(project: Project, *, user: str = "", script: str = "", text: str = "", before: int | None = None) -> Found:
    """Jobs of that player, of that script, with that text in what went in or came out, read from the newest on in portions.

    Ends after HITS jobs, or after READ_S seconds; `further` says where to go on.
    """
    ends = time.monotonic() + READ_S
    size = FIRST
    found = Found()
    places: dict[int, list[str]] = {}
    portions = _of_player(project, user, before) if user else _of_all(before)
    next(portions)
    while True:
        began = time.monotonic()
        try:
            ids = portions.send(size)
        except StopIteration:
            break
        here = _places(project, ids, script=script, text=text)
        newest = sorted(here, reverse=True)[: HITS - len(places)]
        places |= {pk: here[pk] for pk in newest}
        full = len(places) >= HITS
        stopped = newest[-1] if full else ids[0]
        found.read += len(ids) - bisect_left(ids, stopped)
        now = time.monotonic()
        if stopped > 1 and (full or now > ends):
            found.further = stopped
            break
        size = min(size * 4, MOST) if now - began < QUICK_S else max(size // 4, FIRST)
    rows = Job.objects.filter(pk__in=list(places)).order_by("-pk").select_related("queue__namespace").defer("args")
    found.jobs = list(rows)
    for job in found.jobs:
        job.found_in = places[job.pk]
    return found


def _places(project: Project, ids: range | list[int], *, script: str, text: str) -> dict[int, list[str]]:
    """The newest HITS of these jobs that fit: {id: where the text stands}."""
    window = lambda name: (  # noqa: E731
        Q(**{f"{name}__in": ids}) if isinstance(ids, list) else Q(**{f"{name}__gte": ids[0], f"{name}__lte": ids[-1]}))
    rows = Job.objects.filter(window("pk"), queue__namespace__project=project)
    ended = JobResult.objects.filter(window("job_id"), job__queue__namespace__project=project)
    if script:
        rows, ended = rows.filter(script_id=script), ended.filter(job__script_id=script)
    if not text:
        return {pk: [] for pk in _newest(rows, "pk")}
    here: dict[int, list[str]] = {pk: [ARGUMENTS] for pk in _newest(rows.filter(holds("args", text)), "pk")}
    in_result, in_output = holds("result", text), holds("output", text)
    ended = ended.filter(in_result | in_output).annotate(
        in_result=ExpressionWrapper(in_result, BooleanField()), in_output=ExpressionWrapper(in_output, BooleanField()),
    )
    # A job may have as many results as it has tries; each is read by its own row.
    for pk, result, output in ended.order_by("-job_id").values_list("job_id", "in_result", "in_output")[: HITS * 100]:
        found = here.setdefault(pk, [])
        found += [place for place, fits in ((RESULT, result), (OUTPUT, output)) if fits and place not in found]
    return here


def _newest(rows: QuerySet, name: str) -> list[int]:
    return list(rows.order_by(f"-{name}").values_list(name, flat=True)[:HITS])


def _of_all(before: int | None) -> Iterator[range]:
    """The ids of all jobs, the newest first, in windows of the size that is sent."""
    newest = Job.objects.aggregate(last=Max("pk"))["last"] or 0
    at = min(before, newest + 1) if before is not None else newest + 1
    ids: range | None = None
    while True:
        size = yield ids
        if at <= 1:
            return
        low = max(at - size, 1)
        ids, at = range(low, at), low


def _of_player(project: Project, user: str, before: int | None) -> Iterator[list[int]]:
    """The ids of one player's jobs, the newest first, as many as is sent; from the beginning of each queue's index."""
    queues = list(Queue.objects.filter(namespace__project=project, user_id=user).values_list("pk", flat=True))
    ids: list[int] | None = None
    size = yield ids
    while True:
        ids = []
        for queue, state in product(queues, JobState):
            rows = Job.objects.filter(queue_id=queue, state=state)
            if before is not None:
                rows = rows.filter(pk__lt=before)
            ids += rows.order_by("-pk").values_list("pk", flat=True)[:size]
        if not ids:
            return
        whole = len(ids) < size  # no state had more than it gave
        ids = sorted(ids)[-size:]
        before = ids[0]
        size = yield ids
        if whole:
            return
