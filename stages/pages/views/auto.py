"""Auto-promotion of a stage: its settings, and releasing it after a rollback has held it."""
from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.dashboard.forms import PageForm, ReasonForm, reason_field
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, form_page
from gs2admin.identity.models import Project
from stages.auto_promotion.services import end_hold, save_auto_promotion
from stages.models.governance import AutoPromotion
from stages.pages.views.stage import stage_of

get_and_post = require_http_methods(["GET", "POST"])


class AutoForm(PageForm):
    """On or off, and the soak time: how long the source has to stay Active."""

    enabled = forms.BooleanField(label="Promote automatically", required=False)
    soak_min = forms.IntegerField(label="Soak time (min)", min_value=0, max_value=43_200, initial=30,
                                  help_text="The source has to stay Active for so long, without another rollout.")
    reason = reason_field()


@get_and_post
@project_page("stage.edit")
def settings(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """The settings."""
    row = stage_of(project, stage)
    now = AutoPromotion.objects.filter(stage=row).first()
    initial = {"enabled": now.enabled, "soak_min": now.soak_s // 60} if now else {}
    form = AutoForm(request.POST if request.method == "POST" else None, initial=initial)
    page = reverse("stage", kwargs={"project": project.name, "stage": row.name})
    if request.method == "POST" and form.is_valid():
        sent = form.cleaned_data
        saved = attempt(form, lambda: save_auto_promotion(
            actor=request.actor, stage=row, enabled=sent["enabled"], soak_s=sent["soak_min"] * 60, reason=sent["reason"]))
        if saved:
            on = f"{row.name} is promoted automatically from the next time its source becomes Active."
            off = f"{row.name} is no longer promoted automatically."
            messages.success(request, on if saved.enabled else off)
            return redirect(page)
    source = row.source.name if row.source_id else "its source"
    return form_page(
        request, form, title=f"Auto-promotion of {row.name}", button="Save", back=page,
        crumbs=[(row.name, page), ("Auto-promotion", "")],
        text=f"When {source} was promoted and stayed Active, {row.name} is promoted too, by the same rules as by hand: freeze "
             "windows, stops and approval. A rollback of this stage holds its auto-promotion until a person releases it.",
    )


@get_and_post
@project_page("stage.promote")
def release(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """Ask for confirmation, then release the held auto-promotion."""
    row = stage_of(project, stage)
    now = AutoPromotion.objects.filter(stage=row).first()
    page = reverse("stage", kwargs={"project": project.name, "stage": row.name})
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: end_hold(
        actor=request.actor, stage=row, reason=form.cleaned_data["reason"]
    )):
        messages.success(request, f"The auto-promotion of {row.name} is on again.")
        return redirect(page)
    source = row.source.name if row.source_id else "its source"
    held = now.held_because if now and now.held_at else f"The auto-promotion of {row.name} is not held now."
    return confirm_page(
        request, form, title=f"Release the auto-promotion of {row.name}", button="Release", back=page,
        crumbs=[(row.name, page), ("Release", "")],
        points=[held, f"If {source} was promoted since the last time, {row.name} follows within a few seconds.",
                "The versions that were rolled back are not promoted automatically again, only later ones."],
    )
