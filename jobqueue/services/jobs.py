"""Writes of jobs: push, run by hand, delete, replay."""
from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound, Quota
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from gs2admin.lease import LeaseLost
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue import notifications as notify
from jobqueue import sql
from jobqueue.execution import attempt, hold
from jobqueue.execution.drain import DRAIN
from jobqueue.models import GivenUp, Job, JobResult, Namespace, Queue
from jobqueue.states import DEFAULT_TRIES, NOBODY, QUEUED, JobState, after_attempt

MAX_ENTRIES = 10
MAX_REPLAYED = 1000
# GS2 clients push and delete too many jobs for a line each.
LOGGED = frozenset({"person", "script"})


@dataclass(frozen=True)
class Entry:
    """One job to push. args: JSON text, kept as it is. max_try_count: 0 means the default."""

    script_id: str
    args: str = "{}"
    max_try_count: int = DEFAULT_TRIES


@dataclass(frozen=True)
class Ran:
    """What `run` did. job and result are None when nothing waited. last: nothing of this user waits any more."""

    job: Job | None
    result: JobResult | None
    last: bool


def push_jobs(*, actor: Actor, namespace: Namespace, user_id: str, entries: Sequence[Entry]) -> tuple[list[Job], bool]:
    """Append jobs to a player's queue, in order. Returns them and whether the server runs them by itself.

    Raises NotFound, Denied, Invalid (more than 10, args that are not JSON, an id that is nobody's), Conflict (the namespace is
    being deleted).
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
    now = timezone.now()
    rows = [(uuid.uuid4(), e.script_id, e.args, e.max_try_count or DEFAULT_TRIES) for e in entries]
    try:
        if actor.kind not in LOGGED and not notify.tells_of_pushes(namespace):
            joined = sql.join(namespace.pk, user_id, rows, at=now)
            if joined:
                return _pushed(*joined, rows, now), auto
        with transaction.atomic():
            queue_id, begins, ids = sql.push(namespace.pk, user_id, rows, auto=auto, at=now)
            jobs = _pushed(queue_id, ids, rows, now)
            if begins:
                engine.wake(DRAIN, queue_id)
            notify.pushed(namespace, user_id)
            if actor.kind in LOGGED:
                record(actor=actor, action="job.push", obj=jobs[0], project_id=namespace.project_id, player=user_id,
                       after={"namespace": namespace.name, "user": user_id, "jobs": [str(job.name) for job in jobs],
                              "scripts": sorted({job.script_id[:200] for job in jobs})})  # fmt: skip
    except IntegrityError:
        raise _namespace_gone() from None
    return jobs, auto


def _pushed(queue_id: int, ids: Sequence[int], rows: Sequence[sql.Pushed], at: datetime) -> list[Job]:
    return [
        Job(id=pk, queue_id=queue_id, name=name, script_id=script, args=args, max_try_count=tries, created_at=at, updated_at=at)
        for pk, (name, script, args, tries) in zip(ids, rows, strict=True)
    ]


def _refuse_if_closing(namespace: Namespace) -> None:
    if namespace.status != NamespaceStatus.ACTIVE:
        raise Conflict(
            f"{namespace.name} is being deleted and takes no more jobs.",
            component="namespace",
            message="jobQueue.namespace.namespace.error.conflict",
        )


def _namespace_gone() -> NotFound:
    return NotFound(
        "This namespace is gone.", component="namespace", message="jobQueue.namespace.namespace.error.notFound"
    )


def check_args(text: str) -> None:
    """Refuse arguments that are not JSON. They are parsed to be checked and stored as they came."""
    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        json.loads(text, parse_constant=refuse)  # NaN and Infinity are Python's, not JSON's
    except (ValueError, RecursionError):
        raise Invalid(
            "The arguments are not JSON text.", component="jobEntry", message="jobQueue.jobEntry.args.error.invalid"
        ) from None


def run_next(
    *, actor: Actor, namespace: Namespace, user_id: str, settled: Callable[[Ran], object] = lambda ran: None
) -> Ran:
    """Run the player's next job now and wait for it. With auto-run on, the server does that by itself.

    settled: called with the outcome inside the transaction that writes it, when a job was run.
    Raises NotFound, Denied, Conflict with code jobQueue.execution.conflict while another run of that player goes on.
    """
    require(actor, "job.run", namespace)
    if namespace.enable_auto_run:
        return Ran(None, None, True)
    queue = Queue.objects.filter(namespace=namespace, user_id=user_id).first()
    if queue is None:
        return Ran(None, None, True)
    held = hold.take(queue.pk)
    if held is None:
        raise _running_already(user_id)
    finished = 0
    try:
        job = _claim_first(queue.pk)
        if job is None:
            return Ran(None, None, True)
        ended = attempt.perform(
            namespace=namespace,
            project=namespace.project,
            user_id=user_id,
            script_id=job.script_id,
            args=job.args,
            tick=hold.Keeper(held).tick,
        )
        then = after_attempt(
            status_code=ended.status_code, tries=job.try_count, max_tries=job.max_try_count, may_retry=ended.may_retry
        )
        with transaction.atomic():
            ours, _ = sql.settle(
                job_id=job.pk, tries=job.try_count, to=then.state, status_code=ended.status_code, result=ended.result,
                output=ended.output, took_ms=ended.took_ms, namespace_id=namespace.pk, script=job.script_id,
            )  # fmt: skip
            if ours:
                notify.finished(namespace, user_id, job.pk)
            result = JobResult.objects.filter(job_id=job.pk, try_number=job.try_count - 1).first()
            last = not any(Job.objects.filter(queue_id=queue.pk, state=state).exists() for state in QUEUED)
            if ours:
                job.state, job.updated_at = then.state, result.tried_at
                settled(Ran(job, result, last))
        # Not before it is committed: what is rolled back has not left the queue.
        finished = int(ours and then.state != JobState.WAITING)
        if not ours:
            _refuse_if_gone(namespace)
        return Ran(job, result, last)
    except LeaseLost:
        _refuse_if_gone(namespace)
        raise _running_already(user_id) from None
    finally:
        hold.let_go(held, finished=finished)


def _running_already(user_id: str) -> Conflict:
    return Conflict(
        f"A job of {user_id} is running already.",
        component="job",
        message="jobQueue.job.job.error.conflict",
        code="jobQueue.execution.conflict",
    )


def _refuse_if_gone(namespace: Namespace) -> None:
    """The namespace may have been deleted while its job ran."""
    if not Namespace.objects.filter(pk=namespace.pk, status=NamespaceStatus.ACTIVE).exists():
        raise _namespace_gone()


def _claim_first(queue_id: int) -> Job | None:
    while True:
        job = Job.objects.filter(queue_id=queue_id, state=JobState.WAITING).order_by("id").first()
        if job is None:
            return None
        if sql.claim_job(job.pk):
            job.refresh_from_db()
            return job


def delete_job(*, actor: Actor, namespace: Namespace, job: Job, reason: str = "") -> Job:
    """Take a job away, whatever it is doing; a running attempt's result is dropped. Raises NotFound, Denied."""
    require(actor, "job.delete", namespace)
    with transaction.atomic():
        # Locked: an attempt that ends just now has counted the job out, or will find it gone, but not both.
        state = Job.objects.select_for_update().filter(pk=job.pk).values_list("state", flat=True).first()
        if state is None:
            raise NotFound("This job is gone.", component="job", message="jobQueue.job.job.error.notFound")
        Job.objects.filter(pk=job.pk).delete()
        queue = Queue.objects.filter(pk=job.queue_id)
        queue.update(waiting=F("waiting") - int(state in QUEUED), rev=F("rev") + 1)
        queue.update(**hold.head())  # looked at after the row is locked, so that no push is overlooked
        if actor.kind in LOGGED:
            record(actor=actor, action="job.delete", obj=job, project_id=namespace.project_id, player=job.queue.user_id,
                   before={"user": job.queue.user_id, "script": job.script_id, "state": str(state)}, reason=reason)
    return job


def replay_job(
    *, actor: Actor, namespace: Namespace, job: Job, replayed_at: datetime | None = None, reason: str = ""
) -> Job:
    """Push a given-up job again, as a new job linked to the old one.

    replayed_at: when it was replayed last, as far as the actor knows; so who sends the same order twice replays once.
    Raises NotFound, Denied, Conflict (not given up, replayed meanwhile, or the namespace is being deleted).
    """
    return replay_jobs(actor=actor, namespace=namespace, jobs=[job], replayed_at=replayed_at, reason=reason)[0]


def replay_jobs(
    *, actor: Actor, namespace: Namespace, jobs: Sequence[Job], replayed_at: datetime | None = None, reason: str = ""
) -> list[Job]:
    """Push given-up jobs again, at most 1,000 at once, each player's in their old order. All or none. As replay_job."""
    require(actor, "job.replay", namespace)
    _refuse_if_closing(namespace)
    if len(jobs) > MAX_REPLAYED:
        raise Quota(f"At most {MAX_REPLAYED:,} jobs are replayed at once; narrow the filter.", component="job",
                    message="jobQueue.job.jobs.error.tooMany")
    try:
        with transaction.atomic():
            return _replay(actor, namespace, sorted(jobs, key=lambda row: row.pk), replayed_at, reason)
    except IntegrityError:
        raise _namespace_gone() from None


def _replay(
    actor: Actor, namespace: Namespace, jobs: Sequence[Job], replayed_at: datetime | None, reason: str
) -> list[Job]:
    made: list[Job] = []
    now = timezone.now()
    # Locked before it is looked whether somebody was quicker.
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
        queue_id, begins, (pk,) = sql.push(
            namespace.pk, job.queue.user_id, [(uuid.uuid4(), job.script_id, job.args, job.max_try_count)],
            auto=namespace.enable_auto_run, at=now,
        )  # fmt: skip
        Job.objects.filter(pk=pk).update(replay_of=job)
        GivenUp.objects.filter(job=job).update(replayed_at=Now())
        if begins:
            engine.wake(DRAIN, queue_id)
        row = Job.objects.select_related("queue").get(pk=pk)
        record(actor=actor, action="job.replay", obj=row, project_id=namespace.project_id, player=row.queue.user_id,
               before={"job": str(job.name)}, after={"user": job.queue.user_id}, reason=reason)
        made.append(row)
    return made
