"""One job: what it was asked to do, how each attempt ended, and what can be done about it."""
from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from gs2admin.audit.models import Activity
from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.player import address
from gs2admin.dashboard.polling import BUSY_MS, CALM_MS, cursor_of, is_present, live_answer
from gs2admin.dashboard.posting import attempt, confirm_page
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from jobqueue.models import GivenUp, Job, JobResult
from jobqueue.pages.forms import ReplayOneForm
from jobqueue.pages.pretty import shown, shown_lines
from jobqueue.pages.views.common import at, back_to, crumbs, get_and_post, rights, script_urls
from jobqueue.reads.jobs import attempts, job_of
from jobqueue.services import delete_job, replay_job
from jobqueue.states import JobState
from jobqueue.templatetags.jobs import player_url, script_name


def _crumbs(project: Project, row: Job, *more: tuple[str, str]) -> list[tuple[str, str]]:
    namespace = row.queue.namespace
    player = player_url({"project": project}, namespace.name, row.queue.user_id)
    return crumbs(project, (namespace.name, at("queues-namespace", namespace)), (row.queue.user_id, player), *more)


def _cursor(row: Job) -> str:
    return cursor_of(row.state, row.try_count, row.updated_at)


def _parts(request: HttpRequest, project: Project, row: Job) -> dict[str, Any]:
    found = attempts(row)
    line = getattr(row, "given_up", None) if row.state == JobState.GIVEN_UP else None
    return {
        "job": row, "queue": row.queue, "namespace": row.queue.namespace, "cursor": _cursor(row), "line": line,
        "args": shown(row.args_head, row.args_size),
        "attempts": [(each, shown(each.body, each.body_size), shown_lines(each.printed, each.printed_size)) for each in found],
        "replays": list(row.replays.order_by("pk").defer("args")[:20]),
        "notifications": list(row.notifications.order_by("pk")[:100]),
        "player": address(project, row.queue.user_id),
        "script_url": script_urls(project, [row.script_id]).get(row.script_id, ""),
        "every": BUSY_MS if row.state == JobState.RUNNING else CALM_MS,
        "live_url": reverse("queues-job-live", kwargs={"project": project.name, "job": row.name}),
        "still": row.state not in (JobState.RUNNING, JobState.WAITING),
        **rights(request, project, "job.run", "job.delete", "job.replay", "job.push"),
    }


@require_GET
@project_page()
def job(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """The page."""
    row = job_of(project, job)
    staff = Activity.objects.filter(project=project, object_type="job", object_id=str(row.pk)).order_by("-id")[:10]
    return render(request, "jobqueue/job.html", {
        **_parts(request, project, row), "crumbs": _crumbs(project, row, (script_name(row.script_id), "")),
        "staff": list(staff) if can(request.actor, "activity.view", project) else [],
    })


@require_GET
@project_page()
def live(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """What moved since the reader's cursor."""
    row = Job.objects.filter(name=job, queue__namespace__project=project).only("state", "try_count", "updated_at").first()
    if row is not None and is_present(request, _cursor(row)):
        return live_answer(request, "", _cursor(row), {})
    row = job_of(project, job)
    return live_answer(request, "jobqueue/_job_live.html", _cursor(row), _parts(request, project, row))


def _file(text: str, name: str) -> HttpResponse:
    """Text exactly as it is stored, to keep."""
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
    })


@require_GET
@project_page()
def arguments(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """The arguments, byte for byte."""
    row = job_of(project, job, shown=1)
    return _file(Job.objects.values_list("args", flat=True).get(pk=row.pk), f"{row.name}-arguments.json")


def _result(project: Project, name: UUID, number: int) -> JobResult:
    row = JobResult.objects.filter(job__name=name, job__queue__namespace__project=project, try_number=number - 1).first()
    if row is None:
        raise NotFound("There is no such attempt.", component="jobResult")
    return row


@require_GET
@project_page()
def result(request: HttpRequest, project: Project, job: UUID, number: int) -> HttpResponse:
    """The whole body of one attempt; number: 1 for the first."""
    return _file(_result(project, job, number).result, f"{job}-try-{number}.json")


@require_GET
@project_page()
def output(request: HttpRequest, project: Project, job: UUID, number: int) -> HttpResponse:
    """All that one attempt printed."""
    return _file(_result(project, job, number).output, f"{job}-try-{number}.txt")


def _back(request: HttpRequest, row: Job) -> str:
    """Where the question came from: the page of the job, or of the player."""
    namespace = row.queue.namespace
    if request.GET.get("from") == "player":
        return back_to(request, namespace, row.queue.user_id)
    return reverse("queues-job", kwargs={"project": namespace.project.name, "job": row.name})


@get_and_post
@project_page("job.delete")
def delete(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """Ask, then take the job away."""
    row = job_of(project, job, shown=1)
    here = _back(request, row)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: delete_job(
            actor=request.actor, namespace=row.queue.namespace, job=row, reason=form.cleaned_data["reason"]
        ))
        if done:
            messages.success(request, f"{script_name(row.script_id)} of {row.queue.user_id} is deleted.")
            return redirect(back_to(request, row.queue.namespace, row.queue.user_id))
    said = {
        JobState.WAITING: ["It will never run; the jobs behind it move up."],
        JobState.RUNNING: ["It is running now: what it has done already stays done, and its result is dropped.",
                           "The jobs behind it go on."],
        JobState.DONE: ["It is done already; only what is kept of it goes."],
        JobState.GIVEN_UP: ["It was given up; after this it cannot be replayed any more."],
    }[JobState(row.state)]
    return confirm_page(
        request, form, title=f"Delete {script_name(row.script_id)} of {row.queue.user_id}", button="Delete job", back=here,
        points=[*said, "Its arguments and the results of its attempts go with it. This cannot be taken back."],
        crumbs=_crumbs(project, row, (script_name(row.script_id), here), ("Delete", "")),
    )


def _replayed(row: Job) -> str:
    """When the job was replayed last, for the form that asks; empty when it was not."""
    at = GivenUp.objects.filter(job=row).values_list("replayed_at", flat=True).first()
    return at.isoformat() if at else ""


@get_and_post
@project_page("job.replay")
def replay(request: HttpRequest, project: Project, job: UUID) -> HttpResponse:
    """Ask, then push a given-up job again."""
    row = job_of(project, job, shown=1)
    here = _back(request, row)
    last = _replayed(row)
    form = ReplayOneForm(request.POST if request.method == "POST" else None, initial={"seen": last})
    if request.method == "POST" and form.is_valid():
        whole = Job.objects.select_related("queue").get(pk=row.pk)
        made = attempt(form, lambda: replay_job(
            actor=request.actor, namespace=row.queue.namespace, job=whole, replayed_at=form.replayed_at(),
            reason=form.cleaned_data["reason"],
        ))
        if made:
            messages.success(request, "It is pushed again as this job.")
            return redirect("queues-job", project=project.name, job=made.name)
        last = _replayed(row)
        form.data = {**form.data.dict(), "seen": last}  # asked once more, it knows what is so now
    if row.state != JobState.GIVEN_UP and not form.is_bound:
        messages.info(request, "Only a job that was given up can be replayed.")
        return redirect(here)
    auto = row.queue.namespace.enable_auto_run
    again = "It was replayed before; this makes another one." if last else ""
    return confirm_page(
        request, form, title=f"Replay {script_name(row.script_id)} of {row.queue.user_id}", button="Replay", tone="primary",
        back=here,
        points=[
            "A new job with the same script and the same arguments goes to the end of this player's queue, linked to this one.",
            f"It has {row.max_try_count} tries, and {'the server runs it' if auto else 'waits for somebody to run it'}.",
            "What the failed attempts did already is not undone.", *([again] if again else []),
        ],
        crumbs=_crumbs(project, row, (script_name(row.script_id), here), ("Replay", "")),
    )
