"""Which versions does a player get on each stage, and why?"""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import text_of
from gs2admin.identity.models import Project
from stages.models import Stage
from stages.resolve import Resolution, read, resolve_in
from stages.versions import differences, effective

SHOWN = 20


@require_GET
@project_page()
def resolve(request: HttpRequest, project: Project) -> HttpResponse:
    """The page: ?userId= names the player, ?stage= one stage; without, every stage with a canary, or all."""
    user_id, wanted = text_of(request, "userId"), text_of(request, "stage")
    names = list(Stage.objects.existing(project.pk).values_list("name", flat=True))
    found = []
    if user_id:
        for name in names if not wanted else [each for each in names if each == wanted]:
            split = read(project.pk, name)
            if split is not None:
                found.append({"name": name, **_told(resolve_in(split, user_id))})
        found = found[:SHOWN]
    return render(request, "stages/resolve.html", {"user_id": user_id, "names": names, "wanted": wanted, "found": found})


def _told(found: Resolution) -> dict[str, Any]:
    """What the page says about one stage."""
    changes = effective(differences(found.stable, found.versions)) if found.gray else []
    return {
        "found": found, "split": found.split, "changes": changes,
        "versions": sorted(found.versions.items()),
        "percent": None if found.place is None else f"{found.place / 100:.2f}",
    }
