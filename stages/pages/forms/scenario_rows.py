"""The rows of a scenario's form: its steps per phase, and the metrics that decide about a canary."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict

from gs2admin.dashboard.forms import dress
from gs2admin.errors import Invalid
from stages.core.scenarios import ONE, WORST
from stages.pages.forms.rows import RowForm, Rows
from stages.pages.forms.settings import FIRST_FIELD, phase_fields
from stages.setup.canary_plans import check_metric
from stages.states import ALL_PHASES, PHASES
from stages.steps import KINDS

MOST_COMMANDS, MOST_METRICS = 20, 10
PHASE_TITLES = {
    "pre": "Before", "deploy": "Deploy", "post": "After", "canary": "Canary: deploying the canary", "switch": "Switch of colours",
}
ROW_NAMES = {"pre": "before", "deploy": "deploy", "post": "after", "canary": "canary", "switch": "switch"}
BUTTONS = {
    "command": "Add a command", "http": "Add an HTTP call", "storage": "Add a file copy", "kubernetes": "Add a Kubernetes step",
}


class CommandRow(RowForm):
    """One step of a phase. A step of a kind without fields here stays as it is stored; `was` is its place in the stored list."""

    kind = forms.CharField(required=False, widget=forms.HiddenInput)
    was = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, kind: str, phase: str, stored: Sequence[Mapping[str, Any]], initial: Mapping[str, Any], **kwargs: Any
    ) -> None:
        config = dict(initial.get("config") or {})
        super().__init__(*args, initial={**config, "kind": kind, "was": initial.get("was")}, **kwargs)
        self.step_kind, self._stored = kind, stored
        self.label = KINDS[kind].label if kind in KINDS else kind
        if kind in FIRST_FIELD:
            self.fields.update(phase_fields(kind, phase, config.get("command") or self._sent("command")))
            self.fields[FIRST_FIELD[kind]].widget.attrs["placeholder"] = ""
            if kind == "command":
                self.fields["command"].choices = [("", "Choose…"), *self.fields["command"].choices[1:]]
            for name in self.fields.keys() - {"kind", "was"}:
                dress(self.fields[name])

    def _sent(self, name: str) -> str:
        return self.data.get(self.add_prefix(name), "") if self.is_bound else ""

    @property
    def shown(self) -> tuple[forms.BoundField | None, list[forms.BoundField], forms.BoundField | None]:
        """The first field, the fields that share a line, and the last field."""
        found = [field for field in self if not field.is_hidden]
        if not found:
            return None, [], None
        return found[0], found[1:-1], found[-1]

    def clean(self) -> dict[str, Any]:
        """Show what the kind refuses beside its field. The service checks it again."""
        sent = super().clean()
        if self.step_kind in FIRST_FIELD and not self.errors:
            try:
                KINDS[self.step_kind].validate(self._config(sent))
            except Invalid as refusal:
                field = refusal.extra.get("field")
                self.add_error(field if field in self.fields else None, refusal.sentence)
        elif self.step_kind not in FIRST_FIELD and self._stored_row(sent) is None:
            self.add_error(None, "This step no longer exists. Remove the row, or open the scenario again.")
        return sent

    @staticmethod
    def _config(sent: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in sent.items() if name not in {"kind", "was"}}

    def _stored_row(self, sent: Mapping[str, Any]) -> Mapping[str, Any] | None:
        at = sent.get("was")
        found = self._stored[at] if at is not None and 0 <= at < len(self._stored) else None
        return found if found and found["kind"] == self.step_kind else None

    def value(self) -> dict[str, Any]:
        """The step as {"kind": …, "config": …}."""
        if self.step_kind not in FIRST_FIELD:
            return dict(self._stored_row(self.cleaned_data))
        return {"kind": self.step_kind, "config": self._config(self.cleaned_data)}


class MetricRow(RowForm):
    """One metric of a canary."""

    name = forms.CharField(required=False, max_length=100, widget=forms.TextInput(
        attrs={"autocomplete": "off", "placeholder": "errors"}))
    query = forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
                            help_text="Of the new versions, such as their rate of errors.")
    base = forms.CharField(
        label="Compared with", required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="The same query of the old versions. Then the threshold is how many percent worse the new ones may be.",
    )
    better = forms.ChoiceField(label="Good is", choices=[("lower", "at most"), ("higher", "at least")], required=False)
    threshold = forms.FloatField(required=False, widget=forms.NumberInput(attrs={"step": "any"}))
    weight = forms.IntegerField(label="Weight", required=False, initial=1, min_value=1, max_value=100)
    series = forms.ChoiceField(
        label="Several series", required=False,
        choices=[(ONE, "are refused: one is needed"), (WORST, "each is judged: the worst decides")],
        help_text="A query that is not put together, such as by sum(), has one series for each pod.",
    )
    label = ""

    def __init__(self, *args: Any, kind: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    @property
    def blank(self) -> bool:
        """Nothing was typed."""
        if not self.is_bound:
            return not self.initial
        return not any(self.data.get(self.add_prefix(name), "").strip() for name in ("name", "query", "base", "threshold"))

    @property
    def values_line(self) -> list[forms.BoundField]:
        """The fields that share a line."""
        return [self["better"], self["threshold"], self["weight"]]

    def value(self) -> dict[str, Any]:
        """The fields of a core.scenarios.Metric."""
        sent = self.cleaned_data
        return {
            "name": sent["name"], "query": sent["query"], "base": sent["base"], "better": sent["better"] or "lower",
            "threshold": sent["threshold"], "weight": 1 if sent["weight"] is None else sent["weight"],
            "series": sent["series"] or ONE,
        }

    def clean(self) -> dict[str, Any]:
        """Show what the service would refuse beside its field."""
        sent = super().clean()
        if not self.errors:
            try:
                check_metric(self.value())
            except Invalid as refusal:
                self.add_error(refusal.extra.get("part"), refusal.sentence)
        return sent


def command_rows(commands: Mapping[str, Any], data: QueryDict | None, *, quiet: bool) -> list[Rows]:
    """The lists of the phases that every rollout has, and of the other phases for which the scenario has steps."""
    offered = {"http": True, "command": settings.STEP_COMMANDS, "storage": settings.STEP_STORAGES,
               "kubernetes": settings.STEP_KUBECONFIGS}
    kinds = [(kind, label) for kind, label in BUTTONS.items() if offered[kind]]
    found = []
    for phase in sorted(ALL_PHASES, key=list(PHASE_TITLES).index):
        if phase not in PHASES and not commands.get(phase):
            continue
        stored = list(commands.get(phase) or [])

        def make(phase: str = phase, stored: Sequence[Mapping[str, Any]] = stored, **facts: Any) -> CommandRow:
            return CommandRow(phase=phase, stored=stored, **facts)

        found.append(Rows(
            phase, make, title=PHASE_TITLES[phase], one=ROW_NAMES[phase], kinds=kinds, most=MOST_COMMANDS, data=data, quiet=quiet,
            stored=[{**part, "was": at} for at, part in enumerate(stored)], empty="Each target's own step.",
        ))
    return found


def metric_rows(metrics: Sequence[Mapping[str, Any]], data: QueryDict | None, *, quiet: bool) -> Rows:
    """The list of metrics; a scenario without metrics starts with a blank row."""
    return Rows(
        "metrics", MetricRow, title="Metrics", one="metric", kinds=[("", "Add a metric")], most=MOST_METRICS, stored=metrics,
        data=data, quiet=quiet, spare=True,
    )
