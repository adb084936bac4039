"""Stops of promotions and freeze windows: the list, the forms, and the calendar."""
from __future__ import annotations

from itertools import islice

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from gs2admin.dashboard.errors import errors_for_programs
from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import actor_of, project_page, sign_in_first
from gs2admin.dashboard.posting import attempt, confirm_page, form_page, text_of
from gs2admin.db import clock
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from gs2admin.wire.unserved import for_programs
from stages.gates import calendar
from stages.gates.reads import closed
from stages.gates.services import remove_window, resume_promotions, save_window, stop_promotions
from stages.gates.windows import in_words, odd_weeks, until, upcoming
from stages.models import Stage
from stages.models.governance import FreezeWindow
from stages.pages.forms.gates import StopForm, WindowForm
from stages.pages.views.stage import stage_of

get_and_post = require_http_methods(["GET", "POST"])
# Sentences about weeks in which the clocks change, after a weekly window was saved.
TOLD = 2


def _windows(project: Project):
    return FreezeWindow.objects.filter(project=project).select_related("stage").order_by("id")


def _list(project: Project) -> str:
    return reverse("freezes", kwargs={"project": project.name})


@require_GET
@project_page()
def freezes(request: HttpRequest, project: Project) -> HttpResponse:
    """The stops that are on, and all windows: first those to come, in order, then those that are over."""
    now = clock.now()
    rows = []
    for window in _windows(project):
        found = upcoming(window, now)
        on = bool(found and found.start <= now)
        rows.append({"window": window, "when": in_words(window), "next": found, "on": on, "over": found is None,
                     "until": until(window, now) if on else None, "gone": bool(window.stage_id and window.stage.deleted_at),
                     "odd": next(odd_weeks(window, now), "")})
    rows.sort(key=lambda row: (row["over"], row["next"][0] if row["next"] else now))
    key = calendar.key_for(project, request.actor.id)
    feed = reverse("freeze-feed", kwargs={"project": project.name})
    stops = [gate for gate in closed(project.pk, now) if gate.kind == "stop"]
    names = dict(Stage.objects.existing(project.pk).values_list("id", "name")) if stops else {}
    return render(request, "stages/freezes.html", {
        "rows": rows,
        "stops": [(gate, names.get(gate.stage_id, "")) for gate in stops],
        "all_stopped": any(gate.stage_id is None for gate in stops),
        "feed": request.build_absolute_uri(f"{feed}?key={key}"),
        "may_edit": can(request.actor, "window.edit", project),
        "may_stop": can(request.actor, "line.stop", project),
        "may_resume": can(request.actor, "line.resume", project),
        "title": "Freezes", "crumbs": [("Freezes", "")],
        "text": "When no rollout may start, and where promotions are stopped now.",
    })


errors_for_programs(r"/p/[^/]+/freezes\.ics$")


@for_programs
@csrf_exempt  # a wrong method is told as such
@require_GET
def feed(request: HttpRequest, project: str) -> HttpResponse:
    """The windows as a calendar, for a member who is signed in or who uses their own signed address."""
    key = request.GET.get("key", "")
    if not key and not request.user.is_authenticated:
        return sign_in_first(request)
    row = Project.objects.filter(name=project).first()
    actor = None
    if row is not None:
        actor = calendar.reader_of(row, key) if key else actor_of(request)
    # One answer for whatever is missing: the project, the key, or the right.
    if actor is None or not can(actor, "project.view", row):
        raise NotFound("There is no such calendar. Copy its address again from the page of freeze windows.")
    windows = _windows(row).filter(stage__deleted_at=None)
    return HttpResponse(calendar.feed(row, windows, clock.now()), content_type="text/calendar; charset=utf-8", headers={
        "Content-Disposition": f'inline; filename="{row.name}-freezes.ics"', "Cache-Control": "no-store",
    })


@get_and_post
@project_page("window.edit")
def create(request: HttpRequest, project: Project) -> HttpResponse:
    """A new window."""
    form = WindowForm(request.POST if request.method == "POST" else None, project=project)
    return _editor(request, project, form, None, title="New freeze window", button="Create window")


@get_and_post
@project_page("window.edit")
def edit(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Change a window; rollouts that run go on."""
    window = _window(project, pk)
    form = WindowForm(request.POST if request.method == "POST" else None, project=project, window=window)
    return _editor(request, project, form, window, title=f"Freeze window {window.name}", button="Save")


def _window(project: Project, pk: int) -> FreezeWindow:
    row = _windows(project).filter(pk=pk).first()
    if row is None:
        raise NotFound("There is no such freeze window. It may have been removed.", component="window")
    return row


def _editor(request: HttpRequest, project: Project, form: WindowForm, window, *, title: str, button: str) -> HttpResponse:
    if request.method == "POST" and form.is_valid():
        saved = attempt(form, lambda: save_window(
            actor=request.actor, project=project, plan=form.plan(), window=window, reason=form.cleaned_data["reason"]
        ))
        if saved:
            messages.success(request, f"{saved.name} is saved. Rollouts that run now go on.")
            for sentence in [*form.decided(), *islice(odd_weeks(saved, clock.now()), TOLD)]:
                messages.warning(request, sentence)
            return redirect(_list(project))
    return form_page(
        request, form, template="stages/freeze.html", title=title, button=button, back=_list(project), window=window,
        crumbs=[("Freezes", _list(project)), (window.name if window else "New", "")],
        text="No rollout starts in a freeze window, however it is requested. People who may override it must say why.",
    )


@get_and_post
@project_page("window.edit")
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Ask for confirmation, then remove a window."""
    window = _window(project, pk)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        remove_window(actor=request.actor, window=window, reason=form.cleaned_data["reason"])
        messages.success(request, f"The freeze window {window.name} is removed.")
        return redirect(_list(project))
    return confirm_page(
        request, form, title=f"Remove {window.name}", button="Remove window", back=_list(project),
        crumbs=[("Freezes", _list(project)), (window.name, "")],
        points=[f"{in_words(window)}.", "From now on, rollouts can start in these hours again.",
                "It also disappears from the calendars of those who subscribed."],
    )


def _stage(request: HttpRequest, project: Project) -> Stage | None:
    name = text_of(request, "stage")
    return stage_of(project, name) if name else None


def _after(project: Project, stage: Stage | None) -> str:
    return reverse("stage", kwargs={"project": project.name, "stage": stage.name}) if stage else _list(project)


@get_and_post
@project_page("line.stop")
def stop(request: HttpRequest, project: Project) -> HttpResponse:
    """Ask why, then stop promotions: to ?stage=, else to all stages."""
    stage = _stage(request, project)
    where = stage.name if stage else "all stages"
    form = StopForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: stop_promotions(
        actor=request.actor, project=project, stage=stage, **form.cleaned_data
    )):
        messages.success(request, f"Promotions to {where} are stopped. No rollout starts there until a person lifts the stop.")
        return redirect(_after(project, stage))
    return confirm_page(
        request, form, title=f"Stop promotions to {where}", button="Stop promotions", back=_after(project, stage),
        crumbs=[("Freezes", _list(project)), ("Stop", "")],
        points=[f"From now on no rollout starts on {where}: not from here, not from game servers or build pipelines, "
                "not automatically.", "A rollout that runs already goes on; you can cancel it on its own page.",
                "The stop lasts until a producer or an admin lifts it."],
    )


@get_and_post
@project_page("line.resume")
def resume(request: HttpRequest, project: Project) -> HttpResponse:
    """Ask for confirmation, then lift the stop of ?stage=, else the one of all stages."""
    stage = _stage(request, project)
    where = stage.name if stage else "all stages"
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: resume_promotions(
        actor=request.actor, project=project, stage=stage, reason=form.cleaned_data["reason"]
    )):
        messages.success(request, f"The stop of promotions to {where} is lifted.")
        return redirect(_after(project, stage))
    stops = [gate.sentence for gate in closed(project.pk)
             if gate.kind == "stop" and gate.stage_id == (stage.pk if stage else None)]
    return confirm_page(
        request, form, title=f"Lift the stop of promotions to {where}", button="Lift the stop", back=_after(project, stage),
        crumbs=[("Freezes", _list(project)), ("Lift", "")],
        points=[*(stops or [f"Promotions to {where} are not stopped now."]),
                "Rollouts can start again at once, also automatic ones."],
    )
