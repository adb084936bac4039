"""Creating, changing and deleting a stage."""
from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, form_page
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from stages.pages.forms.settings import StageForm
from stages.pages.views.stage import stage_of
from stages.setup.stages import create_stage, delete_stage, update_stage

get_and_post = require_http_methods(["GET", "POST"])


@get_and_post
@project_page("stage.edit")
def create(request: HttpRequest, project: Project) -> HttpResponse:
    """A new stage; it pins nothing until it is promoted."""
    form = StageForm(request.POST if request.method == "POST" else None, project=project)
    if request.method == "POST" and form.is_valid():
        stage = attempt(form, lambda: create_stage(actor=request.actor, project=project, **form.values()))
        if stage:
            messages.success(request, f"{stage.name} is created. It pins nothing yet; promote it to give it its first versions.")
            return redirect("stage", project=project.name, stage=stage.name)
    return form_page(
        request, form, title="New stage", button="Create stage", crumbs=[("New stage", "")],
        back=reverse("board", kwargs={"project": project.name}),
        text="An environment that pins the version of every microservice.",
    )


@get_and_post
@project_page("stage.edit")
def edit(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """The name, source and place of a stage, with links to its targets and to deleting it."""
    row = stage_of(project, stage)
    facts = {"name": row.name, "source": row.source.name if row.source_id else "", "sort_number": row.sort_number}
    form = StageForm(request.POST if request.method == "POST" else None, project=project, stage=row, initial=facts)
    if request.method == "POST" and form.is_valid():
        saved = attempt(form, lambda: update_stage(actor=request.actor, stage=row, **form.values()))
        if saved:
            messages.success(request, f"{saved.name} is saved.")
            return redirect("stage", project=project.name, stage=saved.name)
    page = reverse("stage", kwargs={"project": project.name, "stage": row.name})
    return form_page(
        request, form, template="stages/edit.html", title=f"Edit {row.name}", button="Save", back=page, stage=row,
        may_rule=can(request.actor, "approval.edit", project),
        crumbs=[(row.name, page), ("Edit", "")],
        text="Saving deploys nothing; the next promote uses these settings.",
    )


@get_and_post
@project_page("stage.edit")
def delete(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """Ask for confirmation, then delete a stage."""
    row = stage_of(project, stage)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        refused = attempt(form, lambda: delete_stage(
            actor=request.actor, stage=row, reason=form.cleaned_data["reason"]
        ) or True) is None
        if not refused:
            messages.success(request, f"{row.name} is deleted. Its rollouts stay readable.")
            return redirect("board", project=project.name)
    page = reverse("stage", kwargs={"project": project.name, "stage": row.name})
    pinned = row.current_set.size if row.current_set_id else 0
    return confirm_page(
        request, form, title=f"Delete {row.name}", button="Delete stage", back=page,
        crumbs=[(row.name, page), ("Delete", "")],
        points=[
            f"{row.name} leaves the board, and programs that name it get an error.",
            f"Its {pinned} pinned version{'' if pinned == 1 else 's'} and its targets are deleted; what runs keeps running.",
            "Its rollouts and their output stay readable. A stage that is updating, or is a source, cannot be deleted.",
            "This cannot be undone; a new stage of the same name starts empty.",
        ],
    )
