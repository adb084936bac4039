"""Finding text: beginnings through an index, whatever the database's order of letters is."""
from __future__ import annotations

from functools import cache

from django.db import connection
from django.db.models import Q


@cache
def _by_code_point() -> bool:
    """Whether the database orders text by code points, so that a beginning is a range."""
    if connection.vendor == "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT datcollate FROM pg_database WHERE datname = current_database()")
        return cursor.fetchone()[0].split(".")[0] in ("C", "POSIX")


def begins(column: str, start: str) -> Q:
    """Rows whose column begins with `start`; it may hold anything."""
    found = Q(**{f"{column}__gte": start})
    last = ord(start[-1])
    # The code points before these two have no successor that is a character.
    if _by_code_point() and last not in (0xD7FF, 0x10FFFF):
        found &= Q(**{f"{column}__lt": start[:-1] + chr(last + 1)})
        if connection.vendor == "sqlite":
            return found  # its LIKE takes no notice of case
    return found & Q(**{f"{column}__startswith": start})


def storable(text: str) -> bool:
    """Whether both databases take the text, and every client can read it: no NUL, no half of a surrogate pair."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def without_nul(text: str) -> str:
    """Text that both databases take: no NUL, no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
