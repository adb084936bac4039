"""What locks add to a player's page: mutexes held now and before."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from gs2admin.dashboard.player import Part, Revision, fact, part
from gs2admin.identity.models import Project
from locks import reads
from locks.models import Mutex
from locks.pages.addresses import at
from locks.pages.views.common import rights

SHOWN, BEFORE = 20, 10


def _held(project: Project, user_id: str) -> list[Mutex]:
    found = reads.of_player(project, user_id, held=True, limit=SHOWN + 1)
    for row in found:
        row.namespace.project = project
    return found


def _revision(project: Project, user_id: str) -> Revision:
    rows = [(row.pk, row.revision, row.counter, row.until_ms, row.denied) for row in _held(project, user_id)]
    return Revision(rows, bool(rows))


@fact
def held(project: Project, user_id: str) -> list[str]:
    """How many mutexes the player holds now."""
    count = len(_held(project, user_id))
    many = f"more than {SHOWN}" if count > SHOWN else str(count)
    return [f"{many} mutex{'' if count == 1 else 'es'} held"] if count else []


def mutexes(request: HttpRequest, project: Project, user_id: str) -> dict[str, Any]:
    """Held now, each with its countdown."""
    rows = _held(project, user_id)
    return {
        "mutexes": [(row, at("locks-mutex", row.namespace, pk=row.pk), at("locks-release", row.namespace, pk=row.pk))
                    for row in rows[:SHOWN]],
        "more": len(rows) > SHOWN, "now_ms": reads.now_ms(), **rights(request, project),
    }


def before(request: HttpRequest, project: Project, user_id: str) -> dict[str, Any]:
    """Free now; the one that was held last first."""
    rows = reads.lately_of_player(project, user_id, limit=BEFORE + 1)
    for row in rows:
        row.namespace.project = project
    return {"mutexes": [(row, at("locks-mutex", row.namespace, pk=row.pk)) for row in rows[:BEFORE]], "more": len(rows) > BEFORE}


part(Part("mutexes", "Mutexes held", "locks/_part_held.html", mutexes, 5, _revision, side=True))
part(Part("mutexes-before", "Mutexes held before", "locks/_part_before.html", before, 10, _revision, side=True))
