"""Reads of the activity log."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any

from django.db import models
from django.db.models import Q

CHUNK = 500


class ActivityQuerySet(models.QuerySet):
    """Narrowing is by columns named here, never by what a request calls them."""

    def of_project(self, project_id: int) -> ActivityQuerySet:
        """One project's lines, newest first."""
        return self.filter(project_id=project_id).order_by("-id")

    def of_accounts(self, user_ids: list[str]) -> ActivityQuerySet:
        """Lines about the accounts of these people, which belong to no project; newest first."""
        return self.filter(project_id=None, object_type="user", object_id__in=user_ids).order_by("-id")

    def of_player(self, project_id: int, user_id: str) -> ActivityQuerySet:
        """What was done to one player, newest first."""
        # The index leaves out lines without a player, and the database must see that these are others.
        return self.filter(~Q(player=""), project_id=project_id, player=user_id).order_by("-id")

    def matching(self, words: Mapping[str, Any]) -> ActivityQuerySet:
        """Lines that fit every word that is not empty.

        words: actor (exact name), action (exact, or the part before the dot), type, object (part of the name, or the
        whole id), since and until (dates in UTC, both included), door, player (exact id).
        """
        rows = self
        if words.get("player"):
            rows = rows.filter(~Q(player=""), player=words["player"])
        if words.get("actor"):
            rows = rows.filter(actor_name=words["actor"])
        if words.get("action"):
            rows = rows.filter(action=words["action"])
        if words.get("type"):
            rows = rows.filter(object_type=words["type"])
        if words.get("object"):
            rows = rows.filter(Q(object_name__icontains=words["object"]) | Q(object_id=words["object"]))
        if words.get("door"):
            rows = rows.filter(door=words["door"])
        if words.get("since"):
            rows = rows.filter(at__gte=datetime.combine(words["since"], time.min, UTC))
        if words.get("until"):
            rows = rows.filter(at__lte=datetime.combine(words["until"], time.max, UTC))
        return rows

    def in_chunks(self) -> Iterator[models.Model]:
        """All rows, newest first, read in pieces by key: memory stays flat and no transaction stays open."""
        last = None
        while True:
            rows = self if last is None else self.filter(pk__lt=last)
            found = list(rows.order_by("-id")[:CHUNK])
            yield from found
            if len(found) < CHUNK:
                return
            last = found[-1].pk
