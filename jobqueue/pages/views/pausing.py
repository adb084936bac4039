"""Pause a namespace, and resume it."""
from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page
from gs2admin.identity.models import Project
from jobqueue.models import Namespace
from jobqueue.pages.views.common import at, crumbs, get_and_post, namespace_of
from jobqueue.services.pausing import pause_namespace, resume_namespace

PAUSE_POINTS = [
    "No job of it begins from now on, run by the server, by clients or by hand. One that runs now goes on to its end.",
    "It still takes jobs, up to its limit; they wait, in their order, until it is resumed.",
    "Nothing is deleted.",
]
RESUME_POINTS = [
    "Its jobs go on where they stopped, in their order.",
    "What was pushed meanwhile runs too. If these jobs push more, delete them or change their script first.",
]


@get_and_post
@project_page("queue.pause")
def pause(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Ask, then hold the jobs of a namespace back."""
    return _page(request, project, namespace_of(project, namespace), pausing=True)


@get_and_post
@project_page("queue.pause")
def resume(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Ask, then let them go on."""
    return _page(request, project, namespace_of(project, namespace), pausing=False)


def _page(request: HttpRequest, project: Project, row: Namespace, *, pausing: bool) -> HttpResponse:
    act = pause_namespace if pausing else resume_namespace
    here, word = at("queues-namespace", row), "Pause" if pausing else "Resume"
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: act(actor=request.actor, namespace=row, reason=form.cleaned_data["reason"]))
        if done:
            messages.success(request, f"{row.name} is {'paused' if pausing else 'resumed'}.")
            return redirect(here)
    return confirm_page(
        request, form, title=f"{word} {row.name}", button=f"{word} this namespace", back=here,
        tone="danger" if pausing else "primary", points=PAUSE_POINTS if pausing else RESUME_POINTS,
        crumbs=crumbs(project, (row.name, here), (word, "")),
    )  # fmt: skip
