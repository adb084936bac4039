"""Pages of lists: opaque keyset tokens, and answers that stay small whatever the rows hold."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from gs2admin.errors import Invalid
from gs2admin.text import storable

# One answer holds about this many characters of rows; the page ends earlier then.
PAGE_CHARACTERS = 4 * 1024 * 1024
R = TypeVar("R")


def page_token(kind: str, key: int | str) -> str:
    """Where the next page begins: after the row with this key. base64url without padding, never the word null."""
    return base64.urlsafe_b64encode(json.dumps([kind, key]).encode()).rstrip(b"=").decode()


def key_of(token: str | None, kind: str, of: type, *, component: str, word: str) -> Any:
    """The key in a page token, None without a token.

    of: int or str. word: `service.model.pageToken`. Raises Invalid when the token is not one of ours.
    """
    if token is None:
        return None
    try:
        found = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        found = None
    good = isinstance(found, list) and len(found) == 2 and found[0] == kind and type(found[1]) is of
    if not good or (of is int and not 0 <= found[1] < 2**63) or (of is str and not storable(found[1])):
        raise Invalid(
            "The page token is not one of ours; begin again without one.", component=component, message=f"{word}.error.invalid"
        )
    return found[1]


def cut(rows: Sequence[R], *, by: str, limit: int, kind: str, size: str = "") -> tuple[list[R], str | None]:
    """Of the rows of a page and one more, where there is one: the rows that the page shows, and the token of the next one.

    by: the member that the rows are ordered by. size: the member with a row's characters, when rows can be large.
    """
    shown = fitting([getattr(row, size) for row in rows[:limit]], PAGE_CHARACTERS) if size else min(limit, len(rows))
    return list(rows[:shown]), page_token(kind, getattr(rows[shown - 1], by)) if shown < len(rows) else None


def small(limit: int) -> int:
    """So many characters each row of a page may have that the page holds them all."""
    return PAGE_CHARACTERS // limit


def fitting(sizes: Sequence[int], cap: int = PAGE_CHARACTERS) -> int:
    """How many of these rows one answer holds; at least one."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if total > cap and count:
            return count
    return len(sizes)
