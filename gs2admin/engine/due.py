"""When the chores of this host have something to do: asked for all of them in one statement, instead of by each several times a
second.

A chore registers `due`: querysets of one column, a moment from which on it is to be called; no row: there is nothing to do. One
thread asks (sweep.tick_for_ever), until the earliest of these moments, until it is woken (engine.wake_chores), and every few
seconds. The threads of sweepers, deliveries and cleaners learn here what was found.
"""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

Due = Callable[[], QuerySet | Sequence[QuerySet]]
_IN_S = {
    "postgresql": "EXTRACT(EPOCH FROM (({moment}) - STATEMENT_TIMESTAMP()))",
    "sqlite": "(JULIANDAY(({moment})) - JULIANDAY('NOW')) * 86400.0",
}


class Question:
    """The statement that asks when chores are due. dues: name of a chore -> its `due`."""

    def __init__(self, dues: dict[str, Due]) -> None:
        link = connections[DEFAULT_DB_ALIAS]
        self._names: list[str] = []
        columns, self._values = [], []
        for name, due in dues.items():
            found = due()
            for queryset in [found] if isinstance(found, QuerySet) else found:
                try:
                    text, values = queryset.query.get_compiler(DEFAULT_DB_ALIAS).as_sql()
                except EmptyResultSet:
                    continue
                self._names.append(name)
                columns.append(_IN_S[link.vendor].replace("{moment}", text))
                self._values += values
        self._text = f"SELECT {', '.join(columns)}" if columns else ""

    def ask(self) -> dict[str, float]:
        """In how many seconds each chore is due, 0 or less: now. Those that have nothing to do are left out."""
        if not self._text:
            return {}
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(self._text, self._values)
            row = cursor.fetchone()
        found: dict[str, float] = {}
        for name, in_s in zip(self._names, row, strict=True):
            if in_s is not None:
                found[name] = min(float(in_s), found.get(name, float("inf")))
        return found


class Board:
    """What was found to be due, for the thread of one kind of chores. `news` is set when there is something, and at the end."""

    def __init__(self) -> None:
        self.news = threading.Event()
        self._names: set[str] = set()
        self._lock = threading.Lock()

    def put(self, names: Iterable[str]) -> None:
        """These are due; wakes the thread when there are any."""
        names = set(names)
        if names:
            with self._lock:
                self._names |= names
            self.news.set()

    def take(self) -> set[str]:
        """What was put since the last call."""
        self.news.clear()
        with self._lock:
            names, self._names = self._names, set()
        return names


sweepers, deliveries, cleaners = Board(), Board(), Board()
