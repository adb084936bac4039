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
READ_S = 0.02
# A portion is read whole: a few rows at first, then more as long as that is quick.
FIRST, MOST, QUICK_S = 256, 8_192, 0.006
Place = tuple[Any, ...]


@dataclass
class Portion:
    """rows: those that fit, in the list's order. further: the place after which to go on; None when the list is read to its end,
    or `limit` rows were found."""

    rows: list[Any] = field(default_factory=list)
    further: Place | None = None


def fitting(
    listed: QuerySet, fits: Q, *, key: Sequence[str], down: bool = False, after: Place | None = None, limit: int
) -> Portion:
    """The first `limit` rows of `listed` behind the place `after` that fit.

    listed: rows whose order an index gives. key: the one or two columns of that order, which tell every row from every other;
    down: both descend. A place: the values of the key of one row.
    """
    ends, size, found = time.monotonic() + READ_S, FIRST, Portion()
    listed = listed.order_by(*(f"-{name}" if down else name for name in key))
    if not fits:
        found.rows = list(_beside(listed, key, after, "lt" if down else "gt")[:limit])
        return found
    while True:
        began = time.monotonic()
        here = _beside(listed, key, after, "lt" if down else "gt")
        edge = next(iter(here.values_list(*key)[size - 1 : size]), None)
        window = _beside(here, key, edge, "gte" if down else "lte")
        found.rows += window.filter(fits)[: limit - len(found.rows)]
        if edge is None or len(found.rows) >= limit:
            return found
        after, now = edge, time.monotonic()
        if now > ends:
            found.further = edge
            return found
        size = min(size * 4, MOST) if now - began < QUICK_S else max(size // 4, FIRST)


def _beside(rows: QuerySet, key: Sequence[str], place: Place | None, side: str) -> QuerySet:
    """The rows on one side of a place; side: lt, gt, lte, gte."""
    if place is None:
        return rows
    if len(key) == 1:
        return rows.filter(**{f"{key[0]}__{side}": place[0]})
    # The first condition is for the index; the second settles rows that are equal in the first column.
    first, second = key
    return rows.filter(
        Q(**{f"{first}__{side[:2]}e": place[0]}), Q(**{f"{first}__{side[:2]}": place[0]}) | Q(**{f"{second}__{side}": place[1]})
    )
