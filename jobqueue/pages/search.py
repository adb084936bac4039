"""What the search box finds of job queues: players, jobs by name, scripts."""
from __future__ import annotations

from django.urls import reverse

from gs2admin.dashboard.player import Known, lister
from gs2admin.dashboard.search import Hit, searcher
from gs2admin.identity.models import Project
from gs2admin.text import shortened
from jobqueue.reads import everywhere
from jobqueue.states import JobState
from jobqueue.templatetags.jobs import script_name
from jobqueue.words import JOB, retrying

NAMED = 3


@lister
def players(project: Project, start: str, after: str, limit: int) -> list[Known]:
    """Who has a queue in any namespace, also an empty one."""
    return [Known(user_id, _words(queues))
            for user_id, queues in everywhere.players_by_id(project, start=start, after=after, limit=limit)]


def _words(queues: list[everywhere.Work]) -> str:
    waiting, tries = sum(each.waiting for each in queues), max(each.head_tries for each in queues)
    names = [each.namespace for each in sorted(queues, key=lambda each: (-each.waiting, each.namespace))]
    where = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    many = f"{waiting:,} job{'' if waiting == 1 else 's'} waiting" if waiting else "no job waits"
    return f"{many} in {where}" + (f", {retrying(tries)}" if tries else "")


@searcher("job")
def jobs(project: Project, text: str, limit: int) -> list[Hit]:
    """Jobs by name; the beginning will do from eight digits on."""
    return [
        Hit(str(job.name), reverse("queues-job", kwargs={"project": project.name, "job": job.name}),
            f"{shortened(script_name(job.script_id), 100)} of {job.queue.user_id} in {job.queue.namespace.name}, "
            f"{JOB[JobState(job.state)].inside}", str(job.name) == text.strip().lower())
        for job in everywhere.jobs_named(project, text, limit=limit)
    ]  # fmt: skip


@searcher("script")
def scripts(project: Project, text: str, limit: int) -> list[Hit]:
    """Scripts by name."""
    return [
        Hit(row.name, reverse("scripts-script", kwargs={"project": project.name, "namespace": row.namespace.name,
                                                        "script": row.name}),
            f"in {row.namespace.name}", row.name == text)
        for row in everywhere.scripts_named(project, text, limit=limit)
    ]  # fmt: skip
