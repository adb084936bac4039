"""Which namespaces flood the workers."""
from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from jobqueue import sql
from jobqueue.models import Job, Namespace
from jobqueue.states import JobState

# So many jobs that wait for a worker make a flood; they are counted over as many queues at most.
FLOOD = 1_000
MOST = 5
_WAITING = (
    "SELECT COALESCE(SUM(waiting), 0) FROM (SELECT waiting FROM jobqueue_queue"
    " WHERE namespace_id = %s AND draining AND next_at IS NULL ORDER BY woken_at LIMIT %s) few"
)


@dataclass(frozen=True)
class Flood:
    """A namespace with FLOOD or more jobs that wait for a worker. script, generation: of the job whose turn is next."""

    namespace: str
    pk: int
    script: str
    generation: int


def floods(project_id: int) -> list[Flood]:
    """The namespaces of the project that flood the workers; one that is paused does not. MOST at most."""
    ready = {one.namespace_id: one.queue_id for one in sql.ready() if one.project_id == project_id}
    full = [pk for pk in ready if _waiting(pk) >= FLOOD][:MOST]
    names = dict(Namespace.objects.filter(pk__in=full).values_list("pk", "name"))
    return [Flood(names[pk], pk, *_next_of(ready[pk])) for pk in full if pk in names]


def _waiting(namespace_id: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [namespace_id, FLOOD])
        return int(cursor.fetchone()[0])


def _next_of(queue_id: int) -> tuple[str, int]:
    jobs = Job.objects.filter(queue_id=queue_id, state=JobState.WAITING).order_by("id")
    script, generation = jobs.values_list("script_id", "generation").first() or ("", 0)
    return script, generation or 0
