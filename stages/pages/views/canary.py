"""The decisions about a canary: accept, withdraw, or go to the next weight. Each page first says what will happen."""
from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page
from gs2admin.errors import Conflict
from gs2admin.identity.models import Project
from stages.canary.leftovers import forget, take_back
from stages.canary.services import accept_canary, advance_canary, reject_canary
from stages.core.actions import actions_of
from stages.core.leftovers import left_by
from stages.core.scenarios import CanaryPlan, span, way_of
from stages.core.words import phrase_of
from stages.models import Rollout
from stages.pages.forms.confirm import DecisionForm, TakeBackForm
from stages.pages.views.rollouts import rollout_of

get_and_post = require_http_methods(["GET", "POST"])
ACTS: dict[str, tuple[str, Callable[..., Rollout]]] = {
    "accept": ("canary_accept", accept_canary),
    "reject": ("canary_reject", reject_canary),
    "advance": ("advance", advance_canary),
}
TITLES = {
    "accept": "Give the versions of rollout {} to everybody?",
    "reject": "Withdraw the canary of rollout {}?",
    "advance": "Go to the next weight of rollout {}?",
}
BUTTONS = {"accept": "Accept the canary", "reject": "Withdraw the canary", "advance": "Go on"}


@get_and_post
@project_page("canary.decide")
def decide(request: HttpRequest, project: Project, number: int, action: str) -> HttpResponse:
    """Ask for confirmation, then carry out the decision. action: accept, reject or advance."""
    if action not in ACTS:
        raise Http404
    row = rollout_of(project, number)
    name, act = ACTS[action]
    plan = way_of(row.scenario_copy).canary
    page = redirect("rollout", project=project.name, number=row.number)
    canary = getattr(row, "canary", None)
    last = action == "advance" and canary is not None and canary.weight_index + 1 >= len(plan.weights)
    if request.method == "POST":
        form = DecisionForm(request.POST)
        if form.is_valid():
            seen = {"seen": form.cleaned_data["seen"]} if action == "advance" and form.cleaned_data["seen"] is not None else {}
            try:
                act(actor=request.actor, rollout=row, reason=form.cleaned_data["reason"], **seen)
            except Conflict as conflict:
                messages.warning(request, f"Nothing was changed. {conflict.sentence}")
            return page
    else:
        form = DecisionForm(initial={"seen": row.gray_weight})
    if name not in actions_of(row) or last:
        what = "is at its last weight" if last and name in actions_of(row) else phrase_of(row.state)
        messages.info(request, f"Rollout {row.number} {what}; there is nothing to decide.")
        return page
    return render(request, "stages/confirm_canary.html", {
        "rollout": row, "form": form, "action": action, "title": TITLES[action].format(row.number), "button": BUTTONS[action],
        "points": _points(row, plan, action),
    }, status=400 if request.method == "POST" else 200)


def _points(row: Rollout, plan: CanaryPlan, action: str) -> list[str]:
    now, stage = row.gray_weight, row.stage.name
    if action == "accept":
        return [
            f"{now} % of the players have the new versions now; everybody gets them.",
            "The rest of the rollout runs: it deploys to all targets. From then on it cannot be canceled.",
            f"When it has succeeded, {stage} pins the new versions.",
        ]
    if action == "reject":
        return [
            f"The {now} % of the players who have the new versions go back to the old ones at once.",
            "What was made for the canary is removed, last first.",
            f"{stage} keeps the versions it pins now.",
        ]
    following = plan.weights[row.canary.weight_index + 1]
    pause = f" After {span(following.pause_s)} it goes on without a decision." if following.pause_s is not None else ""
    return [
        f"From {now} % to {following.percent} % of the players.{pause}",
        f"The {now} % who have the new versions keep them; more players get them.",
    ]


@get_and_post
@project_page("canary.decide")
def take_it_back(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Ask for confirmation, then have a worker take back what an ended rollout has left, or believe that it is gone."""
    row = rollout_of(project, number)
    left = left_by(row)
    page = redirect("rollout", project=project.name, number=row.number)
    if not left:
        messages.info(request, f"Nothing of rollout {row.number} is left.")
        return page
    form = TakeBackForm(request.POST) if request.method == "POST" else TakeBackForm()
    if request.method == "POST" and form.is_valid():
        gone, why = form.cleaned_data["gone"], form.cleaned_data["reason"]
        if attempt(form, lambda: (forget if gone else take_back)(actor=request.actor, rollout=row, reason=why)):
            messages.success(request, "It is forgotten." if gone else "A worker takes it back now.")
            return page
    return confirm_page(
        request, form, title=f"Take back what rollout {row.number} left?", button="Take it back", back=page.url,
        crumbs=[
            ("Rollouts", reverse("rollouts", kwargs={"project": project.name})), (str(row.number), page.url), ("Take back", ""),
        ],
        points=[
            f"A worker runs the undo of what made it. {row.stage.name} keeps the versions it pins.",
            *(f"Taken back: {each.sentence}" for each in left),
            "What it did is in the output of the rollout, and what could not be taken back stays on its page.",
        ],
    )
