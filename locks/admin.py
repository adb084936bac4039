"""Data fixes of locks, through the services. The history is read-only."""
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gs2admin.adminkit import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from gs2admin.errors import Invalid
from gs2admin.identity.actors import Actor
from gs2admin.namespaces import admin as namespaces_admin
from locks import services
from locks.models import Holding, LockNamespace, Mutex
from locks.services import namespaces
from locks.states import FOREVER_MS


def _moment(ms: int) -> datetime | None:
    return datetime.fromtimestamp(min(ms, FOREVER_MS) / 1000, UTC) if ms else None


class NamespaceForm(namespaces_admin.NamespaceForm):
    kind = namespaces.LOCKS
    make, change = staticmethod(namespaces.create_namespace), staticmethod(namespaces.update_namespace)

    class Meta:
        model = LockNamespace
        fields = ("project", "name", *namespaces.LOCKS.settings)


@admin.register(LockNamespace)
class LockNamespaceAdmin(namespaces_admin.NamespaceAdmin):
    """Namespaces of mutexes."""

    form = NamespaceForm
    shown = ("status", "revision", "floor", "created_at", "updated_at")

    def remove(self, actor: Actor, obj: LockNamespace, reason: str) -> None:
        namespaces.delete_namespace(actor=actor, namespace=obj, reason=reason)


class MutexForm(ServiceForm):
    """A mutex can be released; nothing else of it can be changed."""

    release = forms.BooleanField(
        required=False, label="Release by force",
        help_text="Its holder's unlock is refused from then on, and the next holder's revision is higher.",
    )

    class Meta:
        model = Mutex
        fields = ()

    def write(self, sent: dict[str, Any]) -> Mutex:
        if not sent["release"]:
            raise Invalid("Nothing was chosen: a mutex can only be released.", extra={"field": "release"})
        stored = Mutex.objects.select_related("namespace__project").get(pk=self.instance.pk)
        services.force_release(actor=self.actor, namespace=stored.namespace, mutex=stored, reason=sent["reason"])
        stored.refresh_from_db()
        return stored


@admin.register(Mutex)
class MutexAdmin(ServiceAdmin):
    """To look at and release; the services write counts, times and revisions."""

    form = MutexForm
    fields = (
        "namespace", "user_id", "property_id", "transaction_id", "counter", "revision", "acquired", "until", "ended",
        "ended_by", "denied", "expired", "release", "reason",
    )  # fmt: skip
    readonly_fields = fields[:-2]
    list_display = ("property_id", "user_id", "namespace", "transaction_id", "counter", "until", "denied", "expired")
    list_select_related = ("namespace",)
    ordering = ("-id",)
    search_fields = ("=user_id",)
    search_help_text = "The whole id of a player"
    show_facets = admin.ShowFacets.NEVER

    @admin.display(description="acquired")
    def acquired(self, obj: Mutex) -> datetime | None:
        return _moment(obj.acquired_ms)

    @admin.display(description="until")
    def until(self, obj: Mutex) -> datetime | None:
        return _moment(obj.until_ms)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By the index on namespaces and players, not by the upper case of ids."""
        if not search_term:
            return queryset, False
        namespaces_of = list(LockNamespace.objects.values_list("pk", flat=True)[:1000])
        return queryset.filter(namespace_id__in=namespaces_of, user_id=search_term), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(Holding)
class HoldingAdmin(ReadOnlyAdmin):
    """Who held which mutex, and how that ended."""

    list_display = ("mutex", "transaction_id", "revision", "ended", "ended_by")
    list_select_related = ("mutex",)
    ordering = ("-id",)
