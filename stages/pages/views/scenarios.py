"""The scenarios of a stage: how its rollouts proceed."""
from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, form_page
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from stages.core.scenarios import Way, frozen, sentences, way_of
from stages.models import Scenario, Stage
from stages.pages.forms.scenarios import TIMES, ScenarioForm
from stages.pages.views.stage import stage_of
from stages.setup.scenarios import create_scenario, delete_scenario, update_scenario, use_scenario

get_and_post = require_http_methods(["GET", "POST"])


def _stage(project: Project, name: str) -> Stage:
    row = stage_of(project, name)
    row.project = project
    return row


def _address(stage: Stage, name: str = "stage-scenarios", **more: Any) -> str:
    return reverse(name, kwargs={"project": stage.project.name, "stage": stage.name, **more})


def _crumbs(stage: Stage, *last: tuple[str, str]) -> list[tuple[str, str]]:
    return [(stage.name, _address(stage, "stage")), ("Scenarios", _address(stage)), *last]


def _scenario(stage: Stage, pk: int) -> Scenario:
    row = Scenario.objects.filter(stage=stage, pk=pk).first()
    if row is None:
        raise NotFound(f"{stage.name} has no such scenario. It may have been deleted.", component="scenario")
    row.stage = stage
    return row


@get_and_post
@project_page("stage.edit")
def scenarios(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """All scenarios, what each does, and the one that promote and rollback use. POST chooses that one."""
    row = _stage(project, stage)
    if request.method == "POST":
        wanted = request.POST.get("scenario", "")
        chosen = _scenario(row, int(wanted)) if wanted.isdigit() and len(wanted) < 19 else None
        use_scenario(actor=request.actor, stage=row, scenario=chosen)
        how = f"with {chosen.name}" if chosen else "without a scenario"
        messages.success(request, f"{row.name} is promoted and rolled back {how} from now on.")
        return redirect(_address(row))
    count = row.targets.count()
    found = []
    for each in row.scenarios.all():
        each.stage = row
        found.append((each, sentences(way_of(frozen(each)), count)))
    return render(request, "stages/scenarios.html", {
        "stage": row, "scenarios": found, "plain": sentences(Way(), count), "title": f"Scenarios of {row.name}",
        "text": "How a rollout of this stage proceeds. A rollout that runs keeps the scenario that it started with.",
        "crumbs": [(row.name, _address(row, "stage")), ("Scenarios", "")],
    })


@get_and_post
@project_page("stage.edit")
def create(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """A new scenario."""
    row = _stage(project, stage)
    form = ScenarioForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        made = attempt(form, lambda: create_scenario(
            actor=request.actor, stage=row, use=form.cleaned_data["use"], reason=form.cleaned_data["reason"], **form.facts()
        ))
        if made:
            messages.success(request, f"{made.name} is created.")
            return redirect(_address(row))
    return _editor(request, row, form, title=f"New scenario of {row.name}", button="Create scenario", last="New")


@get_and_post
@project_page("stage.edit")
def edit(request: HttpRequest, project: Project, stage: str, pk: int) -> HttpResponse:
    """One scenario."""
    row = _stage(project, stage)
    now = _scenario(row, pk)
    form = ScenarioForm(request.POST if request.method == "POST" else None, scenario=now)
    if request.method == "POST" and form.is_valid():
        saved = attempt(form, lambda: update_scenario(
            actor=request.actor, scenario=now, use=form.cleaned_data["use"], reason=form.cleaned_data["reason"],
            seen=form.cleaned_data["revision"], **form.facts(),
        ))
        if saved:
            messages.success(request, f"{saved.name} is saved. Rollouts that run now go on as they started.")
            return redirect(_address(row))
    return _editor(request, row, form, title=f"Scenario {now.name}", button="Save", last=now.name)


def _editor(request: HttpRequest, stage: Stage, form: ScenarioForm, *, title: str, button: str, last: str) -> HttpResponse:
    return form_page(
        request, form, template="stages/scenario.html", title=title, button=button, back=_address(stage), stage=stage,
        crumbs=_crumbs(stage, (last, "")), scenario=form.scenario,
        times=[form[name] for name in TIMES],
    )


@get_and_post
@project_page("stage.edit")
def delete(request: HttpRequest, project: Project, stage: str, pk: int) -> HttpResponse:
    """Ask for confirmation, then delete a scenario."""
    row = _stage(project, stage)
    now = _scenario(row, pk)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        refused = attempt(form, lambda: delete_scenario(
            actor=request.actor, scenario=now, reason=form.cleaned_data["reason"]
        ) or True) is None
        if not refused:
            messages.success(request, f"{now.name} is deleted.")
            return redirect(_address(row))
    return confirm_page(
        request, form, title=f"Delete scenario {now.name}", button="Delete scenario", back=_address(row),
        crumbs=_crumbs(row, (now.name, "")),
        points=[
            f"{row.name} is then promoted and rolled back without a scenario: one microservice after the other, without undo."
            if row.scenario_id == now.pk else f"{row.name} does not use it for promote and rollback.",
            "Programs that name it get an error.",
            "Rollouts that used it keep their copy; one that runs now goes on as it started.",
        ],
    )
