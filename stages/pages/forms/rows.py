"""Lists inside a form: rows that are added, taken away and moved by buttons of the same form, with or without JavaScript.

A button posts the whole form with `do`; the server answers the form as it was typed, with the row more or less. So
nothing that was typed is lost, and there is one way that works everywhere.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict

from gs2admin.dashboard.forms import PageForm

DO = "do"
ACTIONS = ("add", "remove", "up")
# More rows than this are not read from a request; the services say what they take.
MOST_READ = 60


class RowForm(PageForm):
    """One row. quiet: it is only shown again, so nothing is judged yet."""

    def __init__(self, *args: Any, quiet: bool = False, **kwargs: Any) -> None:
        self.quiet = quiet
        super().__init__(*args, **kwargs)

    def full_clean(self) -> None:
        if not self.quiet:
            return super().full_clean()
        self._errors, self.cleaned_data = forms.utils.ErrorDict(), {}
        return None

    def value(self) -> dict[str, Any]:
        """The row as the services take it; asked only when it is valid."""
        raise NotImplementedError

    @property
    def blank(self) -> bool:
        """Nothing was typed, so it is no row."""
        return False


class Rows:
    """The rows of one list: as they are stored, or as they were sent.

    make(prefix=, data=, initial=, quiet=, kind=) makes a row's form; kinds: [(kind, what its button says)]. one, many: what
    a row is called. A request that says nothing of the list (an older page, a program) leaves what is stored.
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
        """The rows that say something."""
        return [form for form in self.forms if not form.blank]

    def judge(self, *, needed: bool = False, at_all: bool = True) -> list[str]:
        """Names of the rows that are not right yet. needed: one has to be there, so an empty one is judged too.

        at_all: False where the list does not matter as the form stands. What is not judged says nothing.
        """
        judged = (self.filled or (self.forms[:1] if needed else [])) if at_all and self.sent else []
        for form in self.forms:
            form.quiet = form not in judged
        return [f"{self.one} {at + 1}" for at, form in enumerate(self.forms) if form in judged and not form.is_valid()]

    def values(self) -> list[Any]:
        """The rows as the services take them, after `judge` had nothing to say."""
        return [form.value() for form in self.filled]

    def focus(self, step: tuple[str, str, str] | None) -> None:
        """Let the page open where the button was that made it: in the new row, at the moved one, or at the next to go."""
        if step is None or step[1] != self.name:
            return
        action, _, which = step
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


def step_of(data: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """(action, list, which row or kind) of the button that was pressed; None where the form itself was sent."""
    action, _, rest = data.get(DO, "").partition(":")
    name, _, which = rest.rpartition(":")
    return (action, name, which) if action in ACTIONS and name else None


def stepped(data: QueryDict, step: tuple[str, str, str], lists: Sequence[Rows]) -> QueryDict:
    """What was sent, with the row added, taken away or moved one place up. What makes no sense changes nothing."""
    action, name, which = step
    rows = next((found for found in lists if found.name == name), None)
    if rows is None:
        return data
    changed = data.copy()
    there = [_taken(changed, f"{name}-{at}-") for at in range(count_of(data, name))]
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


def _taken(data: QueryDict, start: str) -> dict[str, list[str]]:
    return {key[len(start):]: data.pop(key) for key in list(data) if key.startswith(start)}


def _fresh(rows: Rows, kind: str) -> dict[str, list[str]]:
    """What a new row begins with."""
    form = rows.make(prefix="x", data=None, quiet=True, initial={}, kind=kind)
    found = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    return {name: [str(value)] for name, value in found.items() if value not in (None, "", False)} | {"kind": [kind]}
