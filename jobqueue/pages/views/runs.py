"""Running a player's jobs by hand: the next one, all of them, or a failed one before its time."""
from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, status_of
from gs2admin.identity.models import Project
from jobqueue.models import Namespace
from jobqueue.pages.forms import RunAllForm
from jobqueue.pages.views.common import at, back_to, crumbs, get_and_post, namespace_of, player_of, queue_of
from jobqueue.reads import players
from jobqueue.services import runs
from jobqueue.templatetags.jobs import script_name


def _crumbs(project: Project, row: Namespace, user_id: str, here: str, word: str) -> list[tuple[str, str]]:
    return crumbs(project, (row.name, at("queues-namespace", row)), (user_id, here), (word, ""))


@get_and_post
@project_page("job.run")
def run(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Ask, then run the player's next job and say how it ended."""
    row = namespace_of(project, namespace)
    queue = queue_of(row, player_of(request))
    here = back_to(request, row, queue.user_id)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        ran = attempt(form, lambda: runs.run_one(
            actor=request.actor, namespace=row, user_id=queue.user_id, reason=form.cleaned_data["reason"]
        ))
        if ran is not None:
            _tell(request, ran, row)
            return redirect(here)
    first = next(iter(players.waiting(queue, limit=1)), None)
    if first is None and not form.is_bound:
        messages.info(request, f"No job of this player waits in {row.name}.")
        return redirect(here)
    tries = first.max_try_count - first.try_count if first else 0
    points = [
        f"{script_name(first.script_id)} runs now, as try {first.try_count + 1} of {first.max_try_count}.",
        "It has the effects that it would have had by itself; the player is notified if the namespace says so.",
        "If it fails, it is given up." if tries == 1 else "If it fails, it waits for its next try, and those behind it wait too.",
    ] if first else [f"No job of this player waits in {row.name} any more."]
    return confirm_page(request, form, title=f"Run the next job of {queue.user_id}", button="Run it", tone="primary",
                        back=here, points=points, crumbs=_crumbs(project, row, queue.user_id, here, "Run next"))


def _tell(request: HttpRequest, ran: runs.Ran, namespace: Namespace) -> None:
    if ran.job is None:
        messages.info(request, f"No job of this player waits in {namespace.name} any more.")
    elif ran.result is None:
        messages.warning(request, "The job ran, but it was deleted or taken over meanwhile, so no result was kept.")
    elif 200 <= ran.result.status_code < 300:
        messages.success(request, f"{script_name(ran.job.script_id)} is done (status {ran.result.status_code}).")
    else:
        messages.error(request, f"{script_name(ran.job.script_id)} failed with status {ran.result.status_code}.")


@get_and_post
@project_page("job.run")
def run_all(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Ask, then run one lap after another; each lap is one POST of about a second and a half.

    Without script each lap ends with a button for the next one; with it the page sends the next by itself.
    """
    row = namespace_of(project, namespace)
    queue = queue_of(row, player_of(request))
    here = back_to(request, row, queue.user_id)
    form = RunAllForm(request.POST) if request.method == "POST" else RunAllForm()
    lap = None
    if request.method == "POST" and form.is_valid():
        lap = attempt(form, lambda: runs.run_many(
            actor=request.actor, namespace=row, user_id=queue.user_id, reason=form.cleaned_data["reason"]
        ))
    left = runs.left_of(row, queue.user_id)
    done = (form.cleaned_data.get("done") or 0) + lap.count if lap else 0
    if lap and not lap.failed and (lap.last or not left):
        messages.success(request, f"All {done:,} jobs were run." if done != 1 else "The one job was run.")
        return redirect(here)
    if not left and not form.is_bound:
        messages.info(request, f"No job of this player waits in {row.name}.")
        return redirect(here)
    total = max((form.cleaned_data.get("total") or 0) if lap else 0, done + left)
    again = RunAllForm(initial={"done": done, "total": total, "reason": form.cleaned_data.get("reason", "") if lap else ""}) if (
        lap or not form.is_bound) else form
    return render(request, "jobqueue/run_all.html", {
        "namespace": row, "queue": queue, "form": again, "lap": lap, "left": left, "done": done, "total": total, "back": here,
        "label": "Go on" if lap else "Run all", "stop": "Stop" if lap else "Back",
        "crumbs": _crumbs(project, row, queue.user_id, here, "Run all"),
    }, status=200 if lap else status_of(form))


@get_and_post
@project_page("job.run")
def try_now(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Ask, then let the server try a failed job at once."""
    row = namespace_of(project, namespace)
    queue = queue_of(row, player_of(request))
    here = back_to(request, row, queue.user_id)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        refused = attempt(form, lambda: runs.wake(
            actor=request.actor, namespace=row, user_id=queue.user_id, reason=form.cleaned_data["reason"]
        ) or True) is None
        if not refused:
            messages.success(request, "A worker tries it now.")
            return redirect(here)
    return confirm_page(
        request, form, title=f"Try the job of {queue.user_id} now", button="Try now", tone="primary", back=here,
        points=["The job at the head of the queue failed and waits for its next try; a worker tries it at once.",
                "If it fails again, the wait after that is as long as it would have been anyway."],
        crumbs=_crumbs(project, row, queue.user_id, here, "Try now"),
    )
