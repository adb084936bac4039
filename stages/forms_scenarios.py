"""The form of a scenario: shape and choices; services judge."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings

from gs2admin.dashboard.forms import PageForm
from gs2admin.identity.forms import reason_field
from gs2admin.identity.models import MEMBER_ROLES
from stages.models import Scenario
from stages.models_scenarios import Analysis, Strategy
from stages.scenarios import plan_of
from stages.states import PHASES

KEEP = "__keep"
UNITS = {"s": 1, "sec": 1, "": 60, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_WEIGHT = re.compile(r"(\d{1,3})\s*%?\s*(?:(?:for|:)?\s*(\d{1,6})\s*(s|sec|min|m|h|d)?)?")
STRATEGIES = [
    (Strategy.NORMAL, "Normal: every target in the order below"),
    (Strategy.ROLLING, "Rolling: some targets at a time, stopping at the first batch that fails"),
    (Strategy.BLUE_GREEN, "Blue/green: the other colour is completed, then all players switch at once"),
    (Strategy.CANARY, "Canary: a part of the players first"),
]
PHASE_LABELS = {"pre": "Before", "deploy": "Deploy", "post": "After"}


def weights_of(text: str) -> list[dict[str, Any]]:
    """ "5 for 10 min, 20, 50 for 1 h" as stored weights. Raises ValidationError."""
    found = []
    for part in text.split(","):
        match = _WEIGHT.fullmatch(part.strip())
        if match is None:
            raise forms.ValidationError(f"{part.strip()!r} is not understood. Write percent and a time, such as 5 for 10 min.")
        pause = int(match[2]) * UNITS[match[3] or ""] if match[2] else None
        found.append({"percent": int(match[1]), "pause_s": pause})
    return found


def weights_text(weights: Any) -> str:
    """The stored weights as `weights_of` reads them."""
    return ", ".join(f"{w.percent}" + (f" for {_time(w.pause_s)}" if w.pause_s is not None else "") for w in weights)


def _time(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


class ScenarioForm(PageForm):
    """How rollouts of a stage proceed. Fields that the chosen strategy does not use are ignored."""

    name = forms.CharField(max_length=100, help_text="Such as careful or night.", widget=forms.TextInput(
        attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}))
    description = forms.CharField(required=False, max_length=500, help_text="When it is meant to be used.")
    strategy = forms.ChoiceField(choices=STRATEGIES, initial=Strategy.NORMAL)
    order = forms.ChoiceField(
        label="Targets", choices=[("sequence", "One after the other"), ("together", "All at the same time")], initial="sequence",
        help_text="Rolling has its batches instead.",
    )
    batch_size = forms.IntegerField(label="Targets in a batch", min_value=1, max_value=20, initial=1, required=False,
                                    help_text="Only for rolling.")
    rollback = forms.BooleanField(
        label="Undo when a step fails", required=False,
        help_text="What was changed is put back, last first: each step runs once more with the versions exchanged.",
    )
    weights = forms.CharField(
        required=False, max_length=400, initial="5 for 10 min, 20 for 30 min, 50",
        help_text="Percent of the players and for how long: 5 for 10 min, 20 for 1 h, 50. Without a time, somebody has to go on.",
    )
    analysis = forms.ChoiceField(label="Who judges", choices=Analysis.choices, initial=Analysis.MANUAL)
    time_limit_min = forms.IntegerField(
        label="Withdrawn without a decision after (min)", required=False, min_value=1, max_value=43_200,
        help_text="Empty: it waits for ever.",
    )
    url = forms.CharField(
        label="Prometheus", required=False, max_length=500, help_text="The address of a Prometheus-compatible server.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "placeholder": "https://prometheus.example.com"}),
    )
    query = forms.CharField(label="Query", required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2}),
                            help_text="Of the new versions, such as their rate of errors.")
    base = forms.CharField(
        label="Compared with", required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="The same query of the old versions. Then the threshold is how many percent worse the new ones may be.",
    )
    better = forms.ChoiceField(label="Good is", choices=[("lower", "at most"), ("higher", "at least")], required=False)
    threshold = forms.FloatField(label="Threshold", required=False)
    delay_s = forms.IntegerField(label="Begins after (s)", required=False, initial=60, min_value=0)
    duration_s = forms.IntegerField(label="Lasts (s)", required=False, initial=600, min_value=1)
    interval_s = forms.IntegerField(label="Looked at every (s)", required=False, initial=60, min_value=1)
    pass_score = forms.IntegerField(label="Score that passes", required=False, initial=80, min_value=1, max_value=100)
    approvals_required = forms.IntegerField(
        label="People who have to approve", required=False, min_value=0, max_value=10, initial=0,
        help_text="0: it starts at once. Whoever asks for it does not count.",
    )
    approver_roles = forms.MultipleChoiceField(
        label="Who may approve", required=False, choices=[(role.value, role.label) for role in MEMBER_ROLES],
        help_text="Nobody chosen: everybody who may promote.",
    )
    use = forms.BooleanField(label="Promote and roll back with this", required=False, initial=True,
                             help_text="Otherwise it is there for programs that name it.")
    reason = reason_field()

    def __init__(self, *args: Any, scenario: Scenario | None = None, **kwargs: Any) -> None:
        self.scenario = scenario
        if scenario is not None:
            kwargs["initial"] = self._initial(scenario)
        super().__init__(*args, **kwargs)
        for phase in PHASES:
            self.fields[f"command_{phase}"] = self._command(phase)
        self._dress()

    def _dress(self) -> None:
        for name in [f"command_{phase}" for phase in PHASES]:
            self.fields[name].widget.attrs["class"] = "form-select"

    def _command(self, phase: str) -> forms.ChoiceField:
        now = (self.scenario.commands if self.scenario else {}).get(phase) or []
        choices = [("", "What each target has"), *[(name, f"Command {name}") for name in sorted(settings.STEP_COMMANDS)]]
        initial = ""
        if now:
            name = now[0]["config"].get("command", "") if len(now) == 1 and now[0]["kind"] == "command" else ""
            initial = name if name in settings.STEP_COMMANDS else KEEP
            if initial == KEEP:
                choices.append((KEEP, f"As it is: {len(now)} step{'' if len(now) == 1 else 's'}"))
        return forms.ChoiceField(label=PHASE_LABELS[phase], choices=choices, required=False, initial=initial)

    @staticmethod
    def _initial(row: Scenario) -> dict[str, Any]:
        plan = plan_of(row.canary)
        metric = plan.metrics[0] if plan.metrics else None
        return {
            **{name: getattr(row, name) for name in ("name", "description", "strategy", "batch_size", "rollback")},
            "approvals_required": row.approvals_required,
            "order": "sequence" if row.sequence else "together",
            "weights": weights_text(plan.weights), "analysis": plan.analysis, "url": plan.url,
            "time_limit_min": plan.time_limit_s // 60 if plan.time_limit_s else None,
            **{name: getattr(metric, name) for name in ("query", "base", "better", "threshold") if metric},
            **{name: getattr(plan, name) for name in ("delay_s", "duration_s", "interval_s", "pass_score")},
            "approver_roles": row.approvers.get("roles", []),
            "use": row.stage.scenario_id == row.pk,
        }

    def clean_weights(self) -> list[dict[str, Any]]:
        """As they are stored."""
        text = self.cleaned_data["weights"].strip()
        return weights_of(text) if text else []

    def facts(self) -> dict[str, Any]:
        """Everything as the services take it."""
        sent = self.cleaned_data
        return {
            "name": sent["name"], "description": sent["description"], "strategy": sent["strategy"],
            "sequence": sent["order"] == "sequence", "batch_size": sent["batch_size"] or 1, "rollback": sent["rollback"],
            "commands": self._commands(sent), "canary": self._canary(sent) if sent["strategy"] == Strategy.CANARY else {},
            "approvals_required": sent["approvals_required"] or 0,
            "approvers": {"roles": sent["approver_roles"], "people": self._people()},
        }

    def _people(self) -> list[str]:
        return list(self.scenario.approvers.get("people", [])) if self.scenario else []

    def _commands(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        before = dict(self.scenario.commands) if self.scenario else {}
        found = {phase: parts for phase, parts in before.items() if phase not in PHASES}
        for phase in PHASES:
            chosen = sent[f"command_{phase}"]
            if chosen == KEEP:
                found[phase] = before[phase]
            elif chosen:
                same = [p for p in before.get(phase, []) if p["config"].get("command") == chosen]
                found[phase] = same or [{"kind": "command", "config": {"command": chosen}}]
        return found

    def _canary(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        plan: dict[str, Any] = {"analysis": sent["analysis"]}
        if sent["weights"]:
            plan["weights"] = sent["weights"]
        if sent["time_limit_min"]:
            plan["time_limit_s"] = sent["time_limit_min"] * 60
        for name in ("delay_s", "duration_s", "interval_s", "pass_score"):
            if sent[name] is not None:
                plan[name] = sent[name]
        if sent["analysis"] == Analysis.AUTO:
            plan["url"] = sent["url"]
            more = plan_of(self.scenario.canary).metrics[1:] if self.scenario else ()
            first = {
                "name": "query", "query": sent["query"], "base": sent["base"], "better": sent["better"] or "lower",
                "threshold": sent["threshold"],
            }
            plan["metrics"] = [first, *[vars(metric) for metric in more]]
        return plan
