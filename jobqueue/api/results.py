"""Results of attempts."""
from __future__ import annotations

from typing import Any

from gs2admin.errors import NotFound
from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Integer, Result, field
from jobqueue.api.jobs import JobRequest, OwnJobRequest
from jobqueue.api.namespaces import NAMESPACES
from jobqueue.api.shapes import JobResultModel, method, no_job, user_grn
from jobqueue.reads import player_jobs


class OwnResultRequest(OwnJobRequest):
    """Fields of getJobResult."""

    try_number: Integer | None = field(
        "jobQueue.jobResult.tryNumber", None, ge=0, le=10_000, description="0 is the first attempt; without it the newest."
    )


class ResultRequest(JobRequest):
    """Fields of getJobResultByUserId."""

    try_number: Integer | None = field(
        "jobQueue.jobResult.tryNumber", None, ge=0, le=10_000, description="0 is the first attempt; without it the newest."
    )


class ResultResult(Result):
    """One attempt."""

    item: JobResultModel


def get_job_result(call: Call, request: OwnResultRequest) -> dict[str, Any]:
    """Also after the job left the queue. Raises NotFound: component jobResult while there was no such attempt."""
    return _result(call, request, call.user_id)


def get_job_result_by_user_id(call: Call, request: ResultRequest) -> dict[str, Any]:
    """Also after the job left the queue. Raises NotFound: component jobResult while there was no such attempt."""
    return _result(call, request, request.user_id)


def _result(call: Call, request: OwnResultRequest | ResultRequest, user_id: str) -> dict[str, Any]:
    NAMESPACES.may_view(call)
    row = player_jobs.attempt(call.project, request.namespace_name, user_id, request.job_name, request.try_number)
    if row is None:
        raise _none(call, request, user_id)
    grn = f"{user_grn(call.project, request.namespace_name, user_id)}:job:{row.uuid}"
    return {
        "item": {
            "jobResultId": f"{grn}:jobResult:{row.try_number}",
            "jobId": grn,
            "scriptId": row.script_id,
            "args": row.args,
            "tryNumber": row.try_number,
            "statusCode": row.status_code,
            "result": row.result,
            "tryAt": row.tried_ms,
        }
    }


def _none(call: Call, request: OwnResultRequest | ResultRequest, user_id: str) -> NotFound:
    """Which of its parents is missing, or the attempt alone."""
    namespace = NAMESPACES.find(call, request.namespace_name)
    if player_jobs.named(player_jobs.jobs_of(namespace, user_id), request.job_name) is None:
        return no_job()
    return NotFound(
        "This job has no such attempt yet.", component="jobResult", message="jobQueue.jobResult.jobResult.error.notFound"
    )


METHODS = [
    method(
        "jobResult", "getJobResult", "GET", "/{namespaceName}/user/me/job/{jobName}/result", OwnResultRequest, ResultResult,
        get_job_result, "How an attempt of one's own job ended",
    ),
    method(
        "jobResult", "getJobResultByUserId", "GET", "/{namespaceName}/user/{userId}/job/{jobName}/result", ResultRequest,
        ResultResult, get_job_result_by_user_id, "How an attempt ended",
    ),
]  # fmt: skip
