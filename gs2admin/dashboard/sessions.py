"""Who is behind a session cookie, for paths that are requested thousands of times a second.

Each process caches what it has read and reads it again, for all cached sessions at once, before it is a second old: a
sign-out, a changed password, a closed account or a lost membership takes effect within about a second. One thread
reads while the others go on with what is at most TTL_S old; only when it is older do they wait.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import NamedTuple

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session
from django.http import HttpRequest

from gs2admin.cache import Cache
from gs2admin.db import clock
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Membership, User

TTL_S = 1.0
LOOK_AGAIN_S = 0.6
IDLE_S = 10.0
LIMIT = 8_000
MAX_BYTES = 12_000_000
CHUNK = 400


class _Person(NamedTuple):
    """The columns of a user on which a session and its rights depend; named as in the table."""

    id: int
    password: str
    is_active: bool
    is_superuser: bool
    username: str


@dataclass
class _Entry:
    """A session. data: its row's text. used_at: the time of time.monotonic() at which somebody last asked for it."""

    actor: Actor
    data: str
    person: _Person
    used_at: float


def _size(entry: _Entry) -> int:
    """Bytes. Estimated, because every entry is put again every second."""
    return 1_500 + len(entry.data) + 100 * len(entry.actor.roles)


class SessionCache:
    """session key -> Actor. At most LIMIT entries of a fixed size; one that is not used for IDLE_S leaves."""

    def __init__(self) -> None:
        self._entries: Cache[str, _Entry] = Cache(ttl_s=IDLE_S, entries=LIMIT, max_bytes=MAX_BYTES, size=_size)
        self._checked_at = 0.0
        self._lock = threading.Lock()

    def actor(self, key: str | None) -> Actor | None:
        """The signed-in person with roles at most about TTL_S old, None when nobody is signed in."""
        if not key:
            return None
        now = time.monotonic()
        age = now - self._checked_at
        if age > LOOK_AGAIN_S and self._lock.acquire(blocking=age > TTL_S):
            try:
                if time.monotonic() - self._checked_at > LOOK_AGAIN_S:
                    self._check_all()
            finally:
                self._lock.release()
        entry = self._entries.get(key) or self._load(key)
        if entry is None:
            return None
        entry.used_at = now
        return entry.actor

    def _load(self, key: str) -> _Entry | None:
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
        user = get_user(request)  # checks the password's hash, as the middleware does
        if not user.is_authenticated or not user.is_active:
            return None
        data = Session.objects.filter(session_key=key).values_list("session_data", flat=True).first()
        if data is None:
            return None
        roles = dict(user.memberships.values_list("project_id", "role"))
        person = _Person(user.pk, user.password, user.is_active, user.is_superuser, user.username)
        return self._entries.put(key, _Entry(_actor(person, roles), data, person, time.monotonic()))

    def _check_all(self) -> None:
        """Read all that is cached again, by a few queries for all. What is used goes on, its time counted from its last use."""
        began = time.monotonic()
        # By last use, because the cache drops first what was put first.
        known = sorted(self._entries.items(), key=lambda item: item[1].used_at)
        data = _data_of(key for key, _ in known)
        ids = {entry.person.id for key, entry in known if data.get(key) == entry.data}
        people, roles = _people(ids), _roles_of(ids)
        for key, entry in known:
            if data.get(key) != entry.data or people.get(entry.person.id) != entry.person:
                self._entries.pop(key)
                continue
            if dict(entry.actor.roles) != roles.get(entry.person.id, {}):
                entry.actor = _actor(entry.person, roles.get(entry.person.id, {}))
            self._entries.put(key, entry, since=entry.used_at)
        self._checked_at = began


def _chunks(keys: Iterable) -> Iterator[Sequence]:
    found = sorted(keys)
    return (found[at : at + CHUNK] for at in range(0, len(found), CHUNK))


def _data_of(keys: Iterable[str]) -> dict[str, str]:
    """{session key: data} of those that exist and are not over."""
    found: dict[str, str] = {}
    for chunk in _chunks(keys):
        rows = Session.objects.filter(session_key__in=chunk, expire_date__gt=clock.now())
        found |= dict(rows.values_list("session_key", "session_data"))
    return found


def _people(ids: Iterable[int]) -> dict[int, _Person]:
    """{id: person} of those that exist."""
    rows = (User.objects.filter(pk__in=chunk).values_list(*_Person._fields) for chunk in _chunks(ids))
    return {person.id: person for chunk in rows for person in map(_Person._make, chunk)}


def _roles_of(ids: Iterable[int]) -> dict[int, dict[int, str]]:
    """{person's id: {project id: role}}; none of a person without a role."""
    found: dict[int, dict[int, str]] = {}
    for chunk in _chunks(ids):
        for row in Membership.objects.filter(user_id__in=chunk).values_list("user_id", "project_id", "role", named=True):
            found.setdefault(row.user_id, {})[row.project_id] = row.role
    return found


def _actor(person: _Person, roles: dict[int, str]) -> Actor:
    return Actor(
        "person", str(person.id), person.username, MappingProxyType(roles), person.is_superuser and person.is_active, "browser"
    )


cache = SessionCache()
