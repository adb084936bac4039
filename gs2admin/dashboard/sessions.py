"""Who is behind session cookies, for paths that are asked for thousands of times a second: one statement for all who ask at once.

What a cookie means is remembered per process: which person it names, and by which row and which password that was found. Whether
the rows are still the same, and which role the person has in the project, is read from the database at every question. So a
sign-out, a changed password, a closed account or a lost membership counts from the next question on.
"""
from __future__ import annotations

import json
from collections.abc import Iterable
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest

from gs2admin.cache import FOR_EVER, Cache
from gs2admin.db import clock
from gs2admin.db.raw import raw_cursor, vendor
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Membership, User

LIMIT = 8_000
MAX_BYTES = 6_000_000
# Sessions that one statement is asked about.
CHUNK = 1_000
# A session key and the number of a project.
Pair = tuple[str, int]

_STATEMENT = """
SELECT a.session_key, a.project, s.session_data, u.id, u.password, u.is_active, u.is_superuser, u.username, m.role
FROM {asked} JOIN {session} s ON s.session_key = a.session_key AND s.expire_date > {now}
JOIN {user} u ON u.id = a.person
LEFT JOIN {membership} m ON m.user_id = u.id AND m.project_id = a.project"""
_ASKED = {
    "postgresql": ("unnest(%s::text[], %s::bigint[], %s::bigint[]) AS a(session_key, person, project)", "now()"),
    "sqlite": ("(SELECT value ->> 0 AS session_key, value ->> 1 AS person, value ->> 2 AS project FROM json_each(?)) a", "?"),
}


class _Meaning(NamedTuple):
    """Whom a session names. data, password: of the rows in which that was found."""

    person: int
    data: str
    password: str


def _size(meaning: _Meaning) -> int:
    return 500 + len(meaning.data)


class Sessions:
    """session key -> who has signed in."""

    def __init__(self) -> None:
        self._meanings: Cache[str, _Meaning] = Cache(ttl_s=FOR_EVER, entries=LIMIT, max_bytes=MAX_BYTES, size=_size)

    def knows(self, key: str) -> bool:
        """Whether `actors` can tell who it is; else `load` has to come first."""
        return self._meanings.get(key) is not None

    def actors(self, asked: Iterable[Pair]) -> dict[Pair, Actor]:
        """The signed-in people of these sessions, each with the role in that project that it has now.

        One that is missing is not known, or no longer what it was; `load` tells. One statement for CHUNK sessions.
        """
        known = [(pair, meaning) for pair in asked if (meaning := self._meanings.get(pair[0])) is not None]
        found: dict[Pair, Actor] = {}
        for at in range(0, len(known), CHUNK):
            chunk = known[at : at + CHUNK]
            rows = {(row[0], row[1]): row for row in _rows(chunk)}
            for pair, meaning in chunk:
                row = rows.get(pair)
                if row is None or row[2] != meaning.data or row[4] != meaning.password or not row[5]:
                    self._meanings.pop(pair[0])
                else:
                    found[pair] = _actor(row)
        return found

    def load(self, key: str | None) -> bool:
        """Read what a session means; some queries. False when nobody is signed in with it."""
        if not key:
            return False
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
        user = get_user(request)  # checks the password's hash, as the middleware does
        data = Session.objects.filter(session_key=key).values_list("session_data", flat=True).first()
        if not user.is_authenticated or not user.is_active or data is None:
            self._meanings.pop(key)
            return False
        self._meanings.put(key, _Meaning(user.pk, data, user.password))
        return True

    def actor(self, key: str | None, project_id: int) -> Actor | None:
        """Who has signed in, None when nobody has; for one question alone."""
        if not key or not (self.knows(key) or self.load(key)):
            return None
        pair = (key, project_id)
        found = self.actors([pair]).get(pair)
        if found is None and self.load(key):  # the session was written again, or its owner has another password
            found = self.actors([pair]).get(pair)
        return found


def _rows(chunk: list[tuple[Pair, _Meaning]]) -> list[tuple[Any, ...]]:
    """One row per pair whose session and person are there."""
    asked, now = _ASKED[vendor()]
    names = {model.__name__.lower(): model._meta.db_table for model in (Session, User, Membership)}
    statement = _STATEMENT.format(asked=asked, now=now, **names)
    triples = [(key, meaning.person, project) for (key, project), meaning in chunk]
    if vendor() == "sqlite":
        moment = connections[DEFAULT_DB_ALIAS].ops.adapt_datetimefield_value(clock.now())
        values: list[Any] = [json.dumps(triples), moment]
    else:
        values = [list(column) for column in zip(*triples, strict=True)]
    with raw_cursor() as cursor:
        return cursor.execute(statement, values).fetchall()


def _actor(row: tuple[Any, ...]) -> Actor:
    _, project, _, person, _, _, superuser, name, role = row
    roles = {project: role} if role is not None else {}
    return Actor("person", str(person), name, MappingProxyType(roles), bool(superuser), "browser")


sessions = Sessions()
