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


def starts_with(column: str, start: str) -> Q:
    """Rows whose column begins with `start`, letter by letter; it may hold anything but nothing."""
    return Q(**{f"{column}__gte": start}) & from_there(column, start)


def from_there(column: str, start: str) -> Q:
    """Rows of which those at `start` or behind it begin with `start`: for lists that begin there by themselves."""
    if _by_code_point():
        # Nothing stands between a beginning and the first text that is behind all that begin so: exact by itself.
        behind = _behind(start)
        return Q(**{f"{column}__lt": behind}) if behind else Q()
    # PostgreSQL's LIKE looks at each letter; SQLite's takes no notice of case, and never gets here.
    return Q(**{f"{column}__startswith": start})


def _behind(start: str) -> str:
    """The first text that is behind everything that begins so; "" when there is none."""
    front = start.rstrip("\U0010ffff")
    if not front:
        return ""
    # The code points from D800 to DFFF are no characters.
    return front[:-1] + ("\ue000" if front[-1] == "\ud7ff" else chr(ord(front[-1]) + 1))


def storable(text: str) -> bool:
    """Whether both databases take the text, and every client can read it: no NUL, no half of a surrogate pair."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text))


def without_nul(text: str) -> str:
    """Text that both databases take: no NUL, no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def shortened(text: str, most: int) -> str:
    """The text, or its beginning with "…" as the last of `most` characters. For texts that are derived, never for input."""
    return text if len(text) <= most else text[: most - 1] + "…"
