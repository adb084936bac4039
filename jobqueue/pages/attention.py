"""What of the queues needs a human: jobs that were given up within the last hour, floods, namespaces that are paused."""
from __future__ import annotations

from django.db.models import Exists, OuterRef
from django.urls import reverse

from gs2admin.dashboard import attention
from gs2admin.db import clock
from gs2admin.identity.models import Project
from jobqueue.models import GivenUp, Namespace
from jobqueue.reads.floods import FLOOD, floods
from jobqueue.reads.overview import HOUR, MANY, lately_given_up
from jobqueue.states import JobState
from jobqueue.words import JOB

MOST = 5
SCRIPT_SHOWN = 60


@attention.source
def flooding(project: Project) -> list[attention.Need]:
    """One line per namespace that keeps the workers busy with more than they can do."""
    found = []
    for flood in floods(project.pk):
        made = f", made by jobs, {flood.generation} one after the other" if flood.generation else ""
        found.append(attention.Need(
            "bad", "list-check", f"{flood.namespace} floods the job workers: {FLOOD:,} jobs or more wait for their turn",
            f"next is {flood.script[:SCRIPT_SHOWN]}{made}; others have their turns in between",
            reverse("queues-pause", kwargs={"project": project.name, "namespace": flood.namespace}), "Pause this namespace",
            f"flood-{flood.pk}",
        ))
    return found


@attention.source
def paused(project: Project) -> list[attention.Need]:
    """One line per namespace whose jobs are held back."""
    rows = Namespace.objects.filter(project=project, paused_at__isnull=False).order_by("name")[:MOST]
    return [
        attention.Need(
            "warn", "list-check", f"{row.name} is paused: its jobs do not run", f"by {row.paused_by}",
            reverse("queues-namespace", kwargs={"project": project.name, "namespace": row.name}), "Look", f"paused-{row.pk}",
        )
        for row in rows
    ]


@attention.source
def given_up(project: Project) -> list[attention.Need]:
    """One line per namespace, at most MOST; what was replayed since needs nobody any more."""
    lately = GivenUp.objects.filter(namespace=OuterRef("pk"), at__gte=clock.now() - HOUR, replayed_at=None)
    rows = dict(Namespace.objects.filter(Exists(lately), project=project).order_by("name").values_list("pk", "name")[:MOST])
    counts = lately_given_up(list(rows)) if rows else {}
    found, words = [], JOB[JobState.GIVEN_UP]
    for pk, name in rows.items():
        count = counts[pk]
        many = f"More than {MANY:,} jobs" if count > MANY else "1 job" if count == 1 else f"{count:,} jobs"
        found.append(attention.Need(
            words.tone, "list-check", f"{many} of {name} {words.inside} within the last hour", "after the last try",
            reverse("queues-given-up", kwargs={"project": project.name, "namespace": name}), "Look", f"given-up-{pk}",
        ))
    return found
