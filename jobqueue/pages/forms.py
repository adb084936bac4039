"""Forms of queues and jobs: shape only, the services check."""
from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms

from gs2admin.dashboard.forms import JsonField, PageForm, ReasonForm, UtcTimeField
from gs2admin.json_text import read_string
from gs2admin.namespaces.pages import NamespaceForm, name_field

# So many are searched for; the expression that finds them grows with them.
LONGEST_TEXT = 200


class NotificationField(JsonField):
    """A NotificationSetting of the contract."""

    KNOWN = {"gatewayNamespaceId": str, "enableTransferMobileNotification": bool, "sound": str,
             "mobileNotificationMessages": list, "enable": str}

    def clean(self, value: Any) -> dict[str, Any] | None:
        found = super().clean(value)
        for key, kind in self.KNOWN.items():
            if found and key in found and found[key] is not None and not isinstance(found[key], kind):
                words = {str: "text", bool: "true or false", list: "a list"}
                raise forms.ValidationError(f"{key} is {words[kind]}.")
        if found and found.get("enable") not in (None, "Enabled", "Disabled"):
            raise forms.ValidationError("enable is Enabled or Disabled.")
        return found


class ScriptNamespaceForm(NamespaceForm):
    """A namespace of scripts."""

    transaction_setting = JsonField(label="Transaction setting", help_text="Stored and given back to clients.")
    transaction_setting_v2 = JsonField(label="Transaction setting V2", help_text="Stored and given back to clients.")
    log_setting = JsonField(label="Log setting", help_text='Like {"loggingNamespaceId": "grn:…"}.')


class QueueNamespaceForm(ScriptNamespaceForm):
    """A namespace of job queues."""

    enable_auto_run = forms.BooleanField(
        required=False, label="The server runs the jobs by itself (auto-run)",
        help_text="Off: they wait until a client, or somebody here, runs them. Takes effect at once both ways.",
    )
    push_notification = NotificationField(
        label="Notification when a job is pushed", help_text='Only without auto-run. Like {"enable": "Enabled"}.'
    )
    run_notification = NotificationField(label="Notification when a job was run", help_text='Like {"enable": "Enabled"}.')
    field_order = ["name", "description", "enable_auto_run", "push_notification", "run_notification"]


class PushForm(PageForm):
    """One job, or the same job again with changes."""

    user_id = forms.CharField(label="Player", max_length=128, strip=False)
    script_id = forms.CharField(
        label="Script", max_length=1024, help_text="A name in the script namespace default, or a GRN.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "list": "script-names"}),
    )
    args = forms.CharField(
        label="Arguments", max_length=131_072, required=False, strip=False, initial="{}",
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false", "class": "gs-mono"}),
        help_text="JSON text; it reaches the script exactly as it is written here.",
    )
    max_try_count = forms.IntegerField(label="Tries at most", min_value=1, max_value=100, initial=3)


class ReplayForm(ReasonForm):
    """Confirms exactly the set that was shown: up to its newest line, and so many."""

    upto = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**62)
    count = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=1_000_000)


class ChangedReplayForm(ReplayForm):
    """As ReplayForm, with changes of the arguments."""

    changes = JsonField(
        label="Change the arguments of all",
        help_text='Like {"season": 7}: merged into the arguments of every job; null takes a key away. Empty: as they are.',
    )
    field_order = ["changes", "reason"]

    def clean_changes(self) -> dict[str, Any] | None:
        """Another player's id would give the job to nobody: the queue is the player's."""
        found = self.cleaned_data["changes"]
        if found and "userId" in found:
            raise forms.ValidationError("userId stays: a job is replayed for its own player.")
        return found


class ReplayOneForm(ReasonForm):
    """Confirms one more replay. seen: when the job was replayed last, as the page showed it."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False, max_length=40)

    def replayed_at(self) -> datetime | None:
        """When that was; None: not yet, as far as the page knew."""
        try:
            return UtcTimeField().to_python(self.cleaned_data["seen"])
        except forms.ValidationError:
            return None


class RunAllForm(ReasonForm):
    """One lap of running everything. done: jobs run in the laps before; total: how many there were at the start."""

    done = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=10**9, initial=0, required=False)
    total = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=10**9, initial=0, required=False)


class GivenUpFilter(PageForm):
    """Filters of the given-up jobs; all in the address."""

    script = forms.CharField(required=False, max_length=1024, label="Script")
    user = forms.CharField(required=False, max_length=128, label="Player", strip=False)
    status = forms.IntegerField(required=False, min_value=0, max_value=1000, label="Status code")
    since = UtcTimeField(label="From (UTC)")
    until = UtcTimeField(label="To (UTC)")
    replayed = forms.BooleanField(required=False, label="Replayed ones too")

    def clean(self) -> dict[str, Any]:
        """Refuse a time that ends before it begins."""
        sent = super().clean()
        if sent.get("since") and sent.get("until") and sent["until"] < sent["since"]:
            self.add_error("until", "This is before the first time.")
        return sent

    def words(self) -> dict[str, Any]:
        """The filters; times are aware."""
        return dict(self.cleaned_data)


class SearchForm(PageForm):
    """What jobs are searched by."""

    q = forms.CharField(required=False, max_length=200, label="Player id or job name", strip=True,
                        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off", "spellcheck": "false"}))
    script = forms.CharField(required=False, max_length=1024, label="Script",
                             widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))
    text = forms.CharField(required=False, max_length=1200, label="Text in arguments, results, output", strip=False,
                           widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))

    def clean_text(self) -> str:
        text = self.cleaned_data["text"]
        if len(read_string(text)) > LONGEST_TEXT:
            raise forms.ValidationError(f"Look for at most {LONGEST_TEXT} characters; one that is escaped counts once.")
        return text


MAX_ARGS = 131_072
_LUA = {"spellcheck": "false", "autocapitalize": "none", "autocomplete": "off", "class": "gs-mono"}


class ScriptForm(PageForm):
    """A script's text, and what to try it with. The text is taken as it is, but line ends are made \\n."""

    source = forms.CharField(label="Text", required=False, strip=False, max_length=400_000,
                             widget=forms.Textarea(attrs={**_LUA, "rows": 18, "wrap": "off"}))  # fmt: skip
    description = forms.CharField(required=False, max_length=1024, widget=forms.TextInput)
    disable_string_number_to_number = forms.BooleanField(
        required=False, label="Leave strings of digits as strings",
        help_text='Else "123" in the arguments reaches the script as the number 123, as GS2 does it.',
    )
    keep_whole_floats = forms.BooleanField(
        required=False, label="Write whole floats with a point",
        help_text="10/2 is then written as 5.0 in results, in calls of gs2() and by print, as Lua does it. Else as 5.",
    )
    reason = forms.CharField(label="Why", required=False, max_length=1024, widget=forms.TextInput,
                             help_text="Goes to the activity log, with the new version.")  # fmt: skip
    args = forms.CharField(label="Arguments", required=False, strip=False, max_length=MAX_ARGS, initial="{}",
                           widget=forms.Textarea(attrs={**_LUA, "rows": 6}))  # fmt: skip
    user_id = forms.CharField(label="Player", required=False, max_length=128, strip=False,
                              widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}))  # fmt: skip

    def clean_source(self) -> str:
        return self.cleaned_data["source"].replace("\r\n", "\n")


class NewScriptForm(ScriptForm):
    """A script that is not stored yet."""

    name = name_field()
    reason = None
    field_order = ["name"]
