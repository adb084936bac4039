"""The filters of the activity page."""
from __future__ import annotations

from django import forms

from gs2admin.audit.pages.words import ACTIONS, DOORS, OBJECTS
from gs2admin.dashboard.forms import DayField, PageForm

_CALM = {"autocomplete": "off", "spellcheck": "false"}


def _choices(label: str, words: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [("", label), *words]


class FilterForm(PageForm):
    """What the address may say."""

    actor = forms.CharField(label="Who", required=False, max_length=150, widget=forms.TextInput(attrs=_CALM))
    action = forms.ChoiceField(
        label="Did what", required=False, choices=_choices("Anything", sorted((name, name) for name in ACTIONS))
    )
    type = forms.ChoiceField(label="To a", required=False, choices=_choices("Anything", sorted(OBJECTS.items())))
    object = forms.CharField(label="Named", required=False, max_length=300, widget=forms.TextInput(attrs=_CALM))
    player = forms.CharField(label="Player", required=False, max_length=128, strip=False, widget=forms.TextInput(attrs=_CALM))
    since = DayField(label="From day (UTC)")
    until = DayField(label="To day (UTC)")
    door = forms.ChoiceField(label="Through", required=False, choices=_choices("Anything", list(DOORS.items())))

    def clean(self) -> dict:
        """Refuse a period that ends before it begins."""
        found = super().clean()
        since, until = found.get("since"), found.get("until")
        if since and until and until < since:
            self.add_error("until", "This day is before the first one.")
        return found
