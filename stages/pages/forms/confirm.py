"""Forms of stages and rollouts: shape only, the services check."""
from __future__ import annotations

import uuid
from typing import Any

from django import forms

from gs2admin.dashboard.forms import ReasonForm


class ConfirmForm(ReasonForm):
    """Confirms exactly what was shown: the preview's digest, and a key that makes sending it twice harmless."""

    preview_digest = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    request_key = forms.UUIDField(widget=forms.HiddenInput, error_messages={
        "required": "The page was incomplete. Reload it and confirm again.",
        "invalid": "The page was incomplete. Reload it and confirm again.",
    })

    override = forms.BooleanField(label="Start it in spite of that", required=False, help_text="Say why; it is written down.")

    @classmethod
    def fresh(cls, *, digest: str = "", reason: str = "", **more: Any) -> ConfirmForm:
        """An unsent form for one preview."""
        return cls(initial={"preview_digest": digest, "request_key": uuid.uuid4(), "reason": reason, **more})


class RetryForm(ConfirmForm):
    """Everything anew, from the failed step on, or past it."""

    how = forms.ChoiceField(label="How", required=False, widget=forms.RadioSelect, choices=[
        ("failed", "From the failed step: what was done is not run again"),
        ("skip", "Past the failed step: leave it out, and say why"),
        ("", "Everything again, from the start"),
    ])

    def offer(self, *, whole: bool, skip: bool, held: bool = False) -> None:
        """whole: it can only begin anew. skip: this person may leave the failed step out. held: no step failed."""
        words = dict(self.fields["how"].choices)
        if held:
            words["failed"] = "From its judgement: the canary that is up stays, and is judged anew"
        if whole:
            del words["failed"]
            words["skip"] = "Everything again but the failed step: leave that out, and say why"
        if not skip:
            del words["skip"]
        self.fields["how"].choices = list(words.items())


class DecisionForm(ReasonForm):
    """A decision about a canary; seen: the weight that the page showed."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=100)
