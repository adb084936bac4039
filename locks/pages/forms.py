"""Forms of locks: shape only, the services check."""
from __future__ import annotations

from django import forms

from gs2admin.dashboard.forms import JsonField, PageForm
from gs2admin.namespaces.pages import NamespaceForm


class NamespaceForm(NamespaceForm):
    """A namespace of mutexes."""

    log_setting = JsonField(label="Log setting", help_text='Given back to clients; like {"loggingNamespaceId": "grn:…"}.')


class ReleaseForm(PageForm):
    """Confirms the release of exactly the holding that was shown."""

    reason = forms.CharField(
        label="Why", max_length=1024, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Goes to the activity log; the holder's player or developer will ask.",
    )
    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**63 - 1)
