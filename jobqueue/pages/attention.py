"""What of the queues needs a human: namespaces with jobs that were given up within the last hour."""
from __future__ import annotations

from datetime import UTC, datetime

from django.db.models import Exists, OuterRef
from django.urls import reverse

from gs2admin.dashboard import attention
from gs2admin.identity.models import Project
from jobqueue.models import GivenUp, Namespace
from jobqueue.reads.overview import HOUR, MANY, lately_given_up
from jobqueue.states import JobState
from jobqueue.words import JOB

MOST = 5


@attention.source
def given_up(project: Project) -> list[attention.Need]:
    """One line per namespace, at most MOST; what was replayed since needs nobody any more."""
    lately = GivenUp.objects.filter(namespace=OuterRef("pk"), at__gte=datetime.now(UTC) - HOUR, replayed_at=None)
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
