"""The part of a player's page that stages add: the versions that this player gets, and whether they are a canary's."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from gs2admin.dashboard.player import Part, Revision, fact, part
from gs2admin.identity.models import Project
from stages.canary.resolve import Resolution, Split, load_sets, read_all, resolve_in

SHOWN = 20


def _splits(project: Project) -> list[tuple[str, Split]]:
    """The stages that pin versions or have a canary up, the last one of the board first: it is usually live."""
    found = [(name, split) for name, split in read_all(project.pk) if split.set_id or split.rollout]
    return found[::-1]


def _resolved(project: Project, user_id: str, *, limit: int) -> list[tuple[str, Resolution]]:
    found = _splits(project)[:limit]
    load_sets(set_id for _, split in found for set_id in (split.set_id, split.gray_set_id))
    return [(name, resolve_in(split, user_id)) for name, split in found]


def _revision(project: Project, user_id: str) -> Revision:
    return Revision(_splits(project))


@fact
def gray(project: Project, user_id: str) -> list[str]:
    """The canaries whose new versions the player gets."""
    return [f"gets the canary of rollout {found.split.rollout} on {name}"
            for name, found in _resolved(project, user_id, limit=SHOWN) if found.gray]


def versions(request: HttpRequest, project: Project, user_id: str) -> dict[str, Any]:
    """The versions per stage, at most SHOWN stages; those that only a part of the players has are marked."""
    stages = [
        {"name": name, "found": found, "percent": None if found.place is None else f"{found.place / 100:.2f}",
         "versions": [(service, version, found.stable.get(service) != version)
                      for service, version in sorted(found.versions.items())]}
        for name, found in _resolved(project, user_id, limit=SHOWN)
    ]
    # Open: the stages where this player gets a canary; else the first one.
    opened = [each for each in stages if each["found"].gray] or stages[:1]
    return {"stages": [(each, each in opened) for each in stages]}


part(Part("versions", "Versions this player gets", "stages/_part_versions.html", versions, 7, _revision, side=True))
