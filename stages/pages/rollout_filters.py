"""The filters of the list and the export of rollouts, read from the address, so that a link shows the same rollouts."""
from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet

from gs2admin.dashboard.forms import DayField, PageForm
from gs2admin.db.portions import Portion, fitting
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
        rows, fits = self._listed()
        return rows.filter(fits)

    def first(self, *, before: int | None, limit: int) -> Portion:
        """The newest of them with their stages, of numbers below `before`; reads for a bounded time. A place is a number."""
        listed, fits = self._listed()
        start = None
        if before is not None:
            # Ids rise with the numbers, and every index ends with the id.
            below = Rollout.objects.filter(project=self.project, number__lt=before).order_by("-number")
            start = below.values_list("pk", flat=True).first()
            if start is None:
                return Portion()
        rows = Rollout.objects.select_related("stage").defer("error")
        whole = listed.select_related("stage").defer("error")
        found = fitting(whole, fits, key=("pk",), down=True, start=start, rows=rows, limit=limit)
        if found.further:
            found.further = Rollout.objects.filter(pk=found.further[0]).values_list("number").first()
        return found

    def _listed(self) -> tuple[QuerySet[Rollout], Q]:
        """The rollouts that one index lists, newest first, and what else they have to fit."""
        rows, fits = Rollout.objects.of_project(self.project.pk), Q()
        if not self.is_valid():
            return rows.none(), fits
        sent = self.cleaned_data
        if sent["stage"]:
            rows = rows.filter(stage=self.stages[sent["stage"]])
        if sent["state"]:
            fits &= Q(state__in=FILTERS[sent["state"]].states)
        if sent["by"]:
            fits &= Q(requested_by=sent["by"])
        if sent["service"]:
            fits &= Q(Exists(Step.objects.filter(rollout=OuterRef("pk"), microservice=sent["service"])))
        if sent["since"]:
            fits &= Q(created_at__gte=_midnight(sent["since"]))
        if sent["until"]:
            fits &= Q(created_at__lte=datetime.combine(sent["until"], time.max, UTC))
        return rows, fits


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
