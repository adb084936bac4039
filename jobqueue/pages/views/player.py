"""One player's queue in a namespace: the job at its head, what waits behind it, what was."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gs2admin.audit.models import Activity
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.polling import BUSY_MS, CALM_MS, cursor_of, is_present, live_answer
from gs2admin.dashboard.posting import number_of
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from jobqueue.models import Job, Queue
from jobqueue.pages.views.common import crumbs, namespace_of, player_of, queue_of, rights
from jobqueue.pages.views.head import head_of
from jobqueue.reads import players
from jobqueue.states import JobState
from jobqueue.templatetags.jobs import player_url

PAGE = 30
PAST = 20
MINE = ("job.run", "job.delete", "job.replay", "job.push")


@require_GET
@project_page()
def player(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """The page; places in its two lists are in the address."""
    row = namespace_of(project, namespace)
    queue = queue_of(row, player_of(request))
    context = _parts(request, project, queue)
    return render(request, "jobqueue/player.html", {
        **context, "crumbs": crumbs(project, (row.name, ""), (queue.user_id, "")),
        "staff": _staff(request, project, queue, context),
    })


@require_GET
@project_page()
def live(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """What moved since the reader's cursor: one query while nothing did."""
    row = namespace_of(project, namespace)
    queue = queue_of(row, player_of(request))
    cursor = _cursor(queue)
    if is_present(request, cursor):
        return live_answer(request, "", cursor, {})
    return live_answer(request, "jobqueue/_player_live.html", cursor, _parts(request, project, queue))


def _cursor(queue: Queue) -> str:
    """Changes with the queue's revision and with the attempt that runs."""
    running = Job.objects.filter(queue=queue, state=JobState.RUNNING).values_list("pk", "try_count").first()
    return cursor_of(queue.rev, running, queue.namespace.paused_at)


def _parts(request: HttpRequest, project: Project, queue: Queue) -> dict[str, Any]:
    after, before = number_of(request, "after_job"), number_of(request)
    start = number_of(request, "start") or 0
    running = players.running(queue)
    cursor = cursor_of(queue.rev, (running.pk, running.try_count) if running else None, queue.namespace.paused_at)
    waiting = players.waiting(queue, after=after or 0, limit=PAGE + 1)
    line = ([running] if running and not after else []) + waiting[:PAGE]
    past = players.past(queue, before=before, limit=PAST + 1)
    results = players.last_results(line + past[:PAST])
    by_itself = queue.namespace.enable_auto_run and not queue.namespace.paused_at
    busy = by_itself and (queue.waiting > 0 and (running or not queue.next_at)) or running
    context = {"project": project}
    where = lambda **words: player_url(context, queue.namespace.name, queue.user_id, **words)  # noqa: E731
    return {
        "namespace": queue.namespace, "queue": queue, "cursor": cursor, "running": running,
        "line": [(place, job, results.get(job.pk)) for place, job in enumerate(line, start + 1)],
        "past": [(job, results.get(job.pk)) for job in past[:PAST]],
        **head_of(line[0] if line and not after else None),
        "next": where(after_job=line[-1].pk, start=start + len(line)) if len(waiting) > PAGE else "",
        "first": where() if after else "",
        "older": where(before=past[PAST - 1].pk) if len(past) > PAST else "",
        "newer": where() if before is not None else "",
        "here": where(), "every": BUSY_MS if busy else CALM_MS,
        "still": not (running or line or queue.waiting > 0),
        "live_url": where(name="queues-user-live", after_job=after, start=start, before=before),
        **rights(request, project, *MINE),
    }


def _staff(request: HttpRequest, project: Project, queue: Queue, parts: dict[str, Any]) -> list[Activity]:
    """What people did to this queue and to the jobs of this page, newest first."""
    if not can(request.actor, "activity.view", project):
        return []
    rows = Activity.objects.filter(project=project, object_type="queue", object_id=str(queue.pk)).order_by("-id")[:5]
    jobs = [str(job.pk) for _, job, _ in parts["line"]] + [str(job.pk) for job, _ in parts["past"]]
    of_jobs = Activity.objects.filter(project=project, object_type="job", object_id__in=jobs).order_by("-id")[:5]
    return sorted([*rows, *of_jobs], key=lambda line: -line.pk)[:5]
