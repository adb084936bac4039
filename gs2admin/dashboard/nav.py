"""The pages in the navigation: one line each, in order. A page that does not exist yet is not listed."""
from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from gs2admin.identity.rights import can

# (section, label, icon, url name, right, key after g). A view names its section with `request.section` or by its url name.
PAGES = (
    ("board", "Board", "layout-dashboard", "board", "project.view", "b"),
    ("rollouts", "Rollouts", "rocket", "rollouts", "project.view", "r"),
    ("versions", "Versions", "versions", "versions", "project.view", "v"),
    ("queues", "Queues", "list-check", "queues", "project.view", "q"),
    ("players", "Players", "user", "players", "project.view", "p"),
    ("scripts", "Scripts", "code", "scripts", "project.view", "s"),
    ("locks", "Locks", "lock", "locks", "project.view", "l"),
    ("activity", "Activity", "activity", "activity", "activity.view", "a"),
    ("credentials", "Credentials", "key", "credentials", "credential.manage", "c"),
    ("members", "Members", "users", "members", "project.view", "m"),
    ("settings", "Settings", "settings", "settings", "project.manage", "t"),
)


@dataclass(frozen=True)
class NavItem:
    """One entry; `active` marks the section that the present page belongs to. key: opens it after `g`."""

    label: str
    icon: str
    url: str
    active: bool
    key: str


def section_of(request: HttpRequest) -> str:
    """The navigation entry a page belongs to: `stage-edit` and `stage` to the board, `rollout-cancel` to rollouts."""
    name = (request.resolver_match.url_name if request.resolver_match else "") or ""
    stem = name.split("-")[0]
    return {"stage": "board", "stages": "board", "rollout": "rollouts", "version": "versions", "resolve": "versions",
            "scenario": "board",
            "microservice": "versions", "credential": "credentials", "member": "members", "project": "settings",
            "stampkeys": "credentials", "stampkey": "credentials",
            "target": "board", "freezes": "board", "freeze": "board", "line": "board", "player": "players",
            "webhooks": "settings", "webhook": "settings"}.get(stem, stem)


def nav_items(request: HttpRequest) -> list[NavItem]:
    """The entries this person may open in this project."""
    project = getattr(request, "project", None)
    if project is None:
        return []
    here = section_of(request)
    items = []
    for section, label, icon, url_name, right, key in PAGES:
        if not can(request.actor, right, project):
            continue
        try:
            url = reverse(url_name, kwargs={"project": project.name})
        except NoReverseMatch:
            continue
        items.append(NavItem(label, icon, url, section == here, key))
    return items
