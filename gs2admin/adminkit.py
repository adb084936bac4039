"""Admin pages whose writes go through the services, and admin pages that write nothing."""
from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property

from gs2admin.caller import client_of
from gs2admin.errors import DomainError, Invalid
from gs2admin.identity.actors import Actor, person

COUNT_LIMIT = 10_000
_REASON = forms.CharField(required=False, max_length=1024)


def admin_actor(request: HttpRequest) -> Actor:
    """The person behind an admin request."""
    return person(
        request.user,
        door="admin",
        ip=client_of(request),
        request_id=str(getattr(request, "request_id", "") or ""),
    )


class CappedPaginator(Paginator):
    """Counts no further than a limit: nobody turns ten thousand pages, and a full count of a log is a full scan."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most COUNT_LIMIT."""
        return self.object_list.order_by().values("pk")[:COUNT_LIMIT].count()


class ServiceForm(forms.ModelForm):
    """A form whose valid content goes to `write(actor)` of a subclass; what the service refuses is an error of the form."""

    actor: Actor
    reason = forms.CharField(
        required=False, max_length=1024, label="Why", widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text="Goes to the activity log.",
    )

    def write(self, sent: dict[str, Any]) -> models.Model:
        """Call the service; returns the row as it is now. Raises DomainError."""
        raise NotImplementedError

    def validate_unique(self) -> None:
        """Nothing: the service checks, and has a sentence for people."""

    def _post_clean(self) -> None:
        self.instance.validate_constraints = lambda exclude=None: None  # here too
        super()._post_clean()
        del self.instance.validate_constraints
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.write(self.cleaned_data)
        except DomainError as refusal:
            field = refusal.extra.get("field")
            self.add_error(field if field in self.fields else None, refusal.sentence)


class Calm(admin.ModelAdmin):
    """What all our admin pages share: no bulk actions, no full counts."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    paginator = CappedPaginator


class ReadOnlyAdmin(Calm):
    """For looking only."""

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class ServiceAdmin(Calm):
    """Writes only through services: `form` is a ServiceForm, `remove` calls the service that deletes.

    fixed: fields that are chosen when a row is made and never change.
    """

    fixed: tuple[str, ...] = ()
    removable = False
    delete_confirmation_template = "admin/remove.html"

    def get_form(self, request: HttpRequest, obj: models.Model | None = None, change: bool = False, **kwargs: Any) -> type:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"actor": admin_actor(request)})

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), *(self.fixed if obj else ()))

    def get_fields(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        """The row's fields alone for a person who may only look, without the form's own fields."""
        fields = super().get_fields(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fields
        return [name for name in fields if name not in self.form.declared_fields or hasattr(self.model, name)]

    def save_model(self, request: HttpRequest, obj: models.Model, form: ServiceForm, change: bool) -> None:
        """The service has written it already."""

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.removable and super().has_delete_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list, dict, set, list]:
        """The row alone: the service decides what goes with it."""
        return [str(obj) for obj in objs], {}, set(), []

    def remove(self, actor: Actor, obj: models.Model, reason: str) -> None:
        """Call the service that deletes the row. Raises DomainError."""
        raise NotImplementedError

    def delete_model(self, request: HttpRequest, obj: models.Model) -> None:
        """Call `remove` with the reason that was given. Raises DomainError, also for a reason that is too long."""
        try:
            reason = _REASON.clean(request.POST.get("reason", ""))
        except forms.ValidationError as problem:
            raise Invalid(f"The reason cannot be kept: {' '.join(problem.messages)}", component="reason") from None
        self.remove(admin_actor(request), obj, reason)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict | None = None) -> HttpResponse:
        """Like Django's, but a refusal is a sentence above the form."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except DomainError as refusal:
            self.message_user(request, refusal.sentence, messages.ERROR)
            name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(name, args=[object_id]))
