"""One job: its arguments and bodies by their beginnings, because they may be megabytes."""
from __future__ import annotations

from uuid import UUID

from django.db.models.functions import Length, Substr

from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from jobqueue.models import Job, JobResult

ARGS_SHOWN = 65_536
BODY_SHOWN = 16_384


def job_of(project: Project, name: UUID, *, shown: int = ARGS_SHOWN) -> Job:
    """The project's job with its queue and namespace; args_head and args_size instead of args. Raises NotFound."""
    job = (
        Job.objects.filter(name=name, queue__namespace__project=project)
        .select_related("queue__namespace__project", "replay_of")
        .defer("args", "replay_of__args")
        .annotate(args_head=Substr("args", 1, shown), args_size=Length("args"))
        .first()
    )
    if job is None:
        raise NotFound("There is no such job: it was deleted, or it left its queue so long ago that it is not kept any more.",
                       component="job")
    return job


def with_arguments(job: Job, *, shown: int) -> Job:
    """The job with args_head and args_size; for one that was read without its arguments."""
    row = Job.objects.filter(pk=job.pk).order_by().values_list(Substr("args", 1, shown), Length("args")).first()
    job.args_head, job.args_size = row or ("", 0)
    return job


def attempts(job: Job) -> list[JobResult]:
    """How its attempts ended, newest first, with the beginnings of their texts: body, body_size, printed, printed_size."""
    rows = job.results.order_by("-try_number").defer("result", "output")
    return list(rows.annotate(
        body=Substr("result", 1, BODY_SHOWN), body_size=Length("result"),
        printed=Substr("output", 1, BODY_SHOWN), printed_size=Length("output"),
    ))
