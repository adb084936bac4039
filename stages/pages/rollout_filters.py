"""The filters of the list and the export of rollouts, read from the address, so that a link shows the same rollouts."""
from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Exists, OuterRef, QuerySet

from gs2admin.dashboard.forms import DayField, PageForm
from gs2admin.identity.models import Project
from stages.core.words import FILTERS
from stages.models import Rollout, Stage, Step

_CALM = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}


class RolloutFilter(PageForm):
    """The filters of one project. When one cannot be read, it is marked and no rollout is found."""

    stage = forms.ChoiceField(required=False)
    state = forms.ChoiceField(required=False, choices=[
        ("", "Any state"), *((key, choice.label) for key, choice in FILTERS.items()),
    ])
    by = forms.CharField(label="By", required=False, max_length=150, widget=forms.TextInput(attrs=_CALM))
    service = forms.CharField(label="Service", required=False, max_length=128, widget=forms.TextInput(attrs=_CALM))
    since = DayField(label="From day (UTC)")
    until = DayField(label="To day (UTC)")

    def __init__(self, data: Any, *, project: Project) -> None:
        super().__init__({key: value.replace("\x00", "") for key, value in data.items()})
        self.project = project
        self.stages = {row.name: row for row in Stage.objects.existing(project.pk).only("id", "name")}
        self.fields["stage"].choices = [("", "All stages"), *((name, name) for name in self.stages)]

    def clean(self) -> dict[str, Any]:
        """Refuse a last day that comes before the first."""
        sent = super().clean()
        if sent.get("since") and sent.get("until") and sent["since"] > sent["until"]:
            self.add_error("until", "The last day comes before the first.")
        return sent

    @property
    def chosen(self) -> dict[str, str]:
        """The filters that are set, as in the address."""
        if not self.is_valid():
            return {}
        return {key: str(value) for key, value in self.cleaned_data.items() if value}

    def query(self, **more: Any) -> str:
        """`?stage=live&…`; empty when nothing is filtered and nothing is added."""
        words = {**self.chosen, **{key: value for key, value in more.items() if value}}
        return f"?{urlencode(words)}" if words else ""

    def rows(self) -> QuerySet[Rollout]:
        """The rollouts, newest first; none while a filter cannot be read."""
        rows = Rollout.objects.of_project(self.project.pk)
        if not self.is_valid():
            return rows.none()
        sent = self.cleaned_data
        if sent["stage"]:
            rows = rows.filter(stage=self.stages[sent["stage"]])
        if sent["state"]:
            rows = rows.filter(state__in=FILTERS[sent["state"]].states)
        if sent["by"]:
            rows = rows.filter(requested_by=sent["by"])
        if sent["service"]:
            rows = rows.filter(Exists(Step.objects.filter(rollout=OuterRef("pk"), microservice=sent["service"])))
        if sent["since"]:
            rows = rows.filter(created_at__gte=_midnight(sent["since"]))
        if sent["until"]:
            rows = rows.filter(created_at__lte=datetime.combine(sent["until"], time.max, UTC))
        return rows


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
