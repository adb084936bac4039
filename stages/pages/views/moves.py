"""Promote, roll back, cancel, retry: each page says what will happen, and its button does it."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from stages.approval.reads import requirements_of
from stages.core.accounts import account
from stages.core.actions import actions_of
from stages.core.release_notes import release_notes
from stages.core.status import status_of
from stages.core.versions import differences, effective
from stages.core.words import phrase_of
from stages.gates.reads import blocking, closed
from stages.models import Rollout, Stage
from stages.models.governance import AutoPromotion
from stages.pages.forms.confirm import ConfirmForm, RetryForm
from stages.pages.part_choice import asked_of, rows_of
from stages.pages.typical_duration import typical_seconds
from stages.pages.views.rollouts import rollout_of
from stages.pages.views.stage import stage_of
from stages.plan.helps import helps_of
from stages.plan.previews import Preview, preview_promote, preview_rollback, unsure_services, versions_of
from stages.plan.proven import proven
from stages.plan.redo import chances
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout, rollback_stage
from stages.states import PHASES, Leg, StageStatus

NOTHING_CHOSEN = "Choose at least one microservice; nothing was started."
get_and_post = require_http_methods(["GET", "POST"])


@get_and_post
@project_page("stage.promote")
def promote(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """The preview of a promote, of all that differs or of a part; confirming it starts exactly that."""
    row, asked = stage_of(project, stage), asked_of(request)

    def start(**sent: Any) -> Rollout:
        if asked.nothing:
            raise Invalid(NOTHING_CHOSEN, extra={"field": "reason"})
        return promote_stage(actor=request.actor, stage=row, only=asked.only, **sent)

    return _confirm(
        request, project, row, "promote", lambda s: preview_promote(s, only=asked.only), start,
        {"back": reverse("stage", kwargs={"project": project.name, "stage": row.name}), "asked": asked,
         "follows": AutoPromotion.objects.filter(stage=row, enabled=True, held_at=None).exists()},
    )


@get_and_post
@project_page("stage.rollback")
def rollback(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """The preview of a rollback to ?to=previous (before the last success) or ?to=pinned (after a failure)."""
    row = stage_of(project, stage)
    to = "pinned" if request.GET.get("to") == "pinned" else "previous"
    return _confirm(
        request, project, row, "rollback", lambda s: preview_rollback(s, to=to),
        lambda **sent: rollback_stage(actor=request.actor, stage=row, to=to, **sent),
        {"back": reverse("stage", kwargs={"project": project.name, "stage": row.name}), "to": to,
         "may_put_back": to == "previous" and row.current_set_id and bool(unsure_services(row))},
    )


def _confirm(
    request: HttpRequest, project: Project, stage: Stage, kind: str, look: Callable[[Stage], Preview],
    start: Callable[..., Rollout], context: dict[str, Any],
) -> HttpResponse:
    """GET shows the preview. POST starts it, or shows the new preview with a note that says what changed."""
    if request.method == "GET" and status_of(stage) == StageStatus.UPDATING:
        live = Rollout.objects.live().filter(stage=stage).first()
        if live:
            messages.info(request, f"Rollout {live.number} by {live.requested_by} is running on {stage.name}. "
                                   "The next one can start when it has ended.")
            return redirect("rollout", project=project.name, number=live.number)
    moved, status, reason = None, 200, ""
    if request.method == "POST":
        form = ConfirmForm(request.POST)
        if form.is_valid() and form.cleaned_data["preview_digest"]:
            sent = form.cleaned_data
            try:
                rollout = start(
                    reason=sent["reason"], preview_digest=sent["preview_digest"], request_key=str(sent["request_key"]),
                    override=sent["override"],
                )
                return redirect("rollout", project=project.name, number=rollout.number)
            except Conflict as conflict:
                if "rollout" in conflict.extra:
                    messages.warning(request, f"Nothing new was started. {conflict.sentence}")
                    return redirect("rollout", project=project.name, number=conflict.extra["rollout"])
                if conflict.code != "freeze.stage.previewChanged" and "gates" not in conflict.extra:
                    raise
                moved, status, reason = conflict.sentence, 409, sent["reason"]
            except Invalid as refusal:
                if refusal.extra.get("field") != "reason":
                    raise
                moved, status = refusal.sentence, 400
        else:
            status = 400
            reason = request.POST.get("reason", "")
            moved = "; ".join(error for errors in form.errors.values() for error in errors) or (
                "The page was incomplete, so nothing was started. Look at the preview and confirm again."
            )
    try:
        preview = look(stage)
    except Invalid as refusal:
        return render(request, "stages/nothing_to_do.html", {
            **context, "stage": stage, "kind": kind, "sentence": refusal.sentence,
        }, status=200 if request.method == "GET" else 400)
    form = ConfirmForm.fresh(digest=preview.digest, reason=reason)
    return render(request, "stages/confirm_move.html", {
        **context, **preview_context(preview), "kind": kind, "form": form, "moved": moved,
        "needs": requirements_of(stage, preview.kind, preview.scenario),
        "choices": rows_of(preview, context["asked"]) if kind == "promote" else [],
        "proven": proven(preview) if kind == "promote" and preview.effective else None,
        **_gates(request, project, stage, kind), **_news(request, preview),
        "typical_s": typical_seconds([stage.pk]).get(stage.pk),
    }, status=status)


def _gates(request: HttpRequest, project: Project, stage: Stage, kind: str) -> dict[str, Any]:
    """The gates that stop this rollout now, and whether this person may override or lift them."""
    return {
        "gates": blocking(closed(project.pk), stage.pk, kind),
        "may_override": can(request.actor, "gate.override", project),
        "may_resume": can(request.actor, "line.resume", project),
    }


def _news(request: HttpRequest, preview: Preview) -> dict[str, Any]:
    """The changes that are new, and those that are gone, since the page that was sent. Its texts are only shown again."""
    seen = request.POST.getlist("seen")
    now = [change.sentence for change in preview.effective]
    return {"news": [text for text in now if text not in seen], "gone_since": [text for text in seen if text not in now]}


def preview_context(preview: Preview) -> dict[str, Any]:
    """The context for the template of a preview."""
    changed = preview.effective
    phases = [phase for phase in PHASES if any(target.config.get(phase) is not None for target in preview.targets)]
    how = [
        {"target": target, "phases": [(p, target.config.get(p) is not None) for p in PHASES]} for target in preview.targets
    ]
    return {
        "preview": preview,
        "stage": preview.stage,
        "changed": changed,
        "same": [change for change in preview.changes if change.kind == "same"],
        "down": [change for change in changed if change.kind == "downgraded"],
        "gone": [change for change in changed if change.kind == "removed"],
        "counts": Counter(change.kind for change in changed),
        "how": how,
        "phases": phases,
        "real_steps": sum(step.kind != "pin" for step in preview.steps),
        "notes": release_notes(preview.stage.project_id, changed),
    }


@get_and_post
@project_page("rollout.cancel")
def cancel(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Ask for confirmation, then cancel a rollout."""
    row = rollout_of(project, number)
    page = {"project": project.name, "number": row.number}
    if request.method == "POST":
        form = ReasonForm(request.POST)
        if form.is_valid():
            try:
                now = cancel_rollout(actor=request.actor, rollout=row, reason=form.cleaned_data["reason"])
            except Conflict as conflict:
                messages.warning(request, conflict.sentence)
            else:
                withdrawn = ", and its canary is withdrawn" if now.leg == Leg.CANARY else ""
                messages.success(request, f"Rollout {row.number} is canceled." if now.ended_at else
                                 f"Rollout {row.number} stops within a few seconds{withdrawn}.")
            return redirect("rollout", **page)
    else:
        form = ReasonForm()
        if "cancel" not in actions_of(row):
            messages.info(request, f"Rollout {row.number} {phrase_of(row.state)}; there is nothing to cancel.")
            return redirect("rollout", **page)
    running = row.steps.filter(state="running").first()
    return render(request, "stages/confirm_cancel.html", {"rollout": row, "form": form, "running": running})


@get_and_post
@project_page("rollout.retry")
def retry(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Ask for confirmation, then start a new rollout that tries the same again."""
    row = rollout_of(project, number)
    page = {"project": project.name, "number": row.number}
    if "retry" not in actions_of(row):
        messages.info(request, f"Rollout {row.number} {phrase_of(row.state)}; only one that failed can be retried.")
        return redirect("rollout", **page)
    steps = list(row.steps.order_by("position"))
    found, left = chances(row, steps), account(row, steps)
    may_skip = found.failed is not None and can(request.actor, "rollout.skip", project)
    wanted = "skip" if request.GET.get("how") == "skip" and may_skip else "" if found.whole else "failed"
    form = RetryForm(request.POST) if request.method == "POST" else RetryForm.fresh(how=wanted, reason=row.reason)
    form.offer(whole=bool(found.whole), skip=may_skip, held=found.held)
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        try:
            new = retry_rollout(actor=request.actor, rollout=row, reason=sent["reason"], how=sent["how"],
                                request_key=str(sent["request_key"]), override=sent["override"])
        except (Conflict, Invalid) as refusal:
            messages.warning(request, f"Nothing was started. {refusal.sentence}")
            live = refusal.extra.get("rollout")
            return redirect("rollout", project=project.name, number=live or row.number)
        return redirect("rollout", project=project.name, number=new.number)
    changes = differences(versions_of(row.stage.current_set), versions_of(row.to_set), unsure_services(row.stage))
    return render(request, "stages/confirm_retry.html", {
        "rollout": row, "form": form, "changed": effective(changes), "account": left,
        "helps": helps_of(row, steps, left) if left else [],
        "same": [change for change in changes if change.kind == "same"],
        "may_rollback": can(request.actor, "stage.rollback", project), "stage": row.stage, "chances": found, "may_skip": may_skip,
        "choices": len(form.fields["how"].choices) > 1,
        **_gates(request, project, row.stage, row.kind),
    }, status=400 if request.method == "POST" else 200)
