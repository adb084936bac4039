"""Approving and rejecting a rollout that waits for approval, and the approval rule of a stage."""
from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.dashboard.forms import PageForm, reason_field
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, form_page
from gs2admin.errors import Conflict, Denied
from gs2admin.identity.models import Project, Role
from gs2admin.identity.rights import RIGHTS, can
from stages.approval.reads import requirements_of, waiting_on
from stages.approval.services import approve_rollout, reject_rollout, save_rule
from stages.core.release_notes import release_notes
from stages.core.versions import differences, effective
from stages.core.words import phrase_of
from stages.gates.reads import blocking, closed
from stages.models import Rollout
from stages.models.governance import ApprovalRule
from stages.pages.views.rollouts import rollout_of
from stages.pages.views.stage import stage_of
from stages.plan.previews import source_versions, unsure_services, versions_of
from stages.states import Origin, RolloutState

get_and_post = require_http_methods(["GET", "POST"])
_ROLES = [(role.value, role.label) for role in Role if role in RIGHTS["rollout.approve"]]


class DecisionForm(PageForm):
    """Approve or reject exactly the preview that was shown."""

    digest = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    reason = forms.CharField(label="Why", required=False, max_length=1024, widget=forms.Textarea(attrs={"rows": 3}),
                             help_text="The requester reads it. It also goes to the activity log.")


class RuleForm(PageForm):
    """How many must approve, and who may."""

    needed = forms.IntegerField(label="Approvals needed", min_value=0, max_value=10,
                                help_text="By so many different people; the requester does not count. 0: no approval is needed.")
    roles = forms.MultipleChoiceField(label="Whose approval counts", choices=_ROLES, required=False,
                                      widget=forms.CheckboxSelectMultiple)
    covers_rollbacks = forms.BooleanField(label="Rollbacks need it too", required=False,
                                          help_text="Otherwise a rollback starts at once; it brings back old versions.")
    reason = reason_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].widget.attrs["class"] = "form-check-input"


@get_and_post
@project_page("rollout.approve")
def approve(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Show the requested rollout, and approve exactly that."""
    return _decide(request, project, number, "approve", lambda row, sent: approve_rollout(
        actor=request.actor, rollout=row, reason=sent["reason"], digest=sent["digest"]))


@get_and_post
@project_page("rollout.approve")
def reject(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """Show the requested rollout, and reject it."""
    return _decide(request, project, number, "reject", lambda row, sent: reject_rollout(
        actor=request.actor, rollout=row, reason=sent["reason"]))


def _decide(request: HttpRequest, project: Project, number: int, verb: str, act) -> HttpResponse:
    row = rollout_of(project, number)
    page = {"project": project.name, "number": row.number}
    if row.state != RolloutState.AWAITING_APPROVAL:
        messages.info(request, f"Rollout {row.number} {phrase_of(row.state)}; it does not wait for approval.")
        return redirect("rollout", **page)
    form = DecisionForm(request.POST) if request.method == "POST" else DecisionForm(initial={"digest": row.approval.digest})
    refused, status = "", 200
    if request.method == "POST":
        if verb == "reject" and not request.POST.get("reason", "").strip():
            form.add_error("reason", "Say why: the requester reads it.")
        if form.is_valid():
            try:
                now = act(row, form.cleaned_data)
            except Conflict as conflict:
                messages.warning(request, conflict.sentence)
                return redirect("rollout", **page)
            except Denied as denial:
                refused, status = denial.sentence, 403
            else:
                messages.success(request, _done(now, verb))
                return redirect("rollout", **page)
        else:
            status = 400
    changes = differences(versions_of(row.stage.current_set), versions_of(row.to_set), unsure_services(row.stage))
    return render(request, "stages/confirm_decision.html", {
        "rollout": row, "stage": row.stage, "form": form, "verb": verb, "refused": refused, "changed": effective(changes),
        "same": [change for change in changes if change.kind == "same"], "votes": list(row.votes.order_by("id")),
        "needs": requirements_of(row.stage, row.kind, row.scenario, asked=row.approval.asked),
        "notes": release_notes(project.pk, effective(changes)),
        "behind": effective(differences(versions_of(row.to_set), source_versions(row.stage))) if row.part else [],
        "left_out": list(row.steps.filter(origin=Origin.SKIPPED)),
        "targets": sorted({*row.steps.values_list("target_name", flat=True)} - {""}),
        "gates": blocking(closed(project.pk), row.stage_id, row.kind), "override": row.approval.override,
        "may_resume": can(request.actor, "line.resume", project),
    }, status=status)


def _done(now: Rollout, verb: str) -> str:
    if verb == "reject":
        return f"Rollout {now.number} is rejected. Nothing was started."
    if now.state == RolloutState.AWAITING_APPROVAL:
        return f"You approved rollout {now.number}. {now.approval.sentence}"
    if now.state == RolloutState.CANCELED:
        return f"Rollout {now.number} {phrase_of(now.state)}. {now.approval.sentence}"
    return f"Rollout {now.number} is approved and starts."


@get_and_post
@project_page("approval.edit")
def rule(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """How many people must approve a rollout of the stage, and who may."""
    row = stage_of(project, stage)
    now = ApprovalRule.objects.filter(stage=row).first()
    initial = {"needed": now.needed, "roles": now.roles, "covers_rollbacks": now.covers_rollbacks} if now else {
        "needed": 0, "roles": [Role.PRODUCER.value, Role.ADMIN.value]}
    form = RuleForm(request.POST if request.method == "POST" else None, initial=initial)
    page = reverse("stage", kwargs={"project": project.name, "stage": row.name})
    if request.method == "POST" and form.is_valid():
        attempt(form, lambda: save_rule(actor=request.actor, stage=row, **form.cleaned_data))
        if not form.errors:
            messages.success(request, f"Who must approve on {row.name} is saved.")
            return redirect(page)
    pending = waiting_on(row)
    return form_page(
        request, form, template="stages/approval_rule.html", title=f"Approval on {row.name}", button="Save", back=page, stage=row,
        crumbs=[(row.name, page), ("Approval", "")],
        warning=f"Rollout {pending.number} waits for approval. The new rule applies to it at once: when fewer approvals "
                "are needed, it may start." if pending else "",
        text="A rollout of this stage waits until enough people have approved it, however it was requested.",
    )
