"""Lists inside a form: buttons of the form add, remove and move rows, with or without JavaScript.

A button posts the whole form with `do`. The server answers with the form as it was typed, with one row more or less, so
nothing that was typed is lost.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from django import forms
from django.http import QueryDict

from gs2admin.dashboard.forms import PageForm

DO = "do"
ACTIONS = ("add", "remove", "up")
# At most so many rows are read from a request. Each list allows fewer (Rows.most), so the form refuses before this cuts.
MOST_READ = 60


class RowForm(PageForm):
    """One row. quiet: it is only shown again, so it is not checked."""

    def __init__(self, *args: Any, quiet: bool = False, **kwargs: Any) -> None:
        self.quiet = quiet
        super().__init__(*args, **kwargs)

    def full_clean(self) -> None:
        if not self.quiet:
            return super().full_clean()
        self._errors, self.cleaned_data = forms.utils.ErrorDict(), {}
        return None

    def value(self) -> dict[str, Any]:
        """The row as the services take it. Call it only when the row is valid."""
        raise NotImplementedError

    @property
    def blank(self) -> bool:
        """Nothing was typed, so the row does not count."""
        return False


class Rows:
    """The rows of one list: as they are stored, or as they were sent.

    make(prefix=, data=, initial=, quiet=, kind=) makes a row's form. kinds: [(kind, text of its button)]. one: the name of a
    row. most: how many rows are allowed. A request without the list (from an older page) leaves the stored rows as they are.
    """

    def __init__(
        self, name: str, make: Callable[..., RowForm], *, title: str, one: str, kinds: Sequence[tuple[str, str]], most: int,
        stored: Sequence[Mapping[str, Any]] = (), data: QueryDict | None = None, quiet: bool = False, spare: bool = False,
        empty: str = "",
    ) -> None:
        self.name, self.title, self.one, self.empty = name, title, one, empty
        self.make, self.kinds, self.most = make, list(kinds), most
        self.focus_add = False
        self.sent = data is not None and f"{name}-rows" in data
        if self.sent:
            self.forms = [
                make(prefix=f"{name}-{at}", data=data, quiet=quiet, initial={}, kind=data.get(f"{name}-{at}-kind", ""))
                for at in range(count_of(data, name))
            ]
        else:
            rows = list(stored) or ([{}] if spare else [])
            self.forms = [
                make(prefix=f"{name}-{at}", data=None, quiet=quiet, initial=row, kind=row.get("kind", ""))
                for at, row in enumerate(rows)
            ]

    @property
    def room(self) -> bool:
        """Whether another row fits."""
        return len(self.forms) < self.most

    @property
    def filled(self) -> list[RowForm]:
        """The rows that are not blank."""
        return [form for form in self.forms if not form.blank]

    def check(self, *, needed: bool = False, at_all: bool = True) -> list[str]:
        """Check the rows, and return the names of those with errors. needed: one row is required, so a blank one is checked too.

        at_all: False where the list is not used as the form stands; rows that are not checked show no errors.
        """
        checked = (self.filled or (self.forms[:1] if needed else [])) if at_all and self.sent else []
        for form in self.forms:
            form.quiet = form not in checked
        return [f"{self.one} {at + 1}" for at, form in enumerate(self.forms) if form in checked and not form.is_valid()]

    def values(self) -> list[Any]:
        """The rows as the services take them. Call it only when `check` has found no error."""
        return [form.value() for form in self.filled]

    def focus(self, pressed: Pressed | None) -> None:
        """Focus the row that a button added or moved, or the button that adds rows after one was removed."""
        if pressed is None or pressed.name != self.name:
            return
        action, _, which = pressed
        if action == "remove" or not self.forms:
            self.focus_add = True
            return
        at = len(self.forms) - 1 if action == "add" else max(0, int(which) - 1) if which.isdigit() else 0
        first = next((field for field in self.forms[at] if not field.is_hidden), None)
        if first is not None:
            first.field.widget.attrs["autofocus"] = True


def count_of(data: Mapping[str, Any], name: str) -> int:
    """How many rows of the list were sent."""
    sent = data.get(f"{name}-rows", "")
    return min(int(sent), MOST_READ) if sent.isascii() and sent.isdigit() else 0


class Pressed(NamedTuple):
    """A button of a list. action: one of ACTIONS. name: the list. which: the number of the row, or the kind of the new one."""

    action: str
    name: str
    which: str


def pressed_of(data: Mapping[str, Any]) -> Pressed | None:
    """The button that was pressed; None when the form itself was sent."""
    action, _, rest = data.get(DO, "").partition(":")
    name, _, which = rest.rpartition(":")
    return Pressed(action, name, which) if action in ACTIONS and name else None


def after_press(data: QueryDict, pressed: Pressed, lists: Sequence[Rows]) -> QueryDict:
    """What was sent, with the row added, removed or moved one place up. A step that does not fit changes nothing."""
    action, name, which = pressed
    rows = next((found for found in lists if found.name == name), None)
    if rows is None:
        return data
    changed = data.copy()
    there = [_pop_row(changed, f"{name}-{at}-") for at in range(count_of(data, name))]
    at = int(which) if which.isascii() and which.isdigit() else -1
    if action == "add" and which in dict(rows.kinds) and len(there) < rows.most:
        there.append(_fresh(rows, which))
    elif action == "remove" and 0 <= at < len(there):
        del there[at]
    elif action == "up" and 0 < at < len(there):
        there[at - 1], there[at] = there[at], there[at - 1]
    for place, row in enumerate(there):
        for field, values in row.items():
            changed.setlist(f"{name}-{place}-{field}", values)
    changed[f"{name}-rows"] = str(len(there))
    return changed


def _pop_row(data: QueryDict, start: str) -> dict[str, list[str]]:
    return {key[len(start):]: data.pop(key) for key in list(data) if key.startswith(start)}


def _fresh(rows: Rows, kind: str) -> dict[str, list[str]]:
    """The values of a new row."""
    form = rows.make(prefix="x", data=None, quiet=True, initial={}, kind=kind)
    found = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    return {name: [str(value)] for name, value in found.items() if value not in (None, "", False)} | {"kind": [kind]}
