"""What the search box finds of locks: players, and mutexes by their property."""
from __future__ import annotations

from gs2admin.dashboard.player import Known, lister
from gs2admin.dashboard.search import Hit, searcher
from gs2admin.identity.models import Project
from locks import reads
from locks.pages.addresses import at

NAMED = 3


@lister
def players(project: Project, start: str, after: str, limit: int) -> list[Known]:
    """Who ever had a mutex that is still known."""
    found = reads.players_by_id(project, start=start, after=after, limit=limit)
    return [Known(user_id, "mutexes in " + ", ".join(names[:NAMED]) + (" and others" if len(names) > NAMED else ""))
            for user_id, names in found]


@searcher("mutex")
def mutexes(project: Project, text: str, limit: int) -> list[Hit]:
    """Mutexes, held or free, whose property starts with the text."""
    rows, now_ms = reads.by_property(project, text, limit=limit), reads.now_ms()
    found = []
    for row in rows:
        row.namespace.project = project
        state = f"held by {row.transaction_id}" if row.counter and row.until_ms > now_ms else "free"
        found.append(Hit(row.property_id, at("locks-mutex", row.namespace, pk=row.pk),
                         f"of {row.user_id} in {row.namespace.name}, {state}", row.property_id == text))
    return found
