"""Forms of stops and freeze windows. They check shape and choices; the services check the rest."""
from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms

from gs2admin.dashboard.forms import PageForm, reason_field
from gs2admin.identity.models import Project
from stages.gates.services import WindowPlan
from stages.gates.windows import DAYS, zone
from stages.models import Stage
from stages.models.governance import FreezeWindow

_DAYS = [(str(number), name) for number, name in enumerate(DAYS)]
_ROLLBACKS = "Otherwise rollbacks can start: they end trouble."


@cache
def _zones() -> list[tuple[str, str]]:
    return [(name, name) for name in ["UTC", *sorted(available_timezones() - {"UTC", "localtime", "Factory"})]]


class StopForm(PageForm):
    """Why promotions are stopped, and whether rollbacks are stopped too."""

    reason = forms.CharField(label="Why", max_length=1024, widget=forms.Textarea(attrs={"rows": 3}),
                             help_text="Everybody who wants to promote reads it.")
    holds_rollbacks = forms.BooleanField(label="Stop rollbacks too", required=False, help_text=_ROLLBACKS)


class WindowForm(PageForm):
    """A freeze window, once or weekly."""

    name = forms.CharField(max_length=128, help_text="Such as Weekend or Season start.")
    stage = forms.ChoiceField(label="Applies to", required=False)
    time_zone = forms.ChoiceField(label="Time zone", initial="UTC", help_text="All times below are in this time zone.")
    weekly = forms.ChoiceField(label="How often", choices=[("", "Once"), ("1", "Every week")], required=False)
    starts = forms.DateTimeField(label="Begins", required=False, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
                                 widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"))
    ends = forms.DateTimeField(label="Ends", required=False, input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
                               widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"))
    from_day = forms.ChoiceField(label="Begins on", choices=_DAYS, initial="4", required=False)
    from_time = forms.TimeField(label="at", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    to_day = forms.ChoiceField(label="Ends on", choices=_DAYS, initial="0", required=False)
    to_time = forms.TimeField(label="at", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    holds_rollbacks = forms.BooleanField(label="Stop rollbacks too", required=False, help_text=_ROLLBACKS)

    def __init__(self, *args: Any, project: Project, window: FreezeWindow | None = None, **kwargs: Any) -> None:
        initial = _initial(window) if window else {}
        super().__init__(*args, initial=initial | kwargs.pop("initial", {}), **kwargs)
        self.stages = {row.name: row for row in Stage.objects.existing(project.pk)}
        self.fields["stage"].choices = [("", "All stages"), *((name, name) for name in self.stages)]
        self.fields["time_zone"].choices = _zones()
        self.fields["reason"] = reason_field()
        self.fields["reason"].widget.attrs["class"] = "form-control"

    def clean(self) -> dict[str, Any]:
        """Turn the typed times, which are in the chosen time zone, into moments."""
        sent = super().clean()
        for shown, stored in (("starts", "starts_at"), ("ends", "ends_at")):
            typed = sent.get(shown)
            sent[stored] = _moment(typed, sent["time_zone"]) if typed and sent.get("time_zone") else None
        needed = ("from_time", "to_time") if sent.get("weekly") else ("starts", "ends")
        for name in needed:
            if not sent.get(name) and name not in self.errors:
                self.add_error(name, "This field is required.")
        return sent

    def plan(self) -> WindowPlan:
        """The window, as the service takes it."""
        sent = self.cleaned_data
        weekly = bool(sent["weekly"])
        return WindowPlan(
            name=sent["name"], stage=self.stages.get(sent["stage"]), time_zone=sent["time_zone"], weekly=weekly,
            starts_at=sent["starts_at"], ends_at=sent["ends_at"],
            from_day=int(sent["from_day"] or 0) if weekly else None, from_time=sent["from_time"] if weekly else None,
            to_day=int(sent["to_day"] or 0) if weekly else None, to_time=sent["to_time"] if weekly else None,
            holds_rollbacks=sent["holds_rollbacks"],
        )


def _moment(typed: datetime, zone_name: str) -> datetime:
    return typed.replace(tzinfo=zone(zone_name))


def _initial(window: FreezeWindow) -> dict[str, Any]:
    here = zone(window.time_zone)
    local = lambda at: at.astimezone(here).replace(tzinfo=None) if at else None  # noqa: E731
    days = {"from_day": str(window.from_day), "to_day": str(window.to_day)} if window.weekly else {}
    return {
        "name": window.name, "stage": window.stage.name if window.stage_id else "", "time_zone": window.time_zone,
        "weekly": "1" if window.weekly else "", "starts": local(window.starts_at), "ends": local(window.ends_at),
        "from_time": window.from_time, "to_time": window.to_time, "holds_rollbacks": window.holds_rollbacks, **days,
    }
