"""The first rows of a list that also fit a condition for which there is no index, read along the list's index for a bounded time.

A database that is asked for fifty such rows reads until it has them: all of a log with ten million lines, when nothing fits.
Here the list is read in portions, and once the time is over the caller gets what was found and the place to go on from.
"""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet

# A page with its own queries takes less than 50 ms then.
READ_S = 0.012
# A portion is read whole: a few rows at first, then as many as the time that is left allows.
FIRST, MOST = 256, 4_096
Place = tuple[Any, ...]


@dataclass
class Portion:
    """rows: those that fit, in the list's order. further: the place after which to go on; None when the list is read to its end,
    or `limit` rows were found."""

    rows: list[Any] = field(default_factory=list)
    further: Place | None = None


def fitting(
    listed: QuerySet, fits: Q, *, key: Sequence[str], down: bool = False, start: Any = None, after: Place | None = None,
    rows: QuerySet | None = None, limit: int,
) -> Portion:
    """The first `limit` rows of `listed` behind the place `after` that fit.

    listed: rows whose order an index gives; the least value of the key's first column is no condition of it but `start` (the
    greatest, with `down`), because SQLite takes one such condition of two to begin with. key: the one or two columns of that
    order, which tell every row from every other; down: both descend. A place: the values of the key of one row. rows: how a row
    is read that is named by its id; what may have changed since it was listed belongs into `fits` too.
    """
    ends, size, found = time.monotonic() + READ_S, FIRST, Portion()
    listed = listed.order_by(*(f"-{name}" if down else name for name in key))
    here = _behind(listed, key, after, down) if after is not None else listed
    if after is None and start is not None:
        here = listed.filter(**{f"{key[0]}__{'lte' if down else 'gte'}": start})
    if not fits:
        found.rows = list(here[:limit])
        return found
    rows = (listed.model._default_manager.all() if rows is None else rows).order_by(*listed.query.order_by)
    while True:
        began = time.monotonic()
        portion = list(here.values_list("pk", *key)[:size])
        # Named one by one: with the end of the portion as a condition more, SQLite may read the whole list.
        found.rows += rows.filter(fits, pk__in=[pk for pk, *_ in portion])[: limit - len(found.rows)]
        if len(portion) < size or len(found.rows) >= limit:
            return found
        after, now = tuple(portion[-1][1:]), time.monotonic()
        if now >= ends:
            found.further = after
            return found
        here = _behind(listed, key, after, down)
        size = max(FIRST, min(size * 4, MOST, int(size * (ends - now) / (now - began))))


def _behind(listed: QuerySet, key: Sequence[str], place: Place, down: bool) -> QuerySet:
    """The rows behind a place."""
    side = "lt" if down else "gt"
    if len(key) == 1:
        return listed.filter(**{f"{key[0]}__{side}": place[0]})
    # The first condition is for the index; the second settles rows that are equal in the first column.
    first, second = key
    return listed.filter(
        Q(**{f"{first}__{side}e": place[0]}), Q(**{f"{first}__{side}": place[0]}) | Q(**{f"{second}__{side}": place[1]})
    )
