"""Everything about one player on one page: each domain registers its parts, the page shows them together.

A player is a user id of the game and nothing else: no table holds players, and any id has a page.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from django.http import HttpRequest
from django.urls import reverse

from gs2admin.dashboard.search import Hit, searcher
from gs2admin.identity.models import Project

LONGEST = 128


@dataclass(frozen=True)
class Revision:
    """How a part looks now. state: differs when the part looks different. busy: it changes by itself at present."""

    state: Any = None
    busy: bool = False


@dataclass(frozen=True)
class Part:
    """One card or several. Its template has one root element with the id `part-<key>`.

    look(request, project, user_id) gives the template's context; it may read request.GET, where the part's own page puts
    the place in its list. revision(project, user_id) costs one or two indexed reads; a part without one does
    not change by itself. side: beside the others. right: who may see it.
    """

    key: str
    title: str
    template: str
    look: Callable[[HttpRequest, Project, str], dict[str, Any]]
    order: int
    revision: Callable[[Project, str], Revision] | None = None
    side: bool = False
    right: str = "project.view"


@dataclass(frozen=True)
class Action:
    """A button in the head of the page. url_name: a page that takes ?id=."""

    label: str
    icon: str
    url_name: str
    right: str
    key: str
    css: str = "btn"


@dataclass
class Registry:
    """What the domains have registered. facts: fn(project, user_id) -> short texts, shown below the id."""

    parts: list[Part] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    facts: list[Callable[[Project, str], list[str]]] = field(default_factory=list)


registry = Registry()


def part(each: Part) -> None:
    """Put a part on every player's page."""
    registry.parts.append(each)
    registry.parts.sort(key=lambda one: one.order)


def action(each: Action) -> None:
    """Put a button on every player's page."""
    registry.actions.append(each)


def fact(find: Callable[[Project, str], list[str]]) -> Callable[[Project, str], list[str]]:
    """Register fn(project, user_id) -> ["3 jobs waiting"]."""
    registry.facts.append(find)
    return find


def address(project: Project | str, user_id: str, name: str = "player", **words: Any) -> str:
    """The address of a player's page; the id goes into the query, where it may hold anything.

    words: the route's own arguments, and what else goes into the query.
    """
    of_route = {key: words.pop(key) for key in ("part", "pk") if key in words}
    base = reverse(name, kwargs={"project": getattr(project, "name", project), **of_route})
    more = {key: value for key, value in words.items() if value not in ("", None, 0)}
    return f"{base}?{urlencode({'id': user_id, **more}, quote_via=quote)}"


@dataclass(frozen=True)
class Known:
    """A player of whom some domain has rows. small: what there is, in a few words."""

    user_id: str
    small: str = ""


Lister = Callable[[Project, str, str, int], list[Known]]
_listers: list[Lister] = []


def lister(find: Lister) -> Lister:
    """Register fn(project, start, after, limit) -> players by id.

    start: how their ids begin, or "". after: only ids behind this one. One line per player, from an index.
    """
    _listers.append(find)
    return find


def known(project: Project, *, start: str = "", after: str = "", limit: int) -> list[Known]:
    """Players that any domain knows, by id, at most `limit`."""
    found: dict[str, list[str]] = {}
    for find in _listers:
        for each in find(project, start, after, limit):
            found.setdefault(each.user_id, []).append(each.small)
    return [Known(user_id, " · ".join(filter(None, found[user_id]))) for user_id in sorted(found)[:limit]]


@searcher("player")
def players(project: Project, text: str, limit: int) -> list[Hit]:
    """Players whose id starts with the text. The exact one is always among them, because it is the first."""
    return [Hit(each.user_id, address(project, each.user_id), each.small, each.user_id == text, each.user_id)
            for each in known(project, start=text, limit=limit)] if len(text) <= LONGEST else []
