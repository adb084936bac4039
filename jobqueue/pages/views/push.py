"""Pushing one job from the browser: a new one, or an old one with changes."""
from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, form_page
from gs2admin.identity.models import Project
from gs2admin.text import without_nul
from jobqueue.models import Job, Script
from jobqueue.pages.forms import PushForm
from jobqueue.pages.views.common import at, crumbs, get_and_post, namespace_of
from jobqueue.services import Entry, push_jobs
from jobqueue.templatetags.jobs import player_url

# Longer arguments are not put into a form.
EDITABLE = 131_072
NAMES = 200


@get_and_post
@project_page("job.push")
def push(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """The form; ?job=… begins with what that job has, ?id=… with a player."""
    row = namespace_of(project, namespace)
    start = {"user_id": without_nul(request.GET.get("id", "")), "script_id": without_nul(request.GET.get("script", ""))}
    like = _like(request, project)
    if like is not None:
        start = {"user_id": like.queue.user_id, "script_id": like.script_id, "args": like.args,
                 "max_try_count": like.max_try_count}
    form = PushForm(request.POST if request.method == "POST" else None, initial=start)
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        made = attempt(form, lambda: push_jobs(
            actor=request.actor, namespace=row, user_id=sent["user_id"],
            entries=[Entry(sent["script_id"], sent["args"] or "{}", sent["max_try_count"])],
        ))
        if made:
            jobs, auto = made
            messages.success(request, "The job is pushed. " + ("The server runs it now." if auto else "It waits to be run."))
            return redirect("queues-job", project=project.name, job=jobs[0].name)
    back = player_url({"project": project}, row.name, like.queue.user_id) if like else at("queues-namespace", row)
    names = Script.objects.filter(namespace__project=project, namespace__name="default").order_by("name")
    return form_page(
        request, form, template="jobqueue/push.html", title=f"Push a job to {row.name}", button="Push", back=back,
        names=list(names.values_list("name", flat=True)[:NAMES]), namespace=row,
        text=f"Begins with the script and arguments of {like.name}." if like else
        "It goes to the end of this player's queue.",
        crumbs=crumbs(project, (row.name, at("queues-namespace", row)), ("Push", "")),
    )


def _like(request: HttpRequest, project: Project) -> Job | None:
    try:
        name = UUID(request.GET.get("job", ""))
    except ValueError:
        return None
    row = Job.objects.filter(name=name, queue__namespace__project=project).select_related("queue").first()
    return row if row is not None and len(row.args) <= EDITABLE else None
