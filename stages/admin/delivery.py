"""Data fixes of stages, targets and versions through their services; rollouts and what belongs to them are read-only."""
from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gs2admin.adminkit import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from gs2admin.errors import Invalid
from gs2admin.identity.actors import Actor
from stages.models import (
    CanaryReport,
    Microservice,
    Output,
    Rollout,
    Scenario,
    Stage,
    Step,
    Target,
    Version,
    VersionSet,
)
from stages.setup.stages import create_stage, delete_stage, update_stage
from stages.setup.targets import remove_target, save_target
from stages.setup.versions import change_note, withdraw_version
from stages.states import PHASES
from stages.steps import KINDS


class _Where(forms.ModelChoiceField):
    """A stage with its project, because many projects have a stage called live."""

    def label_from_instance(self, obj: Stage) -> str:
        return f"{obj.project.name} / {obj.name}"


def _stages() -> QuerySet[Stage]:
    return Stage.objects.filter(deleted_at=None).select_related("project").order_by("project__name", "sort_number", "name")


class StageForm(ServiceForm):
    """A stage's fields; the source is one of its project's other stages."""

    source = _Where(queryset=Stage.objects.none(), required=False, empty_label="No stage: the latest versions")

    class Meta:
        model = Stage
        fields = ("project", "name", "source", "sort_number")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "source" in self.fields:
            choices = _stages()
            if self.instance.pk:
                choices = choices.filter(project=self.instance.project_id).exclude(pk=self.instance.pk)
            self.fields["source"].queryset = choices

    def write(self, sent: dict[str, Any]) -> Stage:
        facts = {name: sent[name] for name in ("name", "source", "sort_number", "reason")}
        if self.instance.pk is None:
            return create_stage(actor=self.actor, project=sent["project"], **facts)
        return update_stage(actor=self.actor, stage=self.instance, **facts)


@admin.register(Stage)
class StageAdmin(ServiceAdmin):
    """The service checks circles, names and running rollouts; a deleted stage is read-only."""

    form = StageForm
    fixed = ("project",)
    removable = True
    fields = ("project", "name", "source", "sort_number", "reason", "current_set", "created_at", "updated_at", "deleted_at")
    readonly_fields = ("current_set", "created_at", "updated_at", "deleted_at")
    autocomplete_fields = ("project",)
    list_display = ("name", "project", "source", "sort_number", "current_set", "updated_at", "deleted_at")
    list_filter = (("deleted_at", admin.EmptyFieldListFilter), "project")
    list_select_related = ("project", "source", "current_set")
    search_fields = ("name", "project__name")

    def has_change_permission(self, request: HttpRequest, obj: Stage | None = None) -> bool:
        return (obj is None or obj.deleted_at is None) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Stage | None = None) -> bool:
        return (obj is None or obj.deleted_at is None) and super().has_delete_permission(request, obj)

    def remove(self, actor: Actor, obj: Stage, reason: str) -> None:
        delete_stage(actor=actor, stage=obj, reason=reason)


class TargetForm(ServiceForm):
    """A target's fields; the settings are JSON by phase."""

    stage = _Where(queryset=Stage.objects.none())
    kind = forms.ChoiceField(choices=[(name, kind.label) for name, kind in KINDS.items() if name != "pin"])

    class Meta:
        model = Target
        fields = ("stage", "name", "kind", "config")
        help_texts = {"config": 'By phase: {"pre": null, "deploy": {…}, "post": null}; what a phase takes depends on the kind.'}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.was = self.instance.name
        if "stage" in self.fields:
            self.fields["stage"].queryset = _stages()

    def clean_config(self) -> dict[str, Any]:
        """The settings: an object with phases as keys. The service checks the values."""
        config = self.cleaned_data["config"]
        if not isinstance(config, dict) or set(config) - set(PHASES):
            raise forms.ValidationError(f"The settings are a JSON object with the keys {', '.join(PHASES)}.")
        return config

    def write(self, sent: dict[str, Any]) -> Target:
        stage = sent["stage"] if self.instance.pk is None else self.instance.stage
        if stage.deleted_at is not None:
            raise Invalid(f"{stage.name} was deleted; its targets stay as they were.")
        return save_target(
            actor=self.actor, stage=stage, name=sent["name"], kind=sent["kind"], config=sent["config"], was=self.was,
            reason=sent["reason"],
        )


@admin.register(Target)
class TargetAdmin(ServiceAdmin):
    """Where a stage is deployed to. A renamed target is a new one, with another signing key."""

    form = TargetForm
    fixed = ("stage",)
    removable = True
    fields = ("stage", "name", "kind", "config", "position", "rotation", "reason")
    readonly_fields = ("position", "rotation")
    list_display = ("name", "stage", "project_name", "kind", "position")
    list_filter = ("kind", "stage__project")
    list_select_related = ("stage__project",)
    search_fields = ("name", "stage__name", "stage__project__name")

    @admin.display(description="project")
    def project_name(self, obj: Target) -> str:
        return obj.stage.project.name

    def remove(self, actor: Actor, obj: Target, reason: str) -> None:
        remove_target(actor=actor, stage=obj.stage, name=obj.name, reason=reason)


class VersionForm(ServiceForm):
    """The note of a version, and whether to withdraw it."""

    withdraw = forms.BooleanField(
        required=False, help_text="It is no longer the latest and cannot be registered again; stages that pin it keep it."
    )

    class Meta:
        model = Version
        fields = ("note",)

    def write(self, sent: dict[str, Any]) -> Version:
        row = self.instance
        if "note" in self.changed_data:
            row = change_note(actor=self.actor, version=row, note=sent["note"], reason=sent["reason"])
        if sent.get("withdraw"):
            row = withdraw_version(actor=self.actor, version=row, reason=sent["reason"])
        return row


@admin.register(Version)
class VersionAdmin(ServiceAdmin):
    """Versions are registered by builds or on the project's page; here notes are changed and versions withdrawn."""

    form = VersionForm
    fields = ("microservice", "version", "note", "registered_by", "registered_at", "withdrawn_at", "withdraw", "reason")
    readonly_fields = ("microservice", "version", "registered_by", "registered_at", "withdrawn_at")
    list_display = ("version", "microservice", "project_name", "registered_by", "registered_at", "withdrawn_at")
    list_filter = (("withdrawn_at", admin.EmptyFieldListFilter), "microservice__project")
    list_select_related = ("microservice__project",)
    search_fields = ("version", "microservice__name", "note")

    @admin.display(description="project")
    def project_name(self, obj: Version) -> str:
        return obj.microservice.project.name

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Version | None = None) -> Any:
        fields = super().get_fields(request, obj)
        return [f for f in fields if f != "withdraw"] if obj and obj.withdrawn_at else fields


@admin.register(Microservice)
class MicroserviceAdmin(ReadOnlyAdmin):
    """Read-only: version sets name microservices, so their names do not change."""

    list_display = ("name", "project")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name", "project__name")


@admin.register(VersionSet)
class VersionSetAdmin(ReadOnlyAdmin):
    """Read-only: a version set never changes."""

    list_display = ("number", "project", "size", "digest", "created_at")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("digest",)


@admin.register(Rollout)
class RolloutAdmin(ReadOnlyAdmin):
    """Read-only: services and workers move rollouts."""

    list_display = ("number", "project", "stage", "kind", "state", "requested_by", "created_at", "ended_at")
    list_filter = ("state", "kind", "project")
    list_select_related = ("project", "stage")
    search_fields = ("=number", "stage__name", "requested_by", "reason")


@admin.register(Step)
class StepAdmin(ReadOnlyAdmin):
    """Read-only: the steps of rollouts, in order."""

    list_display = ("rollout", "position", "microservice", "target_name", "phase", "kind", "state", "attempt")
    list_filter = ("state", "kind", "phase")
    list_select_related = ("rollout",)
    search_fields = ("=rollout__number", "microservice", "target_name")
    exclude = ("memo",)


@admin.register(Scenario)
class ScenarioAdmin(ReadOnlyAdmin):
    """Read-only: scenarios are changed on their page."""

    list_display = ("name", "stage", "strategy", "approvals_required", "rollback", "updated_at")
    list_filter = ("strategy",)
    list_select_related = ("stage",)
    search_fields = ("name", "stage__name")


@admin.register(CanaryReport)
class CanaryReportAdmin(ReadOnlyAdmin):
    """Read-only: the results of a canary's analysis."""

    list_display = ("rollout", "number", "passed", "score", "pass_score", "ended_at")
    list_filter = ("passed",)
    list_select_related = ("rollout",)
    search_fields = ("=rollout__number",)


@admin.register(Output)
class OutputAdmin(ReadOnlyAdmin):
    """Read-only: the output of rollouts."""

    list_display = ("rollout", "seq", "stage", "stream", "microservice", "at")
    list_filter = ("stream",)
    list_select_related = ("rollout", "stage")
    search_fields = ("=rollout__number", "microservice")
