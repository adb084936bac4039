"""Push given-up jobs again, as they were or with other arguments."""
from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.db import clock
from gs2admin.errors import Conflict
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from jobqueue import sql
from jobqueue.execution import generations
from jobqueue.execution.drain import DRAIN
from jobqueue.models import GivenUp, Job, Namespace
from jobqueue.services.jobs import check_args, refuse_if_closing, refuse_too_many
from jobqueue.services.namespaces import QUEUES
from jobqueue.services.room import require_room
from jobqueue.states import JobState


def replay_job(
    *, actor: Actor, namespace: Namespace, job: Job, replayed_at: datetime | None = None, reason: str = ""
) -> Job:
    """Push a given-up job again, as a new job linked to the old one.

    replayed_at: when it was replayed last, as the actor saw it; a request that is sent twice replays once.
    Raises NotFound, Denied, Conflict (not given up, replayed meanwhile, or the namespace is being deleted).
    """
    return replay_jobs(actor=actor, namespace=namespace, jobs=[job], replayed_at=replayed_at, reason=reason)[0]


def replay_jobs(
    *, actor: Actor, namespace: Namespace, jobs: Sequence[Job], replayed_at: datetime | None = None, reason: str = "",
    args: Mapping[int, str] | None = None,
) -> list[Job]:  # fmt: skip
    """Push given-up jobs again, all or none, each player's in their old order. As replay_job.

    args: other arguments, JSON text by the id of the job; that needs the right job.replay_changed. Raises Quota for more than
    MAX_TOGETHER jobs or than the namespace has room for, Invalid for arguments that are not JSON, and what replay_job raises.
    """
    require(actor, "job.replay", namespace)
    changed = {job.pk: args[job.pk] for job in jobs if args and args.get(job.pk, job.args) != job.args}
    if changed:
        require(actor, "job.replay_changed", namespace)
        for text in changed.values():
            check_args(text)
    refuse_if_closing(namespace)
    refuse_too_many(jobs)
    require_room(namespace, len(jobs))
    try:
        with transaction.atomic():
            return _replay(actor, namespace, sorted(jobs, key=lambda row: row.pk), replayed_at, reason, changed)
    except IntegrityError:
        raise QUEUES.gone() from None


def _replay(
    actor: Actor, namespace: Namespace, jobs: Sequence[Job], replayed_at: datetime | None, reason: str, changed: Mapping[int, str]
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
        args = changed.get(job.pk, job.args)
        again = sql.NewJob(uuid.uuid4(), job.script_id, args, job.max_try_count, generations.of_a_new_job())
        push = sql.push(namespace.pk, job.queue.user_id, [again], auto=namespace.enable_auto_run, at=now)
        pk = push.job_ids[0]
        Job.objects.filter(pk=pk).update(replay_of=job)
        GivenUp.objects.filter(job=job).update(replayed_at=Now())
        if push.begins:
            engine.wake(DRAIN, push.queue_id)
        row = Job.objects.select_related("queue").get(pk=pk)
        other = {"arguments": "changed"} if job.pk in changed else {}
        record(actor=actor, action="job.replay", obj=row, project_id=namespace.project_id, player=row.queue.user_id,
               before={"job": str(job.name)}, after={"user": job.queue.user_id, **other}, reason=reason)
        made.append(row)
    return made
