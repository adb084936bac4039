"""Forms of stops and freeze windows. They check shape and choices; the services check the rest."""
from __future__ import annotations

from datetime import UTC, datetime, time
from functools import cache
from typing import Any

from django import forms
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from gs2admin.dashboard.forms import PageForm, WallTimeField, reason_field
from gs2admin.identity.models import Project
from stages.gates.local_time import on_clocks, told, zone, zone_names
from stages.gates.services import WindowPlan
from stages.gates.windows import DAYS
from stages.models import Stage
from stages.models.governance import FreezeWindow

_DAYS = [(str(number), name) for number, name in enumerate(DAYS)]
_ROLLBACKS = "Otherwise rollbacks can start: they end trouble."


@cache
def _zones() -> list[tuple[str, str]]:
    return [(name, name) for name in zone_names()]


class LongSelect(forms.Select):
    """A list of hundreds of lines, written without a template for each: that takes longer than the rest of the page."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        options = format_html_join(
            "\n", '<option value="{}"{}>{}</option>',
            ((key, mark_safe(" selected") if key == value else "", label) for key, label in self.choices),
        )
        attributes = flatatt(self.build_attrs(self.attrs, {"name": name, **(attrs or {})}))
        return format_html("<select{}>{}</select>", attributes, options)


class StopForm(PageForm):
    """Why promotions are stopped, and whether rollbacks are stopped too."""

    reason = forms.CharField(label="Why", max_length=1024, widget=forms.Textarea(attrs={"rows": 3}),
                             help_text="Everybody who wants to promote reads it.")
    holds_rollbacks = forms.BooleanField(label="Stop rollbacks too", required=False, help_text=_ROLLBACKS)


class WindowForm(PageForm):
    """A freeze window, once or weekly. Times are by the clocks of the chosen zone.

    A window that is edited shows what is stored to the minute. What comes back as it was shown stays as it is stored, to the
    microsecond, and the one of two times with the same name: nothing moves that nobody touched.
    """

    called_here = {"starts_at": "starts", "ends_at": "ends"}
    name = forms.CharField(max_length=128, help_text="Such as Weekend or Season start.")
    stage = forms.ChoiceField(label="Applies to", required=False)
    time_zone = forms.ChoiceField(label="Time zone", initial="UTC", widget=LongSelect,
                                  help_text="All times below are in this time zone.")
    weekly = forms.ChoiceField(label="How often", choices=[("", "Once"), ("1", "Every week")], required=False)
    starts = WallTimeField(label="Begins")
    ends = WallTimeField(label="Ends")
    from_day = forms.ChoiceField(label="Begins on", choices=_DAYS, initial="4", required=False)
    from_time = forms.TimeField(label="at", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    to_day = forms.ChoiceField(label="Ends on", choices=_DAYS, initial="0", required=False)
    to_time = forms.TimeField(label="at", required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))
    holds_rollbacks = forms.BooleanField(label="Stop rollbacks too", required=False, help_text=_ROLLBACKS)

    def __init__(self, *args: Any, project: Project, window: FreezeWindow | None = None, **kwargs: Any) -> None:
        initial = _initial(window) if window else {}
        super().__init__(*args, initial=initial | kwargs.pop("initial", {}), **kwargs)
        self.window = window
        self.stages = {row.name: row for row in Stage.objects.existing(project.pk)}
        names = [("", "All stages"), *((name, name) for name in self.stages)]
        zones = _zones()
        if window:
            # A list without what is stored would send its first line instead, for somebody who only changes the name.
            if (key := _stage_of(window)) not in ("", *self.stages):
                names.append((key, key))
                self.stages[key] = window.stage
            if (window.time_zone, window.time_zone) not in zones:
                zones = [*zones, (window.time_zone, f"{window.time_zone} (not known here)")]
        self.fields["stage"].choices, self.fields["time_zone"].choices = names, zones
        self.fields["reason"] = reason_field()
        self.fields["reason"].widget.attrs["class"] = "form-control"

    def clean(self) -> dict[str, Any]:
        """All that this kind of window needs must be there; what the other kind needs is hidden, and not looked at."""
        sent = super().clean()
        once, weekly = ("starts", "ends"), ("from_day", "from_time", "to_day", "to_time")
        needed, other = (weekly, once) if sent.get("weekly") else (once, weekly)
        for name in other:
            self.errors.pop(name, None)
        for name in needed:
            if sent.get(name) in (None, "") and name not in self.errors:
                self.add_error(name, "This field is required.")
        return sent

    def plan(self) -> WindowPlan:
        """The window, as the service takes it: times without a zone, but those that nobody touched."""
        sent = self.cleaned_data
        common = {"name": sent["name"], "stage": self.stages.get(sent["stage"]), "time_zone": sent["time_zone"],
                  "holds_rollbacks": sent["holds_rollbacks"]}
        if sent["weekly"]:
            return WindowPlan(
                **common, weekly=True, from_day=int(sent["from_day"]), to_day=int(sent["to_day"]),
                from_time=self._time("from_time"), to_time=self._time("to_time"),
            )
        return WindowPlan(**common, starts_at=self._moment("starts", "starts_at"), ends_at=self._moment("ends", "ends_at"))

    def decided(self) -> list[str]:
        """What the person is told about times that they typed and that their clocks leave out or show twice."""
        plan = self.plan()
        typed = [(at, at is plan.starts_at) for at in (plan.starts_at, plan.ends_at) if at and not at.tzinfo]
        return [sentence for at, begins in typed if (sentence := told(at, plan.time_zone, begins=begins))]

    def _moment(self, shown: str, stored: str) -> datetime:
        """What was typed; the stored moment where that is what the form has shown."""
        typed = self.cleaned_data[shown]
        kept = getattr(self.window, stored, None)
        same_zone = kept and self.cleaned_data["time_zone"] == self.window.time_zone
        return kept if same_zone and _local(kept, self.window.time_zone).replace(second=0, microsecond=0) == typed else typed

    def _time(self, name: str) -> time:
        typed, kept = self.cleaned_data[name], getattr(self.window, name, None)
        return kept if kept and kept.replace(second=0, microsecond=0) == typed else typed


def _local(at: datetime, zone_name: str) -> datetime:
    """The moment by the clocks of the zone; of UTC where this server does not know the zone."""
    try:
        return on_clocks(at, zone(zone_name)).replace(tzinfo=None)
    except ValueError:
        return at.astimezone(UTC).replace(tzinfo=None)


def _stage_of(window: FreezeWindow) -> str:
    """The choice that stands for the window's stage; no stage that exists is called as a deleted one is here."""
    if not window.stage_id:
        return ""
    return f"{window.stage.name} (deleted)" if window.stage.deleted_at else window.stage.name


def _initial(window: FreezeWindow) -> dict[str, Any]:
    days = {"from_day": str(window.from_day), "to_day": str(window.to_day)} if window.weekly else {}
    local = {shown: _local(at, window.time_zone) for shown, at in (("starts", window.starts_at), ("ends", window.ends_at)) if at}
    return {
        "name": window.name, "stage": _stage_of(window), "time_zone": window.time_zone,
        "weekly": "1" if window.weekly else "", "from_time": window.from_time, "to_time": window.to_time,
        "holds_rollbacks": window.holds_rollbacks, **days, **local,
    }
