"""Requests and results that several methods of GS2-JobQueue share, and how rows become them."""
from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from gs2admin.db.columns import milliseconds
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.wire.shapes import Integer, Result, Shape, Text, field
from gs2admin.wire.table import Auth, Method
from jobqueue.models import Job
from jobqueue.reads.player_jobs import JobRow
from jobqueue.states import JobState

# 10 jobs of 128 KB each; in JSON text a character of the arguments may take 6 bytes.
PUSH_BODY = 10 * 131_072 * 6 + 64 * 1024
# States in which the newest attempt has not failed.
_BEGUN = frozenset({JobState.RUNNING, JobState.DONE})


def _somebody(value: Any) -> Any:
    if value == "me":
        raise PydanticCustomError("not_user", "is reserved for the methods that take an access token")
    return value


UserId = Annotated[Text, BeforeValidator(_somebody)]


class NamespaceRequest(Shape):
    """Fields of the methods that take an access token."""

    namespace_name: Text = field("jobQueue.namespace.name", max_length=128, description="The namespace.")


class UserRequest(NamespaceRequest):
    """Fields of the ByUserId methods."""

    user_id: UserId = field("jobQueue.job.userId", max_length=128, description="The player.")


class JobModel(Result):
    """A job in a player's queue. currentRetryCount: attempts that failed so far."""

    job_id: str
    name: str
    user_id: str
    script_id: str
    args: str
    current_retry_count: int
    max_try_count: int
    created_at: int
    updated_at: int


class JobResultBodyModel(Result):
    """How an attempt ended; its number begins at 1 here."""

    try_number: int
    status_code: int
    result: str
    try_at: int


class JobResultModel(Result):
    """How an attempt ended; its number begins at 0 here."""

    job_result_id: str
    job_id: str
    script_id: str
    args: str
    try_number: int
    status_code: int
    result: str
    try_at: int


class JobItemResult(Result):
    """One job."""

    item: JobModel


class JobsRequest(UserRequest):
    """Fields of describeJobsByUserId."""

    page_token: Text | None = field("jobQueue.job.pageToken", None, max_length=1024)
    limit: Integer = field("jobQueue.job.limit", 30, ge=1, le=1000)


def user_grn(project: Project, namespace: str, user_id: str) -> str:
    """The front of the GRNs of a player's things. namespace: its name."""
    return f"grn:gs2:{project.region}:{project.owner_id}:queue:{namespace}:user:{user_id}"


def row_of(job: Job) -> JobRow:
    """A job that a service returned, as reads give it."""
    return JobRow(
        job.pk, str(job.name), job.script_id, job.args, job.state, job.try_count, job.max_try_count,
        milliseconds(job.created_at), milliseconds(job.updated_at),
    )  # fmt: skip


def job_item(front: str, user_id: str, job: JobRow) -> dict[str, Any]:
    """The contract's Job. front: user_grn of its player."""
    return {
        "jobId": f"{front}:job:{job.uuid}",
        "name": job.uuid,
        "userId": user_id,
        "scriptId": job.script_id,
        "args": job.args,
        "currentRetryCount": job.try_count - (job.state in _BEGUN),
        "maxTryCount": job.max_try_count,
        "createdAt": job.created_ms,
        "updatedAt": job.updated_ms,
    }


def result_body(try_number: int, status_code: int, result: str, tried_ms: int) -> dict[str, Any]:
    """The contract's JobResultBody. try_number: 0 is the first."""
    return {"tryNumber": try_number + 1, "statusCode": status_code, "result": result, "tryAt": tried_ms}


def no_job() -> NotFound:
    """No such job in this queue."""
    return NotFound(
        "There is no such job in this queue; it may be finished.", component="job", message="jobQueue.job.job.error.notFound"
    )


def method(
    component: str, function: str, verb: str, path: str, request: Any, result: Any, handler: Any, summary: str, **more: Any
) -> Method:
    """A method of GS2-JobQueue: `me` in its path asks for an access token, `{userId}` lets a time-offset token in."""
    me = "/user/me/" in path
    return Method(
        service="job-queue",
        component=component,
        function=function,
        verb=verb,
        path=path,
        request=request,
        result=result,
        handler=handler,
        summary=summary,
        auth=Auth.ACCESS if me else Auth.PROJECT,
        writes=more.pop("writes", verb != "GET"),
        takes_time_offset="{userId}" in path,
        **more,
    )
