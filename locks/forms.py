"""Forms of locks: shape only, the services check."""
from __future__ import annotations

from typing import Any

from django import forms

from gs2admin.dashboard.forms import JsonField, PageForm, ReasonForm
from locks.models import LockNamespace


class SettingsForm(PageForm):
    """What clients can set on a namespace."""

    description = forms.CharField(required=False, max_length=1024, widget=forms.Textarea(attrs={"rows": 2}))
    log_setting = JsonField(label="Log setting", help_text='Given back to clients; like {"loggingNamespaceId": "grn:…"}.')

    @classmethod
    def of(cls, row: LockNamespace, data: Any = None) -> SettingsForm:
        """The form with what is stored now."""
        return cls(data, initial={name: getattr(row, name) for name in SettingsForm.base_fields})

    def settings(self) -> dict[str, Any]:
        """For the services."""
        return {name: self.cleaned_data[name] for name in SettingsForm.base_fields}


class NamespaceForm(SettingsForm):
    """A new namespace."""

    name = forms.CharField(
        max_length=128, help_text="Letters, digits, dots, hyphens and underscores. Clients use it in every call.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    field_order = ["name"]


class EditForm(SettingsForm):
    """Changes of a namespace, and why."""

    reason = ReasonForm.base_fields["reason"]


class ReleaseForm(PageForm):
    """Confirms the release of exactly the holding that was shown."""

    reason = forms.CharField(
        label="Why", max_length=1024, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Goes to the activity log; the holder's player or developer will ask.",
    )
    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**63 - 1)
