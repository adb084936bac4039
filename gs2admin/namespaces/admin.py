"""Django admin pages of namespaces, of any service."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin
from django.db import models

from gs2admin.adminkit import ServiceAdmin, ServiceForm
from gs2admin.namespaces.services import Kind


class NamespaceForm(ServiceForm):
    """A namespace; its settings are JSON objects or nothing.

    kind: which settings. make(actor, project, name, **settings), change(actor, namespace, reason, **settings): the services.
    """

    kind: Kind
    make: Callable[..., models.Model]
    change: Callable[..., models.Model]

    def clean(self) -> dict[str, Any]:
        sent = super().clean()
        for name in set(self.kind.settings) & set(self.fields):
            is_json = isinstance(self.fields[name], forms.JSONField)
            if is_json and not isinstance(sent.get(name), (dict, type(None))):
                self.add_error(name, "This is a JSON object, or empty.")
        return sent

    def write(self, sent: dict[str, Any]) -> models.Model:
        settings = {name: sent[name] for name in self.kind.settings}
        if self.instance.pk is None:
            return self.make(actor=self.actor, project=sent["project"], name=sent["name"], **settings)
        stored = type(self.instance).objects.get(pk=self.instance.pk)
        return self.change(actor=self.actor, namespace=stored, reason=sent["reason"], **settings)


class NamespaceAdmin(ServiceAdmin):
    """Namespaces. The name is in the ids that clients keep, so it never changes. form: a NamespaceForm."""

    form: type[NamespaceForm]
    fixed = ("project", "name")
    removable = True
    shown = ("status", "revision", "created_at", "updated_at")
    autocomplete_fields = ("project",)
    list_display = ("name", "project", "status", "updated_at")
    list_filter = ("status", "project")
    list_select_related = ("project",)
    search_fields = ("name", "project__name")

    def __init__(self, model: type[models.Model], site: admin.AdminSite) -> None:
        self.fields = ("project", "name", *self.form.kind.settings, "reason", *self.shown)
        self.readonly_fields = self.shown
        super().__init__(model, site)
