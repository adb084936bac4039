"""The versions that a player gets on each stage, and why."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import text_of
from gs2admin.identity.models import Project
from stages.canary.resolve import Resolution, load_sets, read_all, resolve_in
from stages.core.versions import differences, effective

SHOWN = 20


@require_GET
@project_page()
def resolve(request: HttpRequest, project: Project) -> HttpResponse:
    """The page. ?userId= names the player, ?stage= one stage; without it, all stages are shown, at most SHOWN."""
    user_id, wanted = text_of(request, "userId"), text_of(request, "stage")
    splits = read_all(project.pk)
    names = [name for name, _ in splits]
    matching = [(name, split) for name, split in splits if not wanted or name == wanted] if user_id else []
    shown, hidden = matching[:SHOWN], len(matching[SHOWN:])
    load_sets(set_id for _, split in shown for set_id in (split.set_id, split.gray_set_id))
    found = [{"name": name, **_context(resolve_in(split, user_id))} for name, split in shown]
    return render(request, "stages/resolve.html", {
        "user_id": user_id, "names": names, "wanted": wanted, "found": found, "hidden": hidden,
    })


def _context(found: Resolution) -> dict[str, Any]:
    """What the page shows of one stage."""
    changes = effective(differences(found.stable, found.versions)) if found.gray else []
    return {
        "found": found, "split": found.split, "changes": changes,
        "versions": sorted(found.versions.items()),
        "percent": None if found.place is None else f"{found.place / 100:.2f}",
    }
