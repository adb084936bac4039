"""What user data adds to a player's page: three buttons, and the exports, erasures and imports of late."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from gs2admin.dashboard.player import Action, Part, Revision, action, address, part
from gs2admin.db.batched import rows_of_each
from gs2admin.identity.models import Project
from jobqueue.models import UserDataRun
from jobqueue.pages.views.user_data import TITLES
from jobqueue.states import LIVE, UserDataKind
from jobqueue.userdata.services import RIGHT

SHOWN = 5


def _newest(project: Project, user_id: str) -> list[tuple[int, str, int, int]]:
    """(id, state, done, total) of the newest ones; the index serves one kind at a time."""
    rows = UserDataRun.objects.filter(project=project, user_id=user_id).order_by("-id")
    each = (rows.filter(kind=kind).values_list("pk", "state", "done", "total")[:SHOWN] for kind in UserDataKind.values)
    return sorted(rows_of_each(each), reverse=True)[:SHOWN]


def _revision(project: Project, user_id: str) -> Revision:
    found = _newest(project, user_id)
    return Revision(found, any(state in LIVE for _, state, *_ in found))


def runs(request: HttpRequest, project: Project, user_id: str) -> dict[str, Any]:
    """The newest ones."""
    ids = [pk for pk, *_ in _newest(project, user_id)]
    rows = UserDataRun.objects.filter(pk__in=ids).order_by("-id").defer("log")
    return {"runs": [(row, TITLES[UserDataKind(row.kind)], address(project, user_id, "player-run", pk=row.pk)) for row in rows]}


part(Part("data", "Export and import", "jobqueue/_part_data.html", runs, 20, _revision, side=True, right=RIGHT))
action(Action("Export…", "download", "player-dump", RIGHT, "export"))
action(Action("Import…", "upload", "player-import", RIGHT, "import"))
action(Action("Erase…", "eraser", "player-erase", RIGHT, "erase", css="btn btn-ghost gs-erase"))
