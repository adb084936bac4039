"""A state move is one conditional UPDATE whose row count is read: whoever loses the race changes nothing."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet


@dataclass(frozen=True)
class Move:
    """One line of a state table: `action` takes a row from any of `sources` to `target`."""

    id: str
    action: str
    sources: frozenset[str]
    target: str
    who: str
    note: str = ""


def apply(rows: QuerySet, move: Move, **changes: Any) -> bool:
    """Move the row that `rows` selects; True when this call moved it.

    rows: a queryset narrowed to one row (and to the attempt, where a lease is held). changes: further columns.
    """
    moved = rows.filter(state__in=move.sources).update(state=move.target, **changes) == 1
    if moved:
        for listen in _listeners.get(rows.model, ()):
            listen(rows, move)
    return moved


Listener = Callable[[QuerySet, Move], None]
_listeners: dict[type[Model], list[Listener]] = {}


def heard(model: type[Model]) -> Callable[[Listener], Listener]:
    """Register fn(rows, move), called in the transaction of every move of a row of that model, whoever makes it."""

    def register(listen: Listener) -> Listener:
        _listeners.setdefault(model, []).append(listen)
        return listen

    return register
