"""The page of one player, its parts, and what changed since."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.player import LONGEST, Part, address, known, registry
from gs2admin.dashboard.polling import BUSY_MS, CALM_MS, NO_STORE, cursor_of, is_present, nothing_new
from gs2admin.dashboard.posting import link
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from gs2admin.text import without_nul

PAGE = 50


def player_of(request: HttpRequest) -> str:
    """The player's id in ?id=, exactly as clients write it. Raises NotFound without one, and for one that no player can have."""
    user_id = without_nul(request.GET.get("id", ""))
    if len(user_id) > LONGEST:
        raise NotFound(f"A player's id has at most {LONGEST} characters, so nobody has this one.", component="player")
    if not user_id:
        raise NotFound("This address names no player. Look for one in the search box above.", component="player")
    return user_id


def _parts(request: HttpRequest, project: Project) -> list[Part]:
    return [each for each in registry.parts if can(request.actor, each.right, project)]


def _cursor(parts: list[Part], project: Project, user_id: str) -> tuple[str, int]:
    """The cursor of the page's state, and when to ask again, in ms."""
    found = [find(project, user_id) for find in dict.fromkeys(each.revision for each in parts if each.revision)]
    return cursor_of(*(revision.state for revision in found)), BUSY_MS if any(one.busy for one in found) else CALM_MS


def _head(request: HttpRequest, project: Project, user_id: str) -> dict[str, Any]:
    return {
        "user_id": user_id, "here": address(project, user_id),
        "facts": [text for find in registry.facts for text in find(project, user_id)],
        "actions": [(each, address(project, user_id, each.url_name)) for each in registry.actions
                    if can(request.actor, each.right, project)],
    }


@require_GET
@project_page()
def players(request: HttpRequest, project: Project) -> HttpResponse:
    """Everybody who ever had a job or a mutex here, by id; the filter and the place are in the address."""
    start, after = (without_nul(request.GET.get(name, "")) for name in ("q", "after"))
    # Nobody's id begins with a text that is longer than an id, and the databases need not look for it.
    rows = known(project, start=start, after=after, limit=PAGE + 1) if max(len(start), len(after)) <= LONGEST else []
    return render(request, "dashboard/players.html", {
        "rows": [(row, address(project, row.user_id)) for row in rows[:PAGE]], "start": start,
        "next": link(q=start, after=rows[PAGE - 1].user_id) if len(rows) > PAGE else "",
        "first": link(q=start) if after else "",
    })


@require_GET
@project_page()
def player(request: HttpRequest, project: Project) -> HttpResponse:
    """The frame; each part loads by itself, or is opened by its link."""
    user_id = player_of(request)
    parts = _parts(request, project)
    cursor, every = _cursor(parts, project, user_id)
    places = [(each, address(project, user_id, "player-part", part=each.key)) for each in parts]
    return render(request, "dashboard/player.html", {
        **_head(request, project, user_id), "cursor": cursor, "every": every,
        "main": [place for place in places if not place[0].side], "side": [place for place in places if place[0].side],
        "live_url": address(project, user_id, "player-live"),
    })


@require_GET
@project_page()
def part(request: HttpRequest, project: Project, part: str) -> HttpResponse:
    """One part: alone for the page that loads it, on a page of its own for a reader who follows its link."""
    user_id = player_of(request)
    found = next((each for each in _parts(request, project) if each.key == part), None)
    if found is None:
        raise NotFound("This page has no such part, or your role may not see it.", component="player")
    context = {**found.look(request, project, user_id), "user_id": user_id}
    if request.htmx:
        answer = render(request, found.template, context)
        answer.headers["Cache-Control"] = "no-store"
        return answer
    return render(request, "dashboard/player_part.html", {**context, "part": found, "here": address(project, user_id)})


@require_GET
@project_page()
def live(request: HttpRequest, project: Project) -> HttpResponse:
    """All parts that have a revision, once one of them differs; a few indexed reads while none does."""
    user_id = player_of(request)
    parts = _parts(request, project)
    cursor, every = _cursor(parts, project, user_id)
    if is_present(request, cursor):
        return nothing_new()
    frame = {"cursor": cursor, "every": every, "live_url": address(project, user_id, "player-live"), "oob": True}
    pieces = [render_to_string("components/_live.html", frame, request),
              render_to_string("dashboard/_player_head.html", {**_head(request, project, user_id), "oob": True}, request)]
    pieces += [
        render_to_string(each.template, {**each.look(request, project, user_id), "user_id": user_id, "oob": True}, request)
        for each in parts if each.revision
    ]
    return HttpResponse("".join(pieces), headers=NO_STORE)
