"""Jobs: push, list, get, run, delete."""
from __future__ import annotations

from typing import Any

from gs2admin.wire.call import Call
from gs2admin.wire.paging import key_of, page
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
    namespace = NAMESPACES.find(call, request.namespace_name)
    after = key_of(request.page_token, "job", int, component="job", word="jobQueue.job.pageToken")
    return page(
        player_jobs.queued_after(namespace, request.user_id, after=after, limit=request.limit), by="id", after=after,
        limit=request.limit, kind="job",
        item=lambda job: job_item(namespace, request.user_id, job), size=player_jobs.SIZE_OF_JOB,
    )  # fmt: skip


def get_job(call: Call, request: JobRequest) -> dict[str, Any]:
    """A job that waits or runs. Raises NotFound."""
    namespace = NAMESPACES.find(call, request.namespace_name)
    job = player_jobs.named(player_jobs.queued(namespace, request.user_id), request.job_name)
    if job is None:
        raise no_job()
    return {"item": job_item(namespace, request.user_id, job)}


def push(call: Call, request: PushRequest) -> dict[str, Any]:
    """At most 10 jobs. Raises NotFound, Denied, Invalid."""
    namespace = NAMESPACES.find(call, request.namespace_name)
    entries = [Entry(entry.script_id, entry.args, entry.max_try_count) for entry in request.jobs]
    jobs, auto = push_jobs(actor=call.actor, namespace=namespace, user_id=request.user_id, entries=entries)
    return {"items": [job_item(namespace, request.user_id, job) for job in jobs], "autoRun": auto}


def run(call: Call, request: NamespaceRequest) -> dict[str, Any]:
    """The next job of the access token's player. Raises NotFound, Denied, Conflict while another run goes on."""
    return _run(call, request.namespace_name, call.user_id)


def run_by_user_id(call: Call, request: UserRequest) -> dict[str, Any]:
    """The next job of a player. Raises NotFound, Denied, Conflict while another run goes on."""
    return _run(call, request.namespace_name, request.user_id)


def _run(call: Call, namespace_name: str, user_id: str) -> dict[str, Any]:
    namespace = NAMESPACES.find(call, namespace_name)

    def answer(ran: Ran) -> dict[str, Any]:
        done = ran.job is not None and ran.result is not None
        return {
            "item": job_item(namespace, user_id, ran.job) if done else None,
            "result": result_body(ran.result) if done else None,
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
    return {"item": job_item(namespace, user_id, delete_job(actor=call.actor, namespace=namespace, job=job))}


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
