"""How every form looks: Tabler's classes on the widgets; labels, help and errors are tied by components/_field.html."""
from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils.dateparse import parse_datetime

MAX_SETTING = 20_000
REASON_HELP = "Goes to the activity log, for the people who look later."
_CLASSES = {
    forms.Select: "form-select", forms.SelectMultiple: "form-select", forms.CheckboxInput: "form-check-input",
    forms.RadioSelect: "form-check-input",
}


def dress(field: forms.Field) -> None:
    """Give the field's widget the classes of our pages; for fields that a form adds by itself."""
    css = next((css for kind, css in _CLASSES.items() if isinstance(field.widget, kind)), "form-control")
    field.widget.attrs["class"] = f"{field.widget.attrs.get('class', '')} {css}".strip()
    if isinstance(field.widget, forms.Textarea):
        field.widget.attrs.setdefault("rows", 3)
        field.widget.attrs.pop("cols", None)


class PageForm(forms.Form):
    """A form of our pages. Give it the actor's choices by keyword in a subclass; services do the checking.

    called_here: fields by the names that a service has for them, where those are others.
    """

    use_required_attribute = True
    called_here: dict[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            dress(field)


def reason_field() -> forms.CharField:
    """Why somebody does it, on one line."""
    return forms.CharField(label="Why", required=False, max_length=1024, help_text=REASON_HELP)


class ReasonForm(PageForm):
    """Why somebody does it; goes to the activity log."""

    reason = forms.CharField(
        label="Why", required=False, max_length=1024, widget=forms.Textarea(attrs={"rows": 3}), help_text=REASON_HELP
    )


class DayField(forms.DateField):
    """A day, as browsers send it and links have it: 2026-11-30. Another order of the numbers is refused, not guessed."""

    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, input_formats=["%Y-%m-%d"], **kwargs)


class WallTimeField(forms.DateTimeField):
    """A time by clocks that another field names: a datetime without zone. One with an offset of its own is refused."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values or isinstance(value, datetime):
            return value or None
        try:
            found = parse_datetime(value.strip())
        except ValueError:
            found = None
        if found is None:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        if found.tzinfo:
            raise forms.ValidationError("Write the time without an offset, such as 2026-11-30T17:00.", code="offset")
        return found


class UtcTimeField(WallTimeField):
    """An instant (UTC): a time by the clocks of UTC, or one with an offset of its own."""

    def to_python(self, value: Any) -> datetime | None:
        try:
            found = super().to_python(value)
            return found.replace(tzinfo=UTC) if found else None
        except forms.ValidationError as refusal:
            if refusal.code != "offset":
                raise
        try:
            return parse_datetime(value.strip()).astimezone(UTC)
        except OverflowError:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None


class JsonField(forms.CharField):
    """An object as JSON text; empty means that it is not set."""

    widget = forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "gs-mono"})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=MAX_SETTING, strip=True, **kwargs)

    def prepare_value(self, value: Any) -> str:
        """Stored settings as text; what was sent stays as it was typed."""
        return value if isinstance(value, str) else "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)

    def clean(self, value: Any) -> dict[str, Any] | None:
        text = super().clean(value)
        if not text:
            return None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as problem:
            where = f" (line {problem.lineno})" if isinstance(problem, json.JSONDecodeError) else ""
            raise forms.ValidationError(f"This is not JSON{where}. It looks like {{\"key\": \"value\"}}.") from None
        if not isinstance(found, dict):
            raise forms.ValidationError("This is a JSON object: {\"key\": \"value\"}.")
        return found
