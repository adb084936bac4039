"""Slows the guessing of secrets. What is counted lies in the database: nobody can push a count out, and all hosts share it.

A guess is counted before its hash is computed, by one statement that counts and compares, so that many at once get no more than
one after the other would; one that turns out right is given back. Strangers are counted per name, per name and place, per place
and per block of places. Whoever has signed in before, from a place or with a browser, has a budget of their own there, which
strangers elsewhere cannot use up. Programs' secrets have 256 random bits: they are compared first, a right one is never
refused, and only wrong ones are counted (tokens.py).

Considered django-axes (counts after the hash, in rows per name, address and browser that it does not bound) and the limits of
django-allauth (a list in the cache, read and written back in two steps, and evictable; needs allauth's views). Neither knows
address blocks, nor a budget for those who have been here before.
"""
from __future__ import annotations

import hashlib
import ipaddress
import json
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection, transaction

from gs2admin.errors import Unavailable
from gs2admin.identity.models import Guesses

# Wrong guesses of one name from one place, also of those who have been here before, in a window.
FAILURES = 10
WINDOW_S = 60
# Of one name from all strangers together; of one place, and of one block, for all names together.
OF_A_NAME, NAME_WINDOW_S = 50, 600
OF_A_PLACE = 30
OF_A_BLOCK = 100
# How long it is remembered that somebody signed in from a place.
KNOWN_S = 90 * 86_400
_NOW = {
    "sqlite": "CAST(ROUND((JULIANDAY('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP()) * 1000 AS BIGINT)",
}
_TABLE = Guesses._meta.db_table
# Counts one more, or begins a new window; no row comes back where the limit is reached.
_TAKE = f"""
    INSERT INTO {_TABLE} (key, count, ends_ms) VALUES (%s, 1, {{now}} + %s)
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN {_TABLE}.ends_ms <= {{now}} THEN 1 ELSE {_TABLE}.count + 1 END,
        ends_ms = CASE WHEN {_TABLE}.ends_ms <= {{now}} THEN excluded.ends_ms ELSE {_TABLE}.ends_ms END
    WHERE {_TABLE}.ends_ms <= {{now}} OR {_TABLE}.count < %s
    RETURNING ends_ms
"""
_GIVE_BACK = f"UPDATE {_TABLE} SET count = count - 1 WHERE key = %s AND ends_ms = %s AND count > 0"
_REMEMBER = f"""
    INSERT INTO {_TABLE} (key, count, ends_ms) VALUES (%s, 0, {{now}} + %s)
    ON CONFLICT (key) DO UPDATE SET ends_ms = excluded.ends_ms
"""
_READ = f"SELECT key, count, ends_ms - {{now}} FROM {_TABLE} WHERE key IN ({{marks}}) AND ends_ms > {{now}}"
_OVER = f"DELETE FROM {_TABLE} WHERE key IN (SELECT key FROM {_TABLE} WHERE ends_ms <= {{now}} ORDER BY ends_ms LIMIT %s)"


class Bucket(NamedTuple):
    """What is counted together: at most `most` in `window_s` seconds."""

    key: str
    most: int
    window_s: int


@dataclass(frozen=True)
class Attempt:
    """A guess that was counted. taken: (key, end of its window); known: the key that remembers the place."""

    taken: tuple[tuple[str, int], ...]
    known: str

    def right(self) -> None:
        """The secret was right: give the guess back, and remember that this name signed in from here."""
        # Each by itself: together they could wait for each other in a circle.
        for key, ends_ms in self.taken:
            _run(_GIVE_BACK, [key, ends_ms])
        _run(_REMEMBER, [self.known, KNOWN_S * 1000])


def begin(kind: str, name: str, address: str, *, own: str = "", by_name: bool = True) -> Attempt:
    """Count a guess before its secret is looked at.

    kind: what is guessed, such as person; kinds have nothing to do with each other. own: names a budget of its own (a known
    browser) that is asked instead of all others. by_name: False where strangers' guesses of a name are not added up.
    Raises Unavailable, with retry_after_s and retry_after_ms in its extra, and then counts nothing.
    """
    place, block = places(address)
    known = _key("known", kind, name, place)
    if own:
        buckets = [Bucket(_key("own", kind, own), FAILURES, WINDOW_S)]
    else:
        buckets = _of_strangers(kind, name, place, block, by_name)
    mine = Bucket(_key("mine", kind, name, place), FAILURES, WINDOW_S)
    found = _read([known, mine.key, *(bucket.key for bucket in buckets)])
    if not own and known in found:
        buckets = [mine]
    # Looked at first without a lock: a flood of guesses that are refused writes nothing.
    _refuse(found, buckets)
    taken = []
    try:
        with transaction.atomic():
            for bucket in sorted(buckets):  # in one order, so that two never wait for each other in a circle
                row = _run(_TAKE, [bucket.key, bucket.window_s * 1000, bucket.most])
                if row is None:
                    raise _Full
                taken.append((bucket.key, row[0]))
    except _Full:
        _refuse(_read([bucket.key for bucket in buckets]), buckets, anyway=True)
    return Attempt(tuple(taken), known)


def places(address: str) -> tuple[str, str]:
    """(place, block) of an address: IPv4 itself and its /24, IPv6 its /64, which one household has, and its /48."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address, address
    small, large = (32, 24) if found.version == 4 else (64, 48)
    place, block = (str(ipaddress.ip_network((found, bits), strict=False)) for bits in (small, large))
    return place, block


def delete_old(limit: int = 5000) -> int:
    """Remove counts whose window is over, and places that were not used for KNOWN_S. Returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_OVER.format(now=_NOW[connection.vendor]), [limit])
        return cursor.rowcount


class _Full(Exception):
    pass


def _of_strangers(kind: str, name: str, place: str, block: str, by_name: bool) -> list[Bucket]:
    found = [
        Bucket(_key("name and place", kind, name, place), FAILURES, WINDOW_S),
        Bucket(_key("place", kind, place), OF_A_PLACE, WINDOW_S),
        Bucket(_key("block", kind, block), OF_A_BLOCK, WINDOW_S),
    ]
    return [*found, Bucket(_key("name", kind, name), OF_A_NAME, NAME_WINDOW_S)] if by_name else found


def _refuse(found: dict[str, tuple[int, int]], buckets: list[Bucket], *, anyway: bool = False) -> None:
    waits = [found[bucket.key][1] for bucket in buckets if bucket.key in found and found[bucket.key][0] >= bucket.most]
    if not waits and not anyway:
        return
    ms = max(waits, default=1000)
    seconds = -(-ms // 1000)
    raise Unavailable(
        f"Too many wrong secrets; try again in {seconds} s.", component="projectToken",
        message="identifier.projectToken.login.error.tooMany", extra={"retry_after_s": seconds, "retry_after_ms": ms},
    )


def _key(*words: str) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def _read(keys: list[str]) -> dict[str, tuple[int, int]]:
    """{key: (count, ms until its window ends)} of the windows that go on."""
    with connection.cursor() as cursor:
        cursor.execute(_READ.format(now=_NOW[connection.vendor], marks=", ".join(["%s"] * len(keys))), keys)
        return {key: (count, rest) for key, count, rest in cursor.fetchall()}


def _run(statement: str, values: list[str | int]) -> tuple | None:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(now=_NOW[connection.vendor]), values)
        return cursor.fetchone() if "RETURNING" in statement else None
