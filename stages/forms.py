"""Forms of stages and rollouts: shape only, the services check."""
from __future__ import annotations

import uuid

from django import forms

from gs2admin.dashboard.forms import ReasonForm


class ConfirmForm(ReasonForm):
    """Confirms exactly what was shown: the preview's digest, and a key that makes sending it twice harmless."""

    preview_digest = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    request_key = forms.UUIDField(widget=forms.HiddenInput, error_messages={
        "required": "The page was incomplete. Reload it and confirm again.",
        "invalid": "The page was incomplete. Reload it and confirm again.",
    })

    @classmethod
    def fresh(cls, *, digest: str = "", reason: str = "") -> ConfirmForm:
        """An unsent form for one preview."""
        return cls(initial={"preview_digest": digest, "request_key": uuid.uuid4(), "reason": reason})


class DecisionForm(ReasonForm):
    """A decision about a canary; seen: the weight that the page showed."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=100)
