"""Finds what answers to a verb and a path; for the methods of GS2, the published protocols and the entries of pages.

A path is written with pieces: `{name}` is one segment or a part of one, `{name:int}` a number of at most nine digits,
`{+name}` takes slashes too. The most specific path wins, whatever the order in which they were added: fixed text before
`{name}` before `{+name}`, from the left.
"""

from __future__ import annotations

import re
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")
_PIECE = re.compile(r"\{(\+?)([A-Za-z_]+)(:int)?\}")


class Entry(NamedTuple, Generic[T]):
    """One path of one verb. pattern: has one group per piece, in the order of `names`. target: what answers."""

    verb: str
    path: str
    pattern: re.Pattern[str]
    names: tuple[str, ...]
    target: T


class Match(NamedTuple, Generic[T]):
    """What answers, and the names and raw values of the path's pieces."""

    target: T
    names: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def pieces(self) -> dict[str, str]:
        """{name: raw value}."""
        return dict(zip(self.names, self.values, strict=True))


def pieces(path: str) -> tuple[str, ...]:
    """The names of a path's pieces, in their order."""
    return tuple(found[2] for found in _PIECE.finditer(path))


def compiled(path: str, *, empty: bool = False) -> re.Pattern[str]:
    """The path as an expression, with one group per piece. empty: `{name}` may be nothing at all."""
    one = "([^/]*)" if empty else "([^/]+)"
    parts, at = [], 0
    for found in _PIECE.finditer(path):
        parts.append(re.escape(path[at : found.start()]))
        parts.append("(.*)" if found[1] else r"(\d{1,9})" if found[3] else one)
        at = found.end()
    return re.compile("".join(parts) + re.escape(path[at:]), re.DOTALL)


class Router(Generic[T]):
    """The entries of one service or protocol.

    empty: whether `{name}` may be nothing at all, as in `/namespace//mutex`: GS2 says which field is missing then.
    """

    def __init__(self, *, empty: bool = False) -> None:
        self._empty = empty
        self._entries: dict[str, list[Entry[T]]] = {}
        self._shapes: set[tuple[str, str]] = set()

    def add(self, verb: str, path: str, target: T) -> None:
        """Add an entry. Raises ValueError when another one answers to the same paths."""
        shape = (verb, _PIECE.sub("{}", path))
        if shape in self._shapes:
            raise ValueError(f"{verb} {path} is declared twice")
        self._shapes.add(shape)
        entries = self._entries.setdefault(verb, [])
        entries.append(Entry(verb, path, compiled(path, empty=self._empty), pieces(path), target))
        entries.sort(key=_specificity)

    def find(self, verb: str, path: str) -> Match[T] | None:
        """What answers to a verb and a path, None when nothing does."""
        for entry in self._entries.get(verb, ()):
            match = entry.pattern.fullmatch(path)
            if match:
                return Match(entry.target, entry.names, match.groups())
        return None

    def verbs(self, path: str) -> list[str]:
        """The verbs that a path answers to, sorted."""
        return sorted(
            verb for verb, entries in self._entries.items() if any(entry.pattern.fullmatch(path) for entry in entries)
        )

    def missing(self, path: str) -> str:
        """A sentence for a call that `find` found nothing for."""
        verbs = self.verbs(path)
        return f"This path answers to {', '.join(verbs)} only." if verbs else "There is no such path."


def _specificity(entry: Entry) -> tuple[int, ...]:
    ranks = []
    for segment in entry.path.lstrip("/").split("/"):
        piece = _PIECE.search(segment)
        ranks.append(0 if not piece else 2 if piece[1] else 1)
    # Of two greedy entries, the one that goes on after the greedy piece (…/lock) is the more specific one.
    return (*ranks, 3)
