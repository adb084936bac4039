"""Forms that confirm an action on a rollout. They check the shape; the services check the rest."""
from __future__ import annotations

import uuid
from typing import Any

from django import forms

from gs2admin.dashboard.forms import ReasonForm


class ConfirmForm(ReasonForm):
    """Confirm exactly what was shown: the digest of the preview, and a key, so that sending the form twice acts once."""

    preview_digest = forms.CharField(widget=forms.HiddenInput, max_length=64, required=False)
    request_key = forms.UUIDField(widget=forms.HiddenInput, error_messages={
        "required": "The page was incomplete. Reload it and confirm again.",
        "invalid": "The page was incomplete. Reload it and confirm again.",
    })

    override = forms.BooleanField(label="Start it anyway", required=False, help_text="Say why; the activity log keeps it.")

    @classmethod
    def fresh(cls, *, digest: str = "", reason: str = "", **more: Any) -> ConfirmForm:
        """A form for one preview that was not sent yet."""
        return cls(initial={"preview_digest": digest, "request_key": uuid.uuid4(), "reason": reason, **more})


class RetryForm(ConfirmForm):
    """How to retry: everything again, from the failed step on, or without it."""

    how = forms.ChoiceField(label="How", required=False, widget=forms.RadioSelect, choices=[
        ("failed", "From the failed step: steps that are done do not run again"),
        ("skip", "Skip the failed step: leave it out, and say why"),
        ("", "Everything again, from the start"),
    ])

    def offer(self, *, whole: bool, skip: bool, held: bool = False) -> None:
        """Offer the choices that there are.

        whole: it can only start from the beginning. skip: this person may skip the failed step. held: the canary failed, no step.
        """
        words = dict(self.fields["how"].choices)
        if held:
            words["failed"] = "From its analysis: the canary that is up stays, and is analyzed again"
        if whole:
            del words["failed"]
            words["skip"] = "Everything again without the failed step: leave it out, and say why"
        if not skip:
            del words["skip"]
        self.fields["how"].choices = list(words.items())


class DecisionForm(ReasonForm):
    """A decision about a canary. seen: the weight that the page showed, in percent."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0, max_value=100)


class TakeBackForm(ReasonForm):
    """Whether what a rollout left is to be taken back, or is gone already."""

    gone = forms.BooleanField(
        label="It is gone already: only forget it", required=False,
        help_text="For what was removed by hand. Then nothing is run, and a reason is needed.",
    )
