"""The search box of every page: each domain registers what it can find, the page shows it by kind.

A searcher must be quick on millions of rows: whole names and their beginnings through an index, never a scan.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gs2admin.identity.models import Project

LONGEST = 1024
SHOWN = 10


@dataclass(frozen=True)
class Hit:
    """One line: label (exactly as it is stored), where it leads, what more is known. exact: it is the whole name.

    key: hits of a kind with the same key are one line (a player whom two domains know).
    """

    label: str
    url: str
    small: str = ""
    exact: bool = False
    key: str = ""


@dataclass(frozen=True)
class Kind:
    """A group of the page, and the words for it. more: a page that lists all that begin with ?q=."""

    title: str
    icon: str
    more: str = ""


KINDS = {
    "player": Kind("Players", "user", "players"),
    "job": Kind("Jobs", "list-check"),
    "mutex": Kind("Mutexes", "lock"),
    "script": Kind("Scripts", "code"),
    "stage": Kind("Stages", "layout-dashboard"),
    "microservice": Kind("Microservices", "package"),
}


@dataclass
class Group:
    """The hits of one kind. more: there are others."""

    kind: Kind
    hits: list[Hit] = field(default_factory=list)
    more: bool = False


Searcher = Callable[[Project, str, int], list[Hit]]
_searchers: list[tuple[str, Searcher]] = []


def searcher(kind: str) -> Callable[[Searcher], Searcher]:
    """Register fn(project, text, limit) -> at most `limit` hits of one of KINDS; text is never empty."""

    def register(find: Searcher) -> Searcher:
        _searchers.append((kind, find))
        return find

    if kind not in KINDS:
        raise KeyError(kind)
    return register


def find(project: Project, text: str) -> list[Group]:
    """Hits whose name starts with the text, by kind, exact names first; groups without a hit are left out."""
    if len(text) > LONGEST:
        return []  # no name is so long
    groups = {name: Group(kind) for name, kind in KINDS.items()}
    for name, look in _searchers:
        found = look(project, text, SHOWN + 1)
        group = groups[name]
        group.more = group.more or len(found) > SHOWN
        group.hits += found
    for group in groups.values():
        merged: dict[str, Hit] = {}
        for hit in group.hits:
            key = hit.key or hit.url
            known = merged.get(key)
            merged[key] = hit if known is None else replace(known, small=" · ".join(filter(None, (known.small, hit.small))))
        hits = sorted(merged.values(), key=lambda hit: (not hit.exact, hit.label))
        group.more = group.more or len(hits) > SHOWN
        group.hits = hits[:SHOWN]
    return [group for group in groups.values() if group.hits]
