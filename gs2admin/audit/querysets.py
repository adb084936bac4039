"""Reads of the activity log."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import models
from django.db.models import Max, Min, Q

from gs2admin.db.portions import Portion, fitting

CHUNK = 500
# Ids rise with time, but for lines that were written at the same time, and for a clock that was set.
SLACK = timedelta(hours=1)
# So many lines are read beside what was asked for, rather than looking for the very first.
NEAR = 1_000


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
        rows, fits, last = self._listed(words)
        return rows.filter(fits) if last is None else rows.filter(fits, pk__lte=last)

    def first_matching(self, words: Mapping[str, Any], *, before: int | None = None, limit: int) -> Portion:
        """The newest of them, before that id; reads for a bounded time."""
        rows, fits, last = self._listed(words)
        place = None if before is None else (before,)
        return fitting(rows, fits, key=("pk",), down=True, start=last, after=place, limit=limit)

    def _listed(self, words: Mapping[str, Any]) -> tuple[ActivityQuerySet, Q, int | None]:
        """The lines that one index lists, newest first; what else they have to fit; the id of the newest that may."""
        rows, fits, last, given = self, Q(), None, {name: word for name, word in words.items() if word}
        if "player" in given:
            rows = rows.filter(~Q(player=""), player=given.pop("player"))
        elif "actor" in given:
            rows = rows.filter(actor_name=given.pop("actor"))
        elif "action" in given:
            rows = rows.filter(action=given.pop("action"))
        for word, column in (("actor", "actor_name"), ("action", "action"), ("type", "object_type"), ("door", "door")):
            if word in given:
                fits &= Q(**{column: given[word]})
        if "object" in given:
            fits &= Q(object_name__icontains=given["object"]) | Q(object_id=given["object"])
        if "since" in given:
            since = datetime.combine(given["since"], time.min, UTC)
            rows, fits = rows.filter(pk__gte=self._near(_shifted(since, -SLACK))[0]), fits & Q(at__gte=since)
        if "until" in given:
            until = datetime.combine(given["until"], time.max, UTC)
            last, fits = self._near(_shifted(until, SLACK))[1], fits & Q(at__lte=until)
        return rows, fits, last

    def _near(self, moment: datetime) -> tuple[int, int]:
        """Two ids, at most NEAR apart, between which the first line of then or later is, of any project; some ten quick reads."""
        every = self.model.objects.order_by("pk")
        # Two questions: SQLite answers both at once by reading all ids.
        low = every.aggregate(low=Min("pk"))["low"] or 0
        high = (every.aggregate(high=Max("pk"))["high"] or 0) + 1
        while high - low > NEAR:
            middle = (low + high) // 2
            pk, at = every.filter(pk__gte=middle).values_list("pk", "at")[0]
            low, high = (pk + 1, high) if at < moment else (low, middle)
        return low, high

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


def _shifted(moment: datetime, by: timedelta) -> datetime:
    """As far as the calendar goes."""
    try:
        return moment + by
    except OverflowError:
        return moment
