"""Given-up jobs, by the withdrawn methods of older SDKs (contract: job_queue, TSO)."""
from __future__ import annotations

from typing import Any

from gs2admin.errors import NotFound
from gs2admin.wire.call import Call
from gs2admin.wire.paging import PAGE_CHARACTERS, cut, small
from gs2admin.wire.shapes import Integer, Result, Text, field
from jobqueue.api.namespaces import NAMESPACES
from jobqueue.api.shapes import JobResultBodyModel, UserRequest, method, result_body, user_grn
from jobqueue.models import Job, Namespace
from jobqueue.reads import player_jobs
from jobqueue.reads.player_jobs import GivenUpJob
from jobqueue.services import delete_job

WORD = "jobQueue.deadLetterJob"


class DeadLettersRequest(UserRequest):
    """Fields of describeDeadLetterJobsByUserId."""

    page_token: Text | None = field(f"{WORD}.pageToken", None, max_length=1024)
    limit: Integer = field(f"{WORD}.limit", 30, ge=1, le=1000)


class DeadLetterRequest(UserRequest):
    """Fields that name a given-up job."""

    dead_letter_job_name: Text = field(f"{WORD}.name", max_length=36, description="The name that the job had: a UUID.")


class DeadLetterModel(Result):
    """A given-up job with its attempts, oldest first; of very long results only the newest."""

    dead_letter_job_id: str
    name: str
    user_id: str
    script_id: str
    args: str
    result: list[JobResultBodyModel]
    created_at: int
    updated_at: int


class DeadLetterResult(Result):
    """One given-up job."""

    item: DeadLetterModel


class DeadLettersResult(Result):
    """A page, oldest first."""

    items: list[DeadLetterModel]
    next_page_token: str | None = None


def _items(call: Call, request: UserRequest, jobs: list[GivenUpJob]) -> list[dict[str, Any]]:
    front = user_grn(call.project, request.namespace_name, request.user_id)
    args, attempts = player_jobs.arguments_of(jobs), player_jobs.attempts_of(jobs, most=PAGE_CHARACTERS)
    return [
        {
            "deadLetterJobId": f"{front}:dead:{job.uuid}",
            "name": job.uuid,
            "userId": request.user_id,
            "scriptId": job.script_id,
            "args": args[job.id],
            "result": [result_body(*attempt) for attempt in attempts[job.id]],
            "createdAt": job.created_ms,
            "updatedAt": job.updated_ms,
        }
        for job in jobs if job.id in args
    ]  # fmt: skip


def describe_dead_letter_jobs(call: Call, request: DeadLettersRequest) -> dict[str, Any]:
    """Raises NotFound, Invalid."""
    NAMESPACES.may_view(call)
    after = NAMESPACES.after(
        call, request.namespace_name, request.page_token, "dead", int, component="deadLetterJob", word=f"{WORD}.pageToken"
    )
    rows = player_jobs.given_up_after(
        call.project, request.namespace_name, request.user_id, after=after or 0, limit=request.limit, small=small(request.limit)
    )
    if not rows:
        NAMESPACES.find(call, request.namespace_name)
        return {"items": [], "nextPageToken": None}
    shown, token = cut(rows, by="id", limit=request.limit, kind="dead", size="size")
    return {"items": _items(call, request, shown), "nextPageToken": token}


def get_dead_letter_job(call: Call, request: DeadLetterRequest) -> dict[str, Any]:
    """Raises NotFound."""
    NAMESPACES.may_view(call)
    return {"item": _read(call, request)}


def _read(call: Call, request: DeadLetterRequest) -> dict[str, Any]:
    job = player_jobs.given_up_job(call.project, request.namespace_name, request.user_id, request.dead_letter_job_name)
    if job is None:
        NAMESPACES.find(call, request.namespace_name)
        raise _none()
    return _items(call, request, [job])[0]


def delete_dead_letter_job(call: Call, request: DeadLetterRequest) -> dict[str, Any]:
    """Raises NotFound, Denied."""
    namespace = NAMESPACES.find(call, request.namespace_name)
    job = _find(namespace, request)
    gone = _read(call, request)
    delete_job(actor=call.actor, namespace=namespace, job=job)
    return {"item": gone}


def _find(namespace: Namespace, request: DeadLetterRequest) -> Job:
    jobs = player_jobs.given_up(namespace, request.user_id).select_related("queue")
    job = player_jobs.named(jobs, request.dead_letter_job_name)
    if job is None:
        raise _none()
    return job


def _none() -> NotFound:
    return NotFound(
        "There is no such given-up job, or it is no longer kept.", component="deadLetterJob",
        message=f"{WORD}.deadLetterJob.error.notFound",
    )  # fmt: skip


_DEAD = "/{namespaceName}/user/{userId}/dead"
METHODS = [
    method(
        "deadLetterJob", "describeDeadLetterJobsByUserId", "GET", _DEAD, DeadLettersRequest, DeadLettersResult,
        describe_dead_letter_jobs, "A player's given-up jobs",
    ),
    method(
        "deadLetterJob", "getDeadLetterJobByUserId", "GET", _DEAD + "/{deadLetterJobName}", DeadLetterRequest,
        DeadLetterResult, get_dead_letter_job, "A given-up job",
    ),
    method(
        "deadLetterJob", "deleteDeadLetterJobByUserId", "DELETE", _DEAD + "/{deadLetterJobName}", DeadLetterRequest,
        DeadLetterResult, delete_dead_letter_job, "Forget a given-up job", takes_duplication_avoider=True,
    ),
]  # fmt: skip
