"""What the activity log adds to a player's page: what was done to this player, by whom, and why."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.audit.pages.views import line_of
from gs2admin.dashboard.player import Part, Revision, part
from gs2admin.dashboard.posting import link
from gs2admin.identity.models import Project

SHOWN = 8


def _revision(project: Project, user_id: str) -> Revision:
    return Revision(Activity.objects.of_player(project.pk, user_id).values_list("pk", flat=True).first())


def staff(request: HttpRequest, project: Project, user_id: str) -> dict[str, Any]:
    """The newest lines, and where all of them are."""
    rows = list(Activity.objects.of_player(project.pk, user_id)[: SHOWN + 1])
    activity = reverse("activity", kwargs={"project": project.name})
    return {"lines": [line_of(row) | {"label": _label(row)} for row in rows[:SHOWN]], "activity": activity,
            "all": f"{activity}{link(player=user_id)}" if len(rows) > SHOWN else ""}


def _label(row: Activity) -> str:
    """What it was done to, on a page where everybody knows whose it is: of a job its script, because nobody knows its name."""
    for side in (row.after, row.before):
        if row.object_type == "job" and isinstance(side, dict) and isinstance(side.get("script"), str):
            return side["script"]
    if row.object_type == "userdatarun":
        return "this player"
    return row.object_name.removesuffix(f" of {row.player}").removesuffix(f" / {row.player}")


part(Part("staff", "What staff did", "audit/_part_staff.html", staff, 30, _revision, side=True, right="activity.view"))
