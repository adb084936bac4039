"""The form of a scenario. It checks shape and choices; the services check the rest."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from gs2admin.dashboard.forms import PageForm, reason_field
from gs2admin.identity.models import MEMBER_ROLES
from stages.core.scenarios import plan_of, stored
from stages.models import Scenario
from stages.pages.forms.rows import Rows, after_press, pressed_of
from stages.pages.forms.scenario_rows import command_rows, metric_rows
from stages.states import Analysis, Strategy

UNITS = {"s": 1, "sec": 1, "": 60, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_WEIGHT = re.compile(r"(\d{1,3})\s*%?\s*(?:(?:for|:)?\s*(\d{1,6})\s*(s|sec|min|m|h|d)?)?")
STRATEGIES = [
    (Strategy.NORMAL, "Normal: every target, in the order below"),
    (Strategy.ROLLING, "Rolling: some targets at a time, stopping at the first batch that fails"),
    (Strategy.BLUE_GREEN, "Blue/green: the other colour is deployed completely, then all players switch at once"),
    (Strategy.CANARY, "Canary: a part of the players first"),
]
TIMES = ("delay_s", "duration_s", "interval_s", "step_s", "pass_score", "least_percent")


def weights_of(text: str) -> list[dict[str, Any]]:
    """ "5 for 10 min, 20, 50 for 1 h" as stored weights. Raises ValidationError."""
    found = []
    for part in text.split(","):
        match = _WEIGHT.fullmatch(part.strip())
        if match is None:
            raise forms.ValidationError(f"{part.strip()!r} cannot be read. Write percent and a time, such as 5 for 10 min.")
        pause = int(match[2]) * UNITS[match[3] or ""] if match[2] else None
        found.append({"percent": int(match[1]), "pause_s": pause})
    return found


def weights_text(weights: Any) -> str:
    """The stored weights in the form that `weights_of` reads."""
    return ", ".join(f"{w.percent}" + (f" for {_time(w.pause_s)}" if w.pause_s is not None else "") for w in weights)


def seconds_of(text: str) -> int:
    """ "2 h", "90 s", "120" (minutes) in seconds. Raises ValidationError."""
    match = re.fullmatch(r"(\d{1,6})\s*(s|sec|min|m|h|d)?", text.strip())
    if match is None:
        raise forms.ValidationError(f"{text.strip()!r} cannot be read. Write a time such as 90 s, 30 min or 2 h.")
    return int(match[1]) * UNITS[match[2] or ""]


def _time(seconds: int) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


class ScenarioForm(PageForm):
    """How rollouts of a stage proceed. The fields that the chosen strategy does not use are ignored."""

    name = forms.CharField(max_length=100, help_text="Such as careful or night.", widget=forms.TextInput(
        attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}))
    description = forms.CharField(required=False, max_length=500, help_text="When it is meant to be used.")
    strategy = forms.ChoiceField(choices=STRATEGIES, initial=Strategy.NORMAL)
    order = forms.ChoiceField(
        label="Targets", choices=[("sequence", "One after the other"), ("together", "All at the same time")], initial="sequence",
    )
    batch_size = forms.IntegerField(label="Targets in a batch", min_value=1, max_value=20, initial=1, required=False,
                                    help_text="It stops at the first batch that fails.")
    rollback = forms.BooleanField(
        label="Undo when a step fails", required=False,
        help_text="Changes are undone, last first: each step runs again with the old and new version exchanged.",
    )
    weights = forms.CharField(
        required=False, max_length=400, initial="5 for 10 min, 20 for 30 min, 50",
        help_text="Percent of the players and for how long: 5 for 10 min, 20 for 1 h, 50. Without a time, a person has to go on.",
    )
    analysis = forms.ChoiceField(label="Who decides", choices=Analysis.choices, initial=Analysis.MANUAL)
    time_limit = forms.CharField(
        label="Withdrawn without a decision after", required=False, max_length=20,
        help_text="Such as 2 h or 90 min. Empty: it waits without a limit.",
    )
    url = forms.CharField(
        label="Prometheus", required=False, max_length=500, help_text="The address of a Prometheus-compatible server.",
        widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off", "placeholder": "https://prometheus.example.com"}),
    )
    delay_s = forms.IntegerField(label="Begins after (s)", required=False, initial=60, min_value=0)
    duration_s = forms.IntegerField(label="Lasts (s)", required=False, initial=600, min_value=1)
    interval_s = forms.IntegerField(label="Measured every (s)", required=False, initial=60, min_value=1)
    step_s = forms.IntegerField(label="One value every (s)", required=False, initial=15, min_value=1)
    pass_score = forms.IntegerField(label="Score that passes", required=False, initial=80, min_value=1, max_value=100)
    least_percent = forms.IntegerField(label="Values needed (%)", required=False, initial=0, min_value=0, max_value=100)
    approvals_required = forms.IntegerField(
        label="People who have to approve", required=False, min_value=0, max_value=10, initial=0,
        help_text="0: it starts at once. The requester does not count.",
    )
    approver_roles = forms.MultipleChoiceField(
        label="Who may approve", required=False, widget=forms.CheckboxSelectMultiple,
        choices=[(role.value, role.label) for role in MEMBER_ROLES],
        help_text="None chosen: everybody who may promote.",
    )
    use = forms.BooleanField(label="Promote and roll back with this", required=False, initial=True,
                             help_text="Otherwise only programs that name it use it.")
    reason = reason_field()
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict | None = None, *, scenario: Scenario | None = None) -> None:
        self.scenario = scenario
        pressed = pressed_of(data) if data is not None else None
        self.pressed = pressed is not None
        if pressed is not None:
            data = after_press(data, pressed, self._lists(data))
        super().__init__(data, initial=self._initial(scenario) if scenario else None)
        lists = self._lists(data)
        self.commands, self.metrics = lists[:-1], lists[-1]
        for rows in lists:
            rows.focus(pressed)

    def _lists(self, data: QueryDict | None) -> list[Rows]:
        commands = self.scenario.commands if self.scenario else {}
        metrics = stored(plan_of(self.scenario.canary))["metrics"] if self.scenario else []
        quiet = data is not None and pressed_of(data) is not None
        return [*command_rows(commands, data, quiet=quiet), metric_rows(metrics, data, quiet=quiet)]

    def full_clean(self) -> None:
        """Check what was sent, unless a button of a list was pressed."""
        if not self.pressed:
            return super().full_clean()
        self._errors, self.cleaned_data = forms.utils.ErrorDict(), {}
        return None

    def is_valid(self) -> bool:
        """Whether it can be saved."""
        return not self.pressed and super().is_valid()

    @staticmethod
    def _initial(row: Scenario) -> dict[str, Any]:
        plan = plan_of(row.canary)
        return {
            **{name: getattr(row, name) for name in ("name", "description", "strategy", "batch_size", "rollback", "revision")},
            "approvals_required": row.approvals_required,
            "order": "sequence" if row.sequence else "together",
            "weights": weights_text(plan.weights), "analysis": plan.analysis, "url": plan.url,
            "time_limit": _time(plan.time_limit_s) if plan.time_limit_s else "",
            **{name: getattr(plan, name) for name in TIMES},
            "approver_roles": row.approvers.get("roles", []),
            "use": row.stage.scenario_id == row.pk,
        }

    def clean_weights(self) -> list[dict[str, Any]]:
        """The weights as they are stored."""
        text = self.cleaned_data["weights"].strip()
        return weights_of(text) if text else []

    def clean_time_limit(self) -> int | None:
        """The limit in seconds; None for no limit."""
        text = self.cleaned_data["time_limit"].strip()
        return seconds_of(text) if text else None

    def clean(self) -> dict[str, Any]:
        """Check the rows too: each shows its errors beside its fields, and the form names the rows that have errors."""
        sent = super().clean()
        canary = sent.get("strategy") == Strategy.CANARY
        decide = canary and sent.get("analysis") == Analysis.AUTO
        wrong = [name for rows in self.commands for name in rows.check()]
        wrong += self.metrics.check(needed=decide, at_all=canary)
        if wrong:
            self.add_error(None, f"Not saved yet: correct {', '.join(wrong)}.")
        return sent

    def facts(self) -> dict[str, Any]:
        """The fields as the services take them."""
        sent = self.cleaned_data
        before = self.scenario.commands if self.scenario else {}
        commands = {rows.name: rows.values() if rows.sent else before.get(rows.name, []) for rows in self.commands}
        return {
            "name": sent["name"], "description": sent["description"], "strategy": sent["strategy"],
            "sequence": sent["order"] == "sequence", "batch_size": sent["batch_size"] or 1, "rollback": sent["rollback"],
            "commands": {phase: parts for phase, parts in commands.items() if parts},
            "canary": self._canary(sent) if sent["strategy"] == Strategy.CANARY else {},
            "approvals_required": sent["approvals_required"] or 0,
            "approvers": self._approvers(sent),
        }

    def _approvers(self, sent: Mapping[str, Any]) -> dict[str, list[str]]:
        """The chosen roles. Stored people, and stored roles that the form does not offer, stay."""
        now = self.scenario.approvers if self.scenario else {}
        offered = {role.value for role in MEMBER_ROLES}
        others = [role for role in now.get("roles", []) if role not in offered]
        return {"roles": [*sent["approver_roles"], *others], "people": list(now.get("people", []))}

    def _canary(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        plan: dict[str, Any] = {"analysis": sent["analysis"], "time_limit_s": sent["time_limit"], "url": sent["url"]}
        if sent["weights"]:
            plan["weights"] = sent["weights"]
        now = stored(plan_of(self.scenario.canary)) if self.scenario else {}
        for name in TIMES:
            if sent[name] is not None:
                plan[name] = sent[name]
            elif name not in self.data and name in now:
                plan[name] = now[name]
        plan["metrics"] = self.metrics.values() if self.metrics.sent else now.get("metrics", [])
        return plan
