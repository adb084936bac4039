"""The notes of the versions that a rollout passes: of every version between the one that runs and the one that comes."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from stages.core.versions import Change, is_downgrade, order_key
from stages.models import Version

# Notes that one page shows of a microservice, and rows that are read for all of them.
MOST_NOTES, MOST_ROWS = 20, 5000


@dataclass(frozen=True)
class Note:
    """What was written when a version was registered. pk: of its row; rows are numbered in the order of registration."""

    version: str
    text: str
    at: datetime
    pk: int


@dataclass(frozen=True)
class ReleaseNotes:
    """The notes between both versions of a change, the newest first; more: how many are not shown. back: they are taken back."""

    change: Change
    notes: list[Note]
    more: int = 0

    @property
    def back(self) -> bool:
        """Whether the versions go rather than come."""
        return self.change.kind in {"downgraded", "removed"}


def release_notes(project_id: int, changes: Iterable[Change]) -> list[ReleaseNotes]:
    """The notes of every change that has some, in the order of the changes. One query; none without changes of a version.

    Of a version that comes new, or goes, its own note alone.
    """
    wanted = [change for change in changes if change.old != change.new]
    if not wanted:
        return []
    rows = (
        Version.objects.filter(microservice__project_id=project_id, microservice__name__in=[change.name for change in wanted])
        .order_by("-id").values_list("microservice__name", "version", "note", "registered_at", "id")
    )
    known: dict[str, list[Note]] = {}
    for name, *row in rows[:MOST_ROWS]:
        known.setdefault(name, []).append(Note(*row))
    found = []
    for change in wanted:
        notes = [note for note in _between(change, known.get(change.name, ())) if note.text]
        if notes:
            found.append(ReleaseNotes(change, notes[:MOST_NOTES], max(0, len(notes) - MOST_NOTES)))
    return found


def _between(change: Change, notes: Sequence[Note]) -> list[Note]:
    """The versions above the lower one up to the higher one: by their order, or by registration where they have none."""
    low, high = (change.new, change.old) if is_downgrade(change.old, change.new) else (change.old, change.new)
    if not low or not high:
        return [note for note in notes if note.version == (high or low)]
    below, above = order_key(low), order_key(high)
    if below is not None and above is not None and below != above:
        keys = {note.version: order_key(note.version) for note in notes}
        passed = [note for note in notes if (key := keys[note.version]) is not None and below < key <= above]
        return sorted(passed, key=lambda note: keys[note.version], reverse=True)
    places = {note.version: note.pk for note in notes}
    first, last = places.get(low), places.get(high)
    if first is None or last is None:
        return [note for note in notes if note.version == change.new]
    return [note for note in notes if min(first, last) < note.pk <= max(first, last)]
