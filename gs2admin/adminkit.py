"""Admin pages whose writes go through the services, and admin pages that write nothing."""
from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.paginator import Paginator
from django.db import DataError, models, transaction
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


def is_key(field: models.Field, text: Any) -> bool:
    """Whether a text can be a value of a key, such as a number that the database can hold."""
    while field.remote_field:
        field = field.target_field
    try:
        field.run_validators(field.to_python(text))
    except forms.ValidationError:
        return False
    return "\0" not in str(text)


class _Choice(AutocompleteSelect):
    """A field with a search, which Django's own shows again after a mistake only where what was sent is a key."""

    def optgroups(self, name: str, value: Any, attr: dict[str, Any] | None = None) -> list:
        return super().optgroups(name, [one for one in value if not one or is_key(self.field, one)], attr)


class _List(ChangeList):
    """A list whose filters the database may not understand, such as a number that it cannot hold: then Django leads back."""

    def get_results(self, request: HttpRequest) -> None:
        try:
            super().get_results(request)
        except (OverflowError, DataError) as problem:
            raise IncorrectLookupParameters from problem


class Calm(admin.ModelAdmin):
    """What all our admin pages share: no bulk actions, no full counts, no fault by keys and filters that cannot be."""

    actions = None
    list_per_page = 50
    show_full_result_count = False
    paginator = CappedPaginator

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> models.Model | None:
        """The row; None where there can be none."""
        field = self.opts.get_field(from_field) if from_field else self.opts.pk
        return super().get_object(request, object_id, from_field) if is_key(field, object_id) else None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return _List

    def formfield_for_foreignkey(self, db_field: models.Field, request: HttpRequest, **kwargs: Any) -> forms.Field:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", _Choice(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


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
        """Of a new row what is filled in, since nothing else has a value yet; for a person who may only look the row's fields."""
        fields = super().get_fields(request, obj)
        if obj is None:
            unset = set(self.get_readonly_fields(request, obj))
            return [name for name in fields if name not in unset]
        if self.has_change_permission(request, obj):
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
