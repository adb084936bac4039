"""Exporting, erasing and importing a player's data from the browser: say what will happen, ask, then show how it goes."""
from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.player import address
from gs2admin.dashboard.player_page import player_of
from gs2admin.dashboard.polling import BUSY_MS, cursor_of, is_present, live_answer, nothing_new
from gs2admin.dashboard.posting import attempt, confirm_page
from gs2admin.dashboard.templatetags.gs import plural
from gs2admin.db import clock
from gs2admin.identity.models import Project
from jobqueue.models import Queue, UserDataRun
from jobqueue.pages.views.common import get_and_post
from jobqueue.reads import everywhere
from jobqueue.states import LIVE, UserDataKind, UserDataState
from jobqueue.userdata import files, services
from jobqueue.userdata.format import Manifest, from_ms

RIGHT = services.RIGHT
TITLES = {UserDataKind.DUMP: "Export", UserDataKind.CLEAN: "Erasure", UserDataKind.IMPORT: "Import"}


def _crumbs(project: Project, user_id: str, *more: tuple[str, str]) -> list[tuple[str, str]]:
    return [("Players", reverse("players", kwargs={"project": project.name})), (user_id, address(project, user_id)), *more]


def _has(project: Project, user_id: str) -> tuple[str, int]:
    """What the player has now, as a sentence's end, and how many jobs wait."""
    queues: list[Queue] = everywhere.queues_of(project, user_id)
    count = sum(max(0, row.waiting) for row in queues)
    if not queues:
        return "This player has no queue in this project now", 0
    names = ", ".join(row.namespace.name for row in queues[:5]) + (f" and {len(queues) - 5} more" if len(queues) > 5 else "")
    waits = "no job waits" if not count else f"{count:,} job{'' if count == 1 else 's'} wait{'s' if count == 1 else ''}"
    return f"This player has {'a queue' if len(queues) == 1 else 'queues'} in {names}; {waits}", count


@get_and_post
@project_page(RIGHT)
def dump(request: HttpRequest, project: Project) -> HttpResponse:
    """Ask, then have the data written into a file."""
    user_id = player_of(request)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        made = attempt(form, lambda: services.start_dump(
            actor=request.actor, project=project, user_id=user_id, reason=form.cleaned_data["reason"]
        ))
        if made:
            return redirect(address(project, user_id, "player-run", pk=made.pk))
    return confirm_page(
        request, form, title=f"Export the data of {user_id}", button="Export", tone="primary", back=address(project, user_id),
        crumbs=_crumbs(project, user_id, ("Export", "")),
        points=[
            "All jobs, results and given-up jobs of this player, from all queue namespaces of this project, are written into one "
            "zip of JSON lines. Nothing is changed.",
            "Arguments, results and printed lines are in it exactly as they are stored, not as the pages show them for reading.",
            f"{_has(project, user_id)[0]}.",
            f"The file is kept for {settings.USER_DATA_KEEP_DAYS} days and downloaded by a link that ends by itself; whoever has "
            "the link has the file.",
        ],
    )


@get_and_post
@project_page(RIGHT)
def erase(request: HttpRequest, project: Project) -> HttpResponse:
    """Ask, then have everything removed."""
    user_id = player_of(request)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        made = attempt(form, lambda: services.start_clean(
            actor=request.actor, project=project, user_id=user_id, reason=form.cleaned_data["reason"]
        ))
        if made:
            return redirect(address(project, user_id, "player-run", pk=made.pk))
    has, waiting = _has(project, user_id)
    return confirm_page(
        request, form, title=f"Erase the data of {user_id}", button="Erase", back=address(project, user_id),
        crumbs=_crumbs(project, user_id, ("Erase", "")),
        points=[
            f"{has}{'; they will never run' if waiting > 1 else '; it will never run' if waiting else ''}.",
            "All jobs, results and given-up jobs of this player in this project are removed; a job that is running now ends, and "
            "its result is dropped.",
            "Mutexes are not touched: they end by themselves, or are released on the player's page. The activity log stays.",
            "This cannot be taken back. Export the data first if they may be wanted again.",
        ],
    )


@get_and_post
@project_page(RIGHT)
def prepare(request: HttpRequest, project: Project) -> HttpResponse:
    """Say how an import goes, then make the place for its file."""
    user_id = player_of(request)
    if request.method == "POST":
        made = services.prepare_import(actor=request.actor, project=project, user_id=user_id)
        return redirect(address(project, user_id, "player-run", pk=made.pk))
    return render(request, "jobqueue/import.html", {
        "title": f"Import data for {user_id}", "user_id": user_id, "back": address(project, user_id),
        "has": _has(project, user_id)[0],
        "most": settings.USER_DATA_MAX_UPLOAD // 1024**2, "crumbs": _crumbs(project, user_id, ("Import", "")),
    })


def _cursor(run: UserDataRun) -> str:
    return cursor_of(run.state, run.done, run.total, len(run.log), run.said, run.error)


def _shown(request: HttpRequest, project: Project, run: UserDataRun) -> dict[str, Any]:
    open_, looked_at = run.state in services.OPEN, run.said or run.error
    manifest = _manifest(run)
    moves = run.state in LIVE or run.state == UserDataState.UPLOADED and not looked_at
    dumped = run.kind == UserDataKind.DUMP and run.state == UserDataState.DONE
    ends = clock.now() + timedelta(seconds=settings.USER_DATA_LINK_S)
    where = lambda name: address(project, run.user_id, name, pk=run.pk)  # noqa: E731
    return {
        "run": run, "user_id": run.user_id, "open": open_,
        "title": f"{TITLES[UserDataKind(run.kind)]} {'for' if run.kind == UserDataKind.IMPORT else 'of'} {run.user_id}",
        "moves": moves, "still": not moves, "manifest": manifest, "refused": run.error if open_ else "",
        "dumped_at": from_ms(manifest.created_at) if manifest else None,
        "upload": files.link(run, files.Link.FORM) if open_ else "", "start": where("player-run-start") if manifest else "",
        "file": files.link(run, files.Link.FILE) if dumped and run.file else "",
        "log": files.link(run, files.Link.LOG), "ends": ends, "most": settings.USER_DATA_MAX_UPLOAD // 1024**2,
        "here": address(project, run.user_id), "live_url": where("player-run-live"), "every": BUSY_MS, "cursor": _cursor(run),
    }


def _manifest(run: UserDataRun) -> Manifest | None:
    """What the uploaded file says of itself, once a worker has looked at it."""
    return Manifest.model_validate_json(run.said) if run.state == UserDataState.UPLOADED and run.said else None


@require_GET
@project_page(RIGHT)
def run(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """How an export, an erasure or an import goes, and what comes next."""
    row = services.run_of(actor=request.actor, project=project, user_id=player_of(request), pk=pk)
    context = _shown(request, project, row)
    return render(request, "jobqueue/run.html", {
        **context, "crumbs": _crumbs(project, row.user_id, (TITLES[UserDataKind(row.kind)], "")),
    })


@require_GET
@project_page(RIGHT)
def live(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """What moved; 286 at the end."""
    row = services.run_of(actor=request.actor, project=project, user_id=player_of(request), pk=pk)
    if is_present(request, _cursor(row)):
        return nothing_new()
    return live_answer(request, "jobqueue/_run_live.html", _cursor(row), _shown(request, project, row))


@get_and_post
@project_page(RIGHT)
def start(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Say what the file holds and what it replaces, ask, then import it."""
    user_id = player_of(request)
    row = services.run_of(actor=request.actor, project=project, user_id=user_id, pk=pk)
    here = address(project, user_id, "player-run", pk=row.pk)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if row.kind != UserDataKind.IMPORT or row.state not in services.OPEN:
        messages.info(request, "This has begun already.")
        return redirect(here)
    if request.method == "POST" and form.is_valid():
        begun = attempt(form, lambda: services.start_import(
            actor=request.actor, project=project, user_id=user_id, token=str(row.token), reason=form.cleaned_data["reason"]
        ))
        if begun:
            return redirect(here)
    manifest = _manifest(row)
    if manifest is None and not form.is_bound:
        uploaded = row.state == UserDataState.UPLOADED
        messages.error(request, row.error or ("A worker looks at the file first." if uploaded else "Upload a file first."))
        return redirect(here)
    return confirm_page(
        request, form, title=f"Import data for {user_id}", button="Import", back=here, points=_points(project, user_id, manifest),
        crumbs=_crumbs(project, user_id, ("Import", here), ("Confirm", "")),
    )


def _points(project: Project, user_id: str, manifest: Manifest | None) -> list[str]:
    if manifest is None:
        return ["Nothing was uploaded yet."]
    counts = manifest.counts
    holds = f"{plural(counts.jobs, 'job')}, {plural(counts.given_up, 'given-up job')} and {plural(counts.results, 'result')}"
    said = (f"The file says that it holds {holds} of {manifest.user_id}, written "
            f"{from_ms(manifest.created_at):%d %b %Y %H:%M} UTC.")
    other = [f"They become the data of {user_id}. {manifest.user_id} keeps what is there under that id."]
    return [
        said, *(other if manifest.user_id != user_id else []),
        f"{_has(project, user_id)[0]}. All of it, results and given-up jobs too, is replaced by what is in the file.",
        "The file is checked whole before anything changes; if a line of it is wrong, nothing changes at all.",
        "Jobs that wait in it run by themselves where the server runs the jobs of their namespace.",
    ]
