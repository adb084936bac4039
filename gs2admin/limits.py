"""How many of something there may be, and turns for those who want some. docs/operations.md lists all limits."""
from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from itertools import zip_longest
from typing import TypeVar

from django.db.models import QuerySet

from gs2admin.errors import Quota

T = TypeVar("T")


def require_fewer(rows: QuerySet, most: int, what: str, *, component: str, message: str) -> None:
    """Refuse one more row where there are `most` already; reads no more keys than that. Two at once may both be the last.

    what: "namespaces in isles". Raises Quota.
    """
    if len(rows.order_by().values_list("pk")[:most]) >= most:
        raise Quota(f"There are {most:,} {what}, as many as there may be. Remove one first.",
                    component=component, message=message)  # fmt: skip


def in_turns(rows: Iterable[T], key: Callable[[T], Hashable]) -> list[T]:
    """The rows in the order of turns: the first of each key, then the second of each; keys and rows of a key keep their order."""
    groups: dict[Hashable, list[T]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    missing = object()
    return [row for turn in zip_longest(*groups.values(), fillvalue=missing) for row in turn if row is not missing]
