"""Jobs: push, list, get, run, delete."""
from __future__ import annotations

from typing import Any

from gs2admin.db.columns import milliseconds
from gs2admin.wire.call import Call
from gs2admin.wire.paging import cut, small
from gs2admin.wire.shapes import Integer, Result, Shape, Text, field
from jobqueue.api.namespaces import NAMESPACES
from jobqueue.api.shapes import (
    PUSH_BODY,
    JobItemResult,
    JobModel,
    JobResultBodyModel,
    JobsRequest,
    NamespaceRequest,
    UserRequest,
    job_item,
    method,
    no_job,
    result_body,
    row_of,
    user_grn,
)
from jobqueue.models import Job, Namespace
from jobqueue.reads import player_jobs
from jobqueue.services import Entry, Ran, delete_job, push_jobs, run_next


class JobEntry(Shape):
    """One job to push."""

    script_id: Text = field("jobQueue.jobEntry.scriptId", max_length=1024, description="GRN, or a name in `default`.")
    args: Text = field("jobQueue.jobEntry.args", "{}", max_length=131_072, description="JSON text.")
    max_try_count: Integer = field("jobQueue.jobEntry.maxTryCount", 3, ge=0, le=100, description="0 means 3.")


class PushRequest(UserRequest):
    """Fields of pushByUserId."""

    jobs: list[JobEntry] = field("jobQueue.job.jobs", [], max_length=10)


class JobRequest(UserRequest):
    """Fields that name a job."""

    job_name: Text = field("jobQueue.job.name", max_length=36, description="A UUID.")


class OwnJobRequest(NamespaceRequest):
    """The same for the player of an access token."""

    job_name: Text = field("jobQueue.job.name", max_length=36, description="A UUID.")


class JobsResult(Result):
    """A page, in the order in which they run."""

    items: list[JobModel]
    next_page_token: str | None = None


class PushResult(Result):
    """The jobs as they were made, in the order of the request."""

    items: list[JobModel]
    auto_run: bool


class RunResult(Result):
    """isLastJob: nothing of this player waits any more. item and result are null when nothing was run."""

    item: JobModel | None = None
    result: JobResultBodyModel | None = None
    is_last_job: bool


def describe_jobs(call: Call, request: JobsRequest) -> dict[str, Any]:
    """Waiting and running ones, the next first. Raises NotFound, Invalid."""
    NAMESPACES.may_view(call)
    after = NAMESPACES.after(
        call, request.namespace_name, request.page_token, "job", int, component="job", word="jobQueue.job.pageToken"
    )
    rows = player_jobs.queued_after(
        call.project, request.namespace_name, request.user_id, after=after or 0, limit=request.limit, small=small(request.limit)
    )
    if not rows:
        NAMESPACES.find(call, request.namespace_name)
    shown, token = cut(rows, by="id", limit=request.limit, kind="job", size="size")
    front = user_grn(call.project, request.namespace_name, request.user_id)
    items = [job_item(front, request.user_id, job) for job in player_jobs.with_arguments(shown)]
    return {"items": items, "nextPageToken": token}


def get_job(call: Call, request: JobRequest) -> dict[str, Any]:
    """A job that waits or runs. Raises NotFound."""
    NAMESPACES.may_view(call)
    job = player_jobs.queued_job(call.project, request.namespace_name, request.user_id, request.job_name)
    if job is None:
        NAMESPACES.find(call, request.namespace_name)
        raise no_job()
    return {"item": job_item(user_grn(call.project, request.namespace_name, request.user_id), request.user_id, job)}


def push(call: Call, request: PushRequest) -> dict[str, Any]:
    """At most 10 jobs. Raises NotFound, Denied, Invalid."""
    namespace = NAMESPACES.find(call, request.namespace_name)
    entries = [Entry(entry.script_id, entry.args, entry.max_try_count) for entry in request.jobs]
    jobs, auto = push_jobs(actor=call.actor, namespace=namespace, user_id=request.user_id, entries=entries)
    front = user_grn(call.project, namespace.name, request.user_id)
    return {"items": [job_item(front, request.user_id, row_of(job)) for job in jobs], "autoRun": auto}


def run(call: Call, request: NamespaceRequest) -> dict[str, Any]:
    """The next job of the access token's player. Raises NotFound, Denied, Conflict while another run goes on."""
    return _run(call, request.namespace_name, call.user_id)


def run_by_user_id(call: Call, request: UserRequest) -> dict[str, Any]:
    """The next job of a player. Raises NotFound, Denied, Conflict while another run goes on."""
    return _run(call, request.namespace_name, request.user_id)


def _run(call: Call, namespace_name: str, user_id: str) -> dict[str, Any]:
    namespace = NAMESPACES.find(call, namespace_name)
    front = user_grn(call.project, namespace.name, user_id)

    def answer(ran: Ran) -> dict[str, Any]:
        job, result = ran.job, ran.result
        done = job is not None and result is not None
        return {
            "item": job_item(front, user_id, row_of(job)) if done else None,
            "result": result_body(result.try_number, result.status_code, result.result, milliseconds(result.tried_at))
            if done else None,
            "isLastJob": ran.last,
        }

    return answer(
        run_next(actor=call.actor, namespace=namespace, user_id=user_id, settled=lambda ran: call.seal(answer(ran)))
    )


def delete(call: Call, request: OwnJobRequest) -> dict[str, Any]:
    """Whatever the job is doing. Raises NotFound, Denied."""
    return _delete(call, request.namespace_name, call.user_id, request.job_name)


def delete_by_user_id(call: Call, request: JobRequest) -> dict[str, Any]:
    """Whatever the job is doing. Raises NotFound, Denied."""
    return _delete(call, request.namespace_name, request.user_id, request.job_name)


def _delete(call: Call, namespace_name: str, user_id: str, name: str) -> dict[str, Any]:
    namespace: Namespace = NAMESPACES.find(call, namespace_name)
    job: Job | None = player_jobs.named(player_jobs.queued(namespace, user_id).select_related("queue"), name)
    if job is None:
        raise no_job()
    gone = delete_job(actor=call.actor, namespace=namespace, job=job)
    return {"item": job_item(user_grn(call.project, namespace.name, user_id), user_id, row_of(gone))}


_JOBS = "/{namespaceName}/user/{userId}/job"
_MINE = "/{namespaceName}/user/me/job"
METHODS = [
    method(
        "job", "describeJobsByUserId", "GET", _JOBS, JobsRequest, JobsResult, describe_jobs, "A player's waiting jobs",
    ),
    method("job", "getJobByUserId", "GET", _JOBS + "/{jobName}", JobRequest, JobItemResult, get_job, "A waiting job"),
    method(
        "job", "pushByUserId", "POST", _JOBS, PushRequest, PushResult, push, "Append jobs to a player's queue",
        takes_duplication_avoider=True, body_cap=PUSH_BODY,
    ),
    method(
        "job", "run", "POST", _MINE + "/run", NamespaceRequest, RunResult, run, "Run one's own next job",
        takes_duplication_avoider=True, runs_scripts=True,
    ),
    method(
        "job", "runByUserId", "POST", _JOBS + "/run", UserRequest, RunResult, run_by_user_id, "Run a player's next job",
        takes_duplication_avoider=True, runs_scripts=True,
    ),
    method(
        "job", "deleteJob", "DELETE", _MINE + "/{jobName}", OwnJobRequest, JobItemResult, delete, "Take one's own job away",
        takes_duplication_avoider=True,
    ),
    method(
        "job", "deleteJobByUserId", "DELETE", _JOBS + "/{jobName}", JobRequest, JobItemResult, delete_by_user_id,
        "Take a job away", takes_duplication_avoider=True,
    ),
]  # fmt: skip
