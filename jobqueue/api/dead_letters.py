"""Given-up jobs, by the withdrawn methods of older SDKs (contract: job_queue, TSO)."""
from __future__ import annotations

from typing import Any

from gs2admin.db.columns import milliseconds
from gs2admin.errors import NotFound
from gs2admin.wire.call import Call
from gs2admin.wire.paging import PAGE_CHARACTERS, key_of, page
from gs2admin.wire.shapes import Integer, Result, Text, field
from jobqueue.api.namespaces import NAMESPACES
from jobqueue.api.shapes import JobResultBodyModel, UserRequest, method, result_body, user_grn
from jobqueue.models import Job, JobResult, Namespace
from jobqueue.reads import player_jobs
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


def _item(namespace: Namespace, user_id: str, job: Job) -> dict[str, Any]:
    results: list[JobResult] = []
    total = 0
    for row in JobResult.objects.filter(job=job).order_by("-try_number").iterator(chunk_size=4):
        total += len(row.result)
        if results and total > PAGE_CHARACTERS:
            break
        results.append(row)
    return {
        "deadLetterJobId": f"{user_grn(namespace.project, namespace.name, user_id)}:dead:{job.name}",
        "name": str(job.name),
        "userId": user_id,
        "scriptId": job.script_id,
        "args": job.args,
        "result": [
            result_body(row.try_number, row.status_code, row.result, milliseconds(row.tried_at)) for row in reversed(results)
        ],
        "createdAt": milliseconds(job.created_at),
        "updatedAt": milliseconds(job.updated_at),
    }


def describe_dead_letter_jobs(call: Call, request: DeadLettersRequest) -> dict[str, Any]:
    """Raises NotFound, Invalid."""
    namespace = NAMESPACES.find(call, request.namespace_name)
    after = key_of(request.page_token, "dead", int, component="deadLetterJob", word=f"{WORD}.pageToken")
    return page(
        player_jobs.given_up(namespace, request.user_id), by="id", after=after, limit=request.limit, kind="dead",
        item=lambda job: _item(namespace, request.user_id, job), size=player_jobs.SIZE_WITH_RESULTS,
    )  # fmt: skip


def get_dead_letter_job(call: Call, request: DeadLetterRequest) -> dict[str, Any]:
    """Raises NotFound."""
    namespace = NAMESPACES.find(call, request.namespace_name)
    return {"item": _item(namespace, request.user_id, _find(namespace, request))}


def delete_dead_letter_job(call: Call, request: DeadLetterRequest) -> dict[str, Any]:
    """Raises NotFound, Denied."""
    namespace = NAMESPACES.find(call, request.namespace_name)
    job = _find(namespace, request)
    gone = _item(namespace, request.user_id, job)
    delete_job(actor=call.actor, namespace=namespace, job=job)
    return {"item": gone}


def _find(namespace: Namespace, request: DeadLetterRequest) -> Job:
    jobs = player_jobs.given_up(namespace, request.user_id).select_related("queue")
    job = player_jobs.named(jobs, request.dead_letter_job_name)
    if job is None:
        raise NotFound(
            "There is no such given-up job, or it is no longer kept.", component="deadLetterJob",
            message=f"{WORD}.deadLetterJob.error.notFound",
        )  # fmt: skip
    return job


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
