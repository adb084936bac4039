"""Forms of versions, stages and targets. They check shape and choices; the services check the rest."""
from __future__ import annotations

from typing import Any, NamedTuple

from django import forms
from django.conf import settings

from gs2admin.dashboard.forms import PageForm, dress, reason_field
from gs2admin.errors import Invalid
from gs2admin.identity.models import Project
from stages.models import Stage
from stages.states import ALL_PHASES, PHASES
from stages.steps import KINDS

_CALM = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
PHASE_WORDS = {
    "pre": "Before: checks and preparations",
    "deploy": "Deploy: the new version goes out",
    "post": "After: checks and cleaning up",
    "canary": "Canary: deployed beside what runs (only for the strategy canary)",
    "switch": "Switch: players go to the other colour (only for the strategy blue/green)",
}
# In the order of the form: the phases of every rollout, then those that only some strategies have.
SHOWN_PHASES = sorted(ALL_PHASES, key=list(PHASE_WORDS).index)
# The field that switches a phase on, by the kind of the target.
FIRST_FIELD = {"command": "command", "http": "url", "storage": "path", "kubernetes": "image"}


def _name(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(label=label, max_length=128, help_text=help_text, widget=forms.TextInput(attrs=_CALM))


class VersionForm(PageForm):
    """The next version of a microservice."""

    version = forms.CharField(
        max_length=32, widget=forms.TextInput(attrs=_CALM), help_text="Up to 32 characters without spaces, such as 2.15.0."
    )
    note = forms.CharField(
        required=False, max_length=1024, widget=forms.Textarea(attrs={"rows": 2}), help_text="What is new, or a link to it."
    )


class NewVersionForm(VersionForm):
    """A version of a microservice that may be new."""

    microservice = _name("Microservice", "A new name creates a new microservice.")
    field_order = ["microservice", "version", "note"]


class StageForm(PageForm):
    """Name, source and place of a stage."""

    name = _name("Name", "Such as dev, stg or live. Programs know the stage by this name.")
    source = forms.ChoiceField(
        label="Takes its versions from", required=False,
        help_text="Promote copies what that stage pins; without one, the latest version of every microservice.",
    )
    sort_number = forms.IntegerField(
        label="Place on the board", min_value=0, max_value=100, initial=50, help_text="0 is far left, 100 far right."
    )
    reason = reason_field()

    def __init__(self, *args: Any, project: Project, stage: Stage | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Stage.objects.existing(project.pk)
        self.stages = {row.name: row for row in others if stage is None or row.pk != stage.pk}
        names = [(name, name) for name in self.stages]
        self.fields["source"].choices = [("", "No stage: the latest versions"), *names]
        self.fields["source"].required = False

    def values(self) -> dict[str, Any]:
        """name, source (a stage or None), sort_number and reason, as the services take them."""
        sent = self.cleaned_data
        return {**sent, "source": self.stages.get(sent["source"])}


class PhaseFields(NamedTuple):
    """The fields of a phase. first: switches the phase on. more: share a line. last: has its own line."""

    title: str
    first: forms.BoundField
    more: list[forms.BoundField]
    last: forms.BoundField


class TargetForm(PageForm):
    """One target: its name, and the step of each phase. kind: one of FIRST_FIELD, chosen before the form is shown."""

    name = _name("Name", "Where it deploys to, such as tokyo-cluster. Steps get this name.")

    def __init__(self, *args: Any, kind: str, config: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.kind = kind
        stored = config or {}
        initial = kwargs.pop("initial", {}) | {
            f"{phase}-{name}": value for phase in SHOWN_PHASES for name, value in (stored.get(phase) or {}).items()
        }
        super().__init__(*args, initial=initial, **kwargs)
        for phase in SHOWN_PHASES:
            now = (stored.get(phase) or {}).get("command", "")
            for name, field in phase_fields(kind, phase, now).items():
                self.fields[f"{phase}-{name}"] = field
        self.fields["reason"] = reason_field()
        for field in self.fields.values():
            field.widget.attrs.pop("class", None)
            dress(field)

    def phases(self) -> list[PhaseFields]:
        """The fields of each phase."""
        found = []
        for phase in SHOWN_PHASES:
            fields = [self[name] for name in self.fields if name.startswith(f"{phase}-")]
            found.append(PhaseFields(PHASE_WORDS[phase], fields[0], fields[1:-1], fields[-1]))
        return found

    def config(self) -> dict[str, dict[str, Any] | None]:
        """The typed settings by phase; None where the phase does nothing."""
        found: dict[str, dict[str, Any] | None] = {}
        first = FIRST_FIELD[self.kind]
        for phase in SHOWN_PHASES:
            names = [name.partition("-")[2] for name in self.fields if name.startswith(f"{phase}-")]
            given = {name: self.cleaned_data.get(f"{phase}-{name}") for name in names}
            if given[first] or phase in PHASES:
                found[phase] = given if given[first] else None
        return found

    def clean(self) -> dict[str, Any]:
        """Show what the kind refuses beside its field. The service checks it again."""
        sent = super().clean()
        for phase, given in self.config().items():
            if given is None or any(name.startswith(f"{phase}-") for name in self.errors):
                continue
            try:
                KINDS[self.kind].validate(given)
            except Invalid as refusal:
                field = f"{phase}-{refusal.extra.get('field')}"
                self.add_error(field if field in self.fields else None, refusal.sentence)
        return sent


def _seconds(label: str, default: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, initial=default, widget=forms.NumberInput(attrs={"min": 1}))


def phase_fields(kind: str, phase: str, now: str) -> dict[str, forms.Field]:
    """The fields of a step of that kind; the first switches it on. now: its stored command, which may not be allowed any more."""
    again = forms.BooleanField(
        label="May run again after a crash", required=False,
        help_text="If its worker dies meanwhile: run it again, instead of failing the rollout.",
    )
    if kind == "command":
        names = sorted({*settings.STEP_COMMANDS, *([now] if now else [])})
        allowed = [(name, name if name in settings.STEP_COMMANDS else f"{name} (no longer allowed)") for name in names]
        return {
            "command": forms.ChoiceField(label="Command", required=False, choices=[("", "Nothing to do"), *allowed]),
            "timeout_s": _seconds("Stopped after (s)", 600),
            "repeatable": again,
        }
    if kind == "storage":
        return _storage_fields()
    if kind == "kubernetes":
        return _kubernetes_fields()
    address = forms.CharField(
        label="URL", required=False, max_length=2000,
        widget=forms.TextInput(attrs={**_CALM, "inputmode": "url", "placeholder": "Nothing to do"}),
    )
    return {
        "url": address,
        "timeout_s": _seconds("Fails after (s)", 60),
        "request_timeout_s": _seconds("Each answer within (s)", 10),
        "poll_interval_s": _seconds("Polled every (s)", 2),
        "repeatable": again,
    }


def _storage_fields() -> dict[str, forms.Field]:
    stores = [(name, name) for name in sorted(settings.STEP_STORAGES)]
    help_text = "May hold {service}, {version}, {stage}, {project} and {colour}."
    return {
        "path": forms.CharField(label="Put as", required=False, max_length=500, help_text=help_text,
                                widget=forms.TextInput(attrs={**_CALM, "placeholder": "Nothing to do"})),
        "store": forms.ChoiceField(label="In the store", required=False, choices=stores),
        "source_store": forms.ChoiceField(label="From the store", required=False, choices=stores),
        "timeout_s": _seconds("Fails after (s)", 3600),
        "source": forms.CharField(label="The version's file", required=False, max_length=500, help_text=help_text,
                                  widget=forms.TextInput(attrs={**_CALM, "placeholder": "builds/{service}-{version}.zip"})),
    }


def _kubernetes_fields() -> dict[str, forms.Field]:
    word = lambda label, default: forms.CharField(  # noqa: E731
        label=label, required=False, max_length=200, initial=default, widget=forms.TextInput(attrs=_CALM)
    )
    clusters = [(name, name) for name in sorted(settings.STEP_KUBECONFIGS)]
    return {
        "image": forms.CharField(
            label="Image, without its tag", required=False, max_length=400, help_text="The version is the tag.",
            widget=forms.TextInput(attrs={**_CALM, "placeholder": "Nothing to do"}),
        ),
        "kubeconfig": forms.ChoiceField(label="Cluster", required=False, choices=clusters),
        "namespace": word("Namespace", "default"),
        "deployment": word("Deployment", "{service}"),
        "container": word("Container", "{service}"),
        "follow": forms.CharField(
            label="Containers that follow", required=False, max_length=1000,
            widget=forms.TextInput(attrs={**_CALM, "placeholder": "migrate, warm-up"}),
            help_text="initContainers too, with commas: their tag becomes the version, in their own repository.",
        ),
        "service": word("Service (for the switch)", "{service}"),
        "gray_replicas": forms.IntegerField(label="Canary replicas", required=False, initial=1, min_value=1, max_value=100),
        "timeout_s": _seconds("Fails after (s)", 600),
    }
