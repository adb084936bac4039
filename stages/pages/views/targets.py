"""The targets of a stage: where its microservices are deployed, and how."""
from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, form_page, never_kept
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from stages.models import Stage, Target
from stages.pages.forms.settings import TargetForm
from stages.pages.views.stage import stage_of
from stages.setup.stages import rotate_target_key
from stages.setup.targets import move_target, remove_target, save_target
from stages.states import ALL_PHASES, PHASES
from stages.steps import KINDS
from stages.steps.signing import signing_key

SHOW_KEY = "show_signing_key"
KINDS_OFFERED = ("command", "http", "storage", "kubernetes")
get_and_post = require_http_methods(["GET", "POST"])


def target_of(stage: Stage, name: str) -> Target:
    """The stage's target of that name. Raises NotFound."""
    row = stage.targets.filter(name=name).first()
    if row is None:
        raise NotFound(f"{stage.name} has no target {name}. It may have been removed or renamed.", component="target")
    row.stage = stage
    return row


def _address(stage: Stage, name: str = "stage-targets", **more: Any) -> str:
    return reverse(name, kwargs={"project": stage.project.name, "stage": stage.name, **more})


def _crumbs(stage: Stage, *last: tuple[str, str]) -> list[tuple[str, str]]:
    return [(stage.name, _address(stage, "stage")), ("Targets", _address(stage)), *last]


def _stage(project: Project, name: str) -> Stage:
    row = stage_of(project, name)
    row.project = project
    return row


def _show_key_once(request: HttpRequest, target: Target) -> None:
    if target.kind == "http":
        request.session[SHOW_KEY] = [str(target.uid), target.rotation]


@require_GET
@project_page("stage.edit")
def targets(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """The targets in the order in which a rollout goes through them."""
    row = _stage(project, stage)
    found = list(row.targets.all())
    return render(request, "stages/targets.html", {
        "stage": row,
        "targets": [(target, _summary(target)) for target in found],
        "commands": sorted(settings.STEP_COMMANDS),
        "stores": sorted(settings.STEP_STORAGES),
        "clusters": sorted(settings.STEP_KUBECONFIGS),
        "title": f"Targets of {row.name}",
        "text": "Where the microservices of this stage go. A rollout takes each microservice through all targets, in this order.",
        "crumbs": [(row.name, _address(row, "stage")), ("Targets", "")],
    })


def _summary(target: Target) -> list[tuple[str, str]]:
    """Per phase what it does: [("pre", "deploy-script, at most 600 s"), …]."""
    found = []
    for phase in ALL_PHASES:
        config = target.config.get(phase)
        what = "nothing"
        if config and target.kind == "storage":
            what = f"{config['source']} from {config['source_store']} as {config['path']} in {config['store']}"
        elif config and target.kind == "kubernetes":
            what = f"{config['deployment']} in {config['namespace']} of {config['kubeconfig']}, image {config['image']}"
        elif config:
            what = f"{config.get('command') or config.get('url')}, at most {config.get('timeout_s')} s"
        if config or phase in PHASES:
            found.append((phase, what))
    return found


@get_and_post
@project_page("stage.edit")
def create(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """A new target of the kind ?kind=, one of KINDS_OFFERED."""
    row = _stage(project, stage)
    kind = request.GET.get("kind", "")
    if kind not in KINDS_OFFERED:
        kind = "command" if settings.STEP_COMMANDS else "http"
    form = TargetForm(request.POST if request.method == "POST" else None, kind=kind)
    return _editor(request, row, form, None, title=f"New target of {row.name}", button="Add target")


@get_and_post
@project_page("stage.edit")
def edit(request: HttpRequest, project: Project, stage: str, target: str) -> HttpResponse:
    """One target; its signing key is shown here once after it was made or renewed."""
    row = _stage(project, stage)
    now = target_of(row, target)
    form = TargetForm(
        request.POST if request.method == "POST" else None, kind=now.kind, config=now.config, initial={"name": now.name}
    )
    return _editor(request, row, form, now, title=f"Target {now.name}", button="Save")


def _editor(request: HttpRequest, stage: Stage, form: TargetForm, now: Target | None, *, title: str, button: str) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        saved = attempt(form, lambda: save_target(
            actor=request.actor, stage=stage, name=sent["name"], kind=form.kind, config=form.config(),
            was=now.name if now else "", reason=sent["reason"],
        ))
        if saved:
            messages.success(request, f"{saved.name} is saved. Rollouts that run now go on as they started.")
            if saved.kind == "http" and (now is None or now.uid != saved.uid):
                _show_key_once(request, saved)
                return redirect("target-edit", project=stage.project.name, stage=stage.name, target=saved.name)
            return redirect(_address(stage))
    key = ""
    if now and request.method == "GET" and request.session.get(SHOW_KEY) == [str(now.uid), now.rotation]:
        del request.session[SHOW_KEY]
        key = signing_key(str(now.uid), now.rotation)
    response = form_page(
        request, form, template="stages/target.html", title=title, button=button, back=_address(stage), stage=stage,
        target=now, key=key, kind=KINDS[form.kind].label, kind_name=form.kind, may_add_command=bool(settings.STEP_COMMANDS),
        crumbs=_crumbs(stage, (now.name if now else "New", "")),
    )
    return never_kept(response) if key else response


@require_POST
@project_page("stage.edit")
def move(request: HttpRequest, project: Project, stage: str, target: str) -> HttpResponse:
    """One place earlier (by=-1) or later (by=1)."""
    row = _stage(project, stage)
    move_target(actor=request.actor, stage=row, name=target, by=-1 if request.POST.get("by") == "-1" else 1)
    return redirect(_address(row))


@get_and_post
@project_page("stage.edit")
def rotate(request: HttpRequest, project: Project, stage: str, target: str) -> HttpResponse:
    """Ask for confirmation, then give an http target a new signing key and show it once."""
    row = _stage(project, stage)
    now = target_of(row, target)
    if now.kind != "http":
        raise NotFound(f"{now.name} runs commands; only HTTP targets have a signing key.", component="target")
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: rotate_target_key(
            actor=request.actor, target=now, reason=form.cleaned_data["reason"]
        ))
        if done:
            _show_key_once(request, done)
            return redirect("target-edit", project=project.name, stage=row.name, target=now.name)
    return confirm_page(
        request, form, title=f"New signing key for {now.name}", button="Make a new key",
        back=_address(row, "target-edit", target=now.name), crumbs=_crumbs(row, (now.name, "")),
        points=[
            "The new key is shown once, on the next page.",
            "Rollouts that start from now on sign with it; a receiver that knows only the old key refuses them.",
            "A rollout that runs now goes on with the old key.",
        ],
    )


@get_and_post
@project_page("stage.edit")
def delete(request: HttpRequest, project: Project, stage: str, target: str) -> HttpResponse:
    """Ask for confirmation, then remove a target."""
    row = _stage(project, stage)
    now = target_of(row, target)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        refused = attempt(form, lambda: remove_target(
            actor=request.actor, stage=row, name=now.name, reason=form.cleaned_data["reason"]
        ) or True) is None
        if not refused:
            messages.success(request, f"{now.name} is removed from {row.name}.")
            return redirect(_address(row))
    only = not row.targets.exclude(pk=now.pk).exists()
    return confirm_page(
        request, form, title=f"Remove {now.name}", button="Remove target", back=_address(row),
        crumbs=_crumbs(row, (now.name, "")),
        points=[
            f"The next rollouts of {row.name} no longer go there; what runs there keeps running.",
            "It is the only target: after this, a rollout only moves the pins." if only else
            "The other targets keep their order.",
            "A rollout that runs now still goes there. "
            + ("Its signing key is deleted; a new target gets another one." if now.kind == "http" else ""),
        ],
    )
