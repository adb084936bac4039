"""Push, delete and replay jobs."""
from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.db import clock
from gs2admin.errors import Conflict, Invalid, NotFound, Quota
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue import notifications, sql
from jobqueue.execution import generations
from jobqueue.execution.counters import head
from jobqueue.execution.drain import DRAIN
from jobqueue.models import GivenUp, Job, Namespace, Queue
from jobqueue.services.namespaces import QUEUES
from jobqueue.services.room import require_room
from jobqueue.states import DEFAULT_TRIES, NOBODY, QUEUED, JobState

MAX_ENTRIES = 10
MAX_REPLAYED = 1000
_COLUMNS = [
    "id", "queue_id", "name", "script_id", "args", "max_try_count", "try_count", "state", "created_at", "updated_at",
    "generation", "replay_of_id",
]  # fmt: skip
# Programs push and delete too many jobs for a line each in the activity log.
LOGGED = frozenset({"person", "script"})


@dataclass(frozen=True)
class Entry:
    """One job to push. script_id: a GRN or a name. args: JSON text, stored as it is. max_try_count: 0 means DEFAULT_TRIES."""

    script_id: str
    args: str = "{}"
    max_try_count: int = DEFAULT_TRIES


def push_jobs(*, actor: Actor, namespace: Namespace, user_id: str, entries: Sequence[Entry]) -> tuple[list[Job], bool]:
    """Append jobs to a player's queue, in order. Returns (the jobs, whether the server runs them by itself).

    Raises NotFound, Denied, Invalid (more than 10 jobs, arguments that are not JSON, an id that no player has), Conflict (the
    namespace is being deleted), Quota (too many jobs wait in the namespace): nothing is pushed then. A paused namespace takes
    jobs, and keeps them.
    """
    require(actor, "job.push", namespace)
    if len(entries) > MAX_ENTRIES:
        raise Invalid("At most 10 jobs can be pushed at once.", component="job", message="jobQueue.job.jobs.error.tooMany")
    for entry in entries:
        check_args(entry.args)
    if user_id.startswith(NOBODY):
        raise Invalid("A player's id does not begin with the delete character.", component="job",
                      message="jobQueue.job.userId.error.invalid", extra={"field": "user_id"})
    auto = namespace.enable_auto_run
    _refuse_if_closing(namespace)
    if not entries:
        return [], auto
    require_room(namespace, len(entries))
    now, made_by = clock.now(), generations.of_a_new_job()
    rows = [sql.NewJob(uuid.uuid4(), e.script_id, e.args, e.max_try_count or DEFAULT_TRIES, made_by) for e in entries]
    try:
        if sql.pushes_alone() and actor.kind not in LOGGED and not notifications.tells_of_pushes(namespace):
            push = sql.push(namespace.pk, user_id, rows, auto=auto, at=now)
            if push.begins:
                # The jobs are there: a worker that is not woken by this is woken by the sweep.
                transaction.on_commit(lambda: engine.wake(DRAIN, push.queue_id), robust=True)
            return _pushed(push, rows, now), auto
        with transaction.atomic():
            push = sql.push(namespace.pk, user_id, rows, auto=auto, at=now)
            jobs = _pushed(push, rows, now)
            if push.begins:
                engine.wake(DRAIN, push.queue_id)
            notifications.pushed(namespace, user_id)
            if actor.kind in LOGGED:
                record(actor=actor, action="job.push", obj=jobs[0], project_id=namespace.project_id, player=user_id,
                       after={"namespace": namespace.name, "user": user_id, "jobs": [str(job.name) for job in jobs],
                              "scripts": sorted({job.script_id for job in jobs})})  # fmt: skip
    except IntegrityError:
        raise QUEUES.gone() from None
    return jobs, auto


def _pushed(push: sql.Push, rows: Sequence[sql.NewJob], at: datetime) -> list[Job]:
    """The jobs as if they were read."""
    return [
        Job.from_db(DEFAULT_DB_ALIAS, _COLUMNS, (
            pk, push.queue_id, row.name, row.script_id, row.args, row.max_tries, 0, JobState.WAITING, at, at, row.generation, None
        ))
        for pk, row in zip(push.job_ids, rows, strict=True)
    ]  # fmt: skip


def _refuse_if_closing(namespace: Namespace) -> None:
    if namespace.status != NamespaceStatus.ACTIVE:
        raise Conflict(
            f"{namespace.name} is being deleted and takes no more jobs.",
            component="namespace",
            message="jobQueue.namespace.namespace.error.conflict",
        )


def _refuse(word: str) -> None:
    raise ValueError(word)


# NaN and Infinity are Python's, not JSON's. A decoder for each text costs twice the reading of a short one.
_strict = json.JSONDecoder(parse_constant=_refuse)


def check_args(text: str) -> None:
    """Check that arguments are JSON text. Raises Invalid."""
    try:
        _strict.decode(text)
    except (ValueError, RecursionError):
        raise Invalid(
            "The arguments are not JSON text.", component="jobEntry", message="jobQueue.jobEntry.args.error.invalid"
        ) from None


def delete_job(*, actor: Actor, namespace: Namespace, job: Job, reason: str = "") -> Job:
    """Delete a job in any state; the result of a running attempt is dropped. Raises NotFound, Denied."""
    require(actor, "job.delete", namespace)
    with transaction.atomic():
        # Locked: an attempt that ends now has subtracted the job already, or will find it gone, but not both.
        state = Job.objects.select_for_update().filter(pk=job.pk).values_list("state", flat=True).first()
        if state is None:
            raise NotFound("This job is gone.", component="job", message="jobQueue.job.job.error.notFound")
        Job.objects.filter(pk=job.pk).delete()
        queue = Queue.objects.filter(pk=job.queue_id)
        queue.update(waiting=F("waiting") - int(state in QUEUED), rev=F("rev") + 1)
        queue.update(**head())  # after the row is locked, so that no push is missed
        if actor.kind in LOGGED:
            record(actor=actor, action="job.delete", obj=job, project_id=namespace.project_id, player=job.queue.user_id,
                   before={"user": job.queue.user_id, "script": job.script_id, "state": str(state)}, reason=reason)
    return job


def replay_job(
    *, actor: Actor, namespace: Namespace, job: Job, replayed_at: datetime | None = None, reason: str = ""
) -> Job:
    """Push a given-up job again, as a new job linked to the old one.

    replayed_at: when it was replayed last, as the actor saw it; a request that is sent twice replays once.
    Raises NotFound, Denied, Conflict (not given up, replayed meanwhile, or the namespace is being deleted).
    """
    return replay_jobs(actor=actor, namespace=namespace, jobs=[job], replayed_at=replayed_at, reason=reason)[0]


def replay_jobs(
    *, actor: Actor, namespace: Namespace, jobs: Sequence[Job], replayed_at: datetime | None = None, reason: str = ""
) -> list[Job]:
    """Push given-up jobs again, all or none, each player's in their old order. As replay_job.

    Raises Quota for more than MAX_REPLAYED jobs or than the namespace has room for, and what replay_job raises.
    """
    require(actor, "job.replay", namespace)
    _refuse_if_closing(namespace)
    if len(jobs) > MAX_REPLAYED:
        raise Quota(f"At most {MAX_REPLAYED:,} jobs are replayed at once; narrow the filter.", component="job",
                    message="jobQueue.job.jobs.error.tooMany")
    require_room(namespace, len(jobs))
    try:
        with transaction.atomic():
            return _replay(actor, namespace, sorted(jobs, key=lambda row: row.pk), replayed_at, reason)
    except IntegrityError:
        raise QUEUES.gone() from None


def _replay(
    actor: Actor, namespace: Namespace, jobs: Sequence[Job], replayed_at: datetime | None, reason: str
) -> list[Job]:
    made: list[Job] = []
    now = clock.now()
    # Locked before replayed_at is read, so that two replays of one job do not both pass.
    rows = Job.objects.select_for_update().filter(pk__in=[job.pk for job in jobs], state=JobState.GIVEN_UP).order_by("pk")
    given_up = set(rows.values_list("pk", flat=True))
    replayed = dict(GivenUp.objects.filter(job__in=given_up).values_list("job_id", "replayed_at"))
    for job in jobs:
        if job.pk not in given_up:
            raise Conflict(f"Job {job.name} is not given up.", component="job",
                           message="jobQueue.job.job.error.conflict")
        if replayed.get(job.pk) != replayed_at:
            raise Conflict(f"Job {job.name} was replayed already. Look again before you replay it once more.",
                           component="job", message="jobQueue.job.job.error.conflict")
        again = sql.NewJob(uuid.uuid4(), job.script_id, job.args, job.max_try_count, generations.of_a_new_job())
        push = sql.push(namespace.pk, job.queue.user_id, [again], auto=namespace.enable_auto_run, at=now)
        pk = push.job_ids[0]
        Job.objects.filter(pk=pk).update(replay_of=job)
        GivenUp.objects.filter(job=job).update(replayed_at=Now())
        if push.begins:
            engine.wake(DRAIN, push.queue_id)
        row = Job.objects.select_related("queue").get(pk=pk)
        record(actor=actor, action="job.replay", obj=row, project_id=namespace.project_id, player=row.queue.user_id,
               before={"job": str(job.name)}, after={"user": job.queue.user_id}, reason=reason)
        made.append(row)
    return made
