"""What job queues add to a player's page: waiting jobs, the one at the head, what was, what was given up."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from gs2admin.dashboard.player import Action, Part, Revision, action, address, fact, part
from gs2admin.dashboard.posting import number_of
from gs2admin.identity.models import Project
from jobqueue.models import Queue
from jobqueue.pages.pretty import shown
from jobqueue.pages.views.common import rights
from jobqueue.pages.views.head import head_of
from jobqueue.reads import everywhere
from jobqueue.reads.players import last_results
from jobqueue.templatetags.jobs import player_url
from jobqueue.words import RETRYING

EACH, TABLES = 5, 6
PAST, LONG = 10, 50
BODY = 2_000


def _revision(project: Project, user_id: str) -> Revision:
    rows = Queue.objects.filter(user_id=user_id, namespace__project=project).order_by("pk")
    facts = ("pk", "rev", "waiting", "namespace__enable_auto_run", "next_at", "namespace__paused_at")
    found = list(rows.values_list(*facts)[: everywhere.QUEUES])
    running = [(job.pk, job.try_count) for job in everywhere.running_in([Queue(pk=pk) for pk, *_ in found]).values()]
    busy = bool(running) or any(
        waiting > 0 and auto and not next_at and not paused for _, _, waiting, auto, next_at, paused in found
    )
    return Revision((found, sorted(running)), busy)


@fact
def waiting(project: Project, user_id: str) -> list[str]:
    """How many jobs wait, and whether something keeps failing."""
    rows = Queue.objects.filter(user_id=user_id, namespace__project=project, waiting__gt=0)
    found = list(rows.values_list("waiting", "head_tries"))
    count, failing = sum(each for each, _ in found), sum(1 for _, tries in found if tries)
    words = [f"{count:,} job{'' if count == 1 else 's'} waiting"] if count else []
    return words + ([f"{failing} queue{'' if failing == 1 else 's'} {RETRYING.inside}"] if failing else [])


def queues(request: HttpRequest, project: Project, user_id: str) -> dict[str, Any]:
    """A table per queue with work, and the job at the head of the first."""
    found = everywhere.queues_of(project, user_id)
    running = everywhere.running_in(found)
    busy = [row for row in found if row.waiting > 0 or row.pk in running]
    lines = everywhere.lines_of(busy[:TABLES], each=EACH)
    boxes = []
    for row in busy[:TABLES]:
        jobs = ([running[row.pk]] if row.pk in running else []) + lines[row.pk]
        boxes.append((row, jobs[:EACH], max(0, row.waiting - EACH)))
    results = last_results([job for _, jobs, _ in boxes for job in jobs])
    first = next((jobs[0] for _, jobs, _ in boxes if jobs), None)
    where = {"project": project}
    return {
        "boxes": [
            {"queue": row, "namespace": row.namespace, "running": running.get(row.pk), "rest": rest,
             "line": [(place, job, results.get(job.pk)) for place, job in enumerate(jobs, 1)],
             "all": player_url(where, row.namespace.name, user_id)}
            for row, jobs, rest in boxes
        ],
        "others": [(row, player_url(where, row.namespace.name, user_id)) for row in busy[TABLES:]],
        "idle": [(row, player_url(where, row.namespace.name, user_id)) for row in found if row not in busy],
        **head_of(first), **rights(request, project, "job.run", "job.delete"),
    }


def past(request: HttpRequest, project: Project, user_id: str) -> dict[str, Any]:
    """Jobs that left the queues with the status and the body of their last attempt."""
    alone = not request.htmx
    limit, before = (LONG if alone else PAST), number_of(request) if alone else None
    rows = everywhere.past_of(everywhere.queues_of(project, user_id), before=before, limit=limit + 1)
    results = last_results(rows[:limit], snippet=BODY)
    here = lambda **words: address(project, user_id, "player-part", part="past", **words)  # noqa: E731
    return {
        "rows": [(job, result, shown(result.snippet, result.size) if result else None)
                 for job in rows[:limit] for result in [results.get(job.pk)]],
        "older": here(before=rows[limit - 1].pk) if len(rows) > limit else "", "newer": here() if before is not None else "",
        **rights(request, project, "job.replay"),
    }  # fmt: skip


def given_up(request: HttpRequest, project: Project, user_id: str) -> dict[str, Any]:
    """Jobs that failed for good."""
    alone = not request.htmx
    limit, before = (LONG if alone else PAST), number_of(request) if alone else None
    rows = everywhere.given_up_of(everywhere.queues_of(project, user_id), before=before, limit=limit + 1)
    here = lambda **words: address(project, user_id, "player-part", part="given-up", **words)  # noqa: E731
    return {
        "lines": rows[:limit], "older": here(before=rows[limit - 1].pk) if len(rows) > limit else "",
        "newer": here() if before is not None else "", **rights(request, project, "job.replay"),
    }  # fmt: skip


part(Part("queues", "Queues and waiting jobs", "jobqueue/_part_queues.html", queues, 10, _revision))
part(Part("given-up", "Given-up jobs", "jobqueue/_part_given_up.html", given_up, 20, _revision))
part(Part("past", "Finished jobs", "jobqueue/_part_past.html", past, 30, _revision))
action(Action("Find in jobs…", "search", "queues-search", "project.view", "find"))
