"""Stops, windows, approvals, auto-promotion and webhooks, read-only: services change them, with their checks."""
from __future__ import annotations

from datetime import UTC

from django.contrib import admin

from gs2admin.adminkit import ReadOnlyAdmin
from gs2admin.db import clock
from stages.gates.local_time import moment
from stages.gates.windows import in_words, until, upcoming
from stages.models import (
    Approval,
    ApprovalRule,
    AutoPromotion,
    FreezeWindow,
    Stop,
    Vote,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)


@admin.register(Stop)
class StopAdmin(ReadOnlyAdmin):
    """Stops of promotions, also those that were lifted."""

    list_display = ("id", "project", "stage", "reason", "stopped_by", "stopped_at", "lifted_by", "lifted_at")
    list_filter = (("lifted_at", admin.EmptyFieldListFilter), "project")
    list_select_related = ("project", "stage")
    search_fields = ("reason", "stopped_by")


@admin.register(FreezeWindow)
class FreezeWindowAdmin(ReadOnlyAdmin):
    """Freeze windows, with the same words as on their page."""

    list_display = ("name", "project", "stage", "when", "next", "weekly")
    readonly_fields = ("when", "next")
    list_filter = ("weekly", "project")
    list_select_related = ("project", "stage")
    search_fields = ("name",)

    @admin.display(description="When")
    def when(self, row: FreezeWindow) -> str:
        """Its times by the clocks of its zone."""
        return in_words(row)

    @admin.display(description="Next (UTC)")
    def next(self, row: FreezeWindow) -> str:
        """Until when it is on, or when it begins."""
        now = clock.now()
        found = upcoming(row, now)
        if found is None:
            return "over"
        if found.start > now:
            return moment(found.start, UTC)
        ends = until(row, now)
        return f"on until {moment(ends, UTC)}" if ends else "always on"


@admin.register(ApprovalRule)
class ApprovalRuleAdmin(ReadOnlyAdmin):
    """How many people must approve rollouts of a stage, and with which roles."""

    list_display = ("stage", "needed", "roles", "covers_rollbacks")
    list_select_related = ("stage",)


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Requests for approval, with what each waits for or how it ended."""

    list_display = ("rollout", "digest", "asked", "override", "sentence")
    list_select_related = ("rollout",)
    search_fields = ("=rollout__number",)


@admin.register(Vote)
class VoteAdmin(ReadOnlyAdmin):
    """Approvals that were given."""

    list_display = ("rollout", "name", "identity", "at", "reason")
    list_select_related = ("rollout",)
    search_fields = ("=rollout__number", "name")


@admin.register(AutoPromotion)
class AutoPromotionAdmin(ReadOnlyAdmin):
    """Stages that promote themselves when their source becomes Active."""

    list_display = ("stage", "enabled", "soak_s", "held_at", "held_because", "sentence")
    list_filter = ("enabled", ("held_at", admin.EmptyFieldListFilter))
    list_select_related = ("stage",)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Endpoints that get a message when a rollout changes its state."""

    list_display = ("name", "project", "url", "active", "busy_until")
    list_filter = ("active", "project")
    list_select_related = ("project",)
    search_fields = ("name", "url")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """Messages, those that wait and those that ended."""

    list_display = ("id", "endpoint", "event", "state", "attempt", "due_at", "created_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("endpoint",)
    search_fields = ("=rollout__number", "event")


@admin.register(WebhookAttempt)
class WebhookAttemptAdmin(ReadOnlyAdmin):
    """Attempts to deliver a message, with the answer."""

    list_display = ("delivery", "number", "at", "status", "took_ms", "summary")
    list_select_related = ("delivery__endpoint",)
