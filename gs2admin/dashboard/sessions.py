"""Who is behind a session cookie, for paths that are requested thousands of times a second.

Each process caches what it has read and reads it again, for all cached sessions at once, before it is a second old: a
sign-out, a changed password, a closed account or a lost membership takes effect within about a second. One thread
reads while the others go on with what is at most TTL_S old; only when it is older do they wait.

Not a gs2admin.cache.Cache: entries are renewed together, by a few queries for all, instead of one by one.
"""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session
from django.http import HttpRequest

from gs2admin.db import clock
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Membership, User

TTL_S = 1.0
LOOK_AGAIN_S = 0.6
IDLE_S = 10.0
LIMIT = 20_000
CHUNK = 400


@dataclass
class _Entry:
    actor: Actor
    data: str
    person: tuple[Any, ...]
    used_at: float = field(default_factory=time.monotonic)
    loaded_at: float = field(default_factory=time.monotonic)


class SessionCache:
    """session key -> Actor. At most LIMIT entries of a fixed size; one that is not used for IDLE_S leaves."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
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
        entry = self._entries.get(key)
        if entry is None:
            entry = self._load(key)
            if entry is None:
                return None
            if len(self._entries) < LIMIT:
                self._entries[key] = entry
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
        person = (user.pk, user.password, user.is_active, user.is_superuser, user.username)
        return _Entry(_actor(person, roles), data, person)

    def _check_all(self) -> None:
        began = now = time.monotonic()
        entries = {key: entry for key, entry in list(self._entries.items()) if now - entry.used_at < IDLE_S}
        alive: dict[str, _Entry] = {}
        keys = list(entries)
        for at in range(0, len(keys), CHUNK):
            chunk = keys[at : at + CHUNK]
            rows = Session.objects.filter(session_key__in=chunk, expire_date__gt=clock.now())
            data = dict(rows.values_list("session_key", "session_data"))
            alive |= {key: entries[key] for key in chunk if data.get(key) == entries[key].data}
        ids = sorted({entry.person[0] for entry in alive.values()})
        people: dict[int, tuple[Any, ...]] = {}
        roles: dict[int, dict[int, str]] = {}
        for at in range(0, len(ids), CHUNK):
            chunk = ids[at : at + CHUNK]
            columns = ("pk", "password", "is_active", "is_superuser", "username")
            people |= {row[0]: row for row in User.objects.filter(pk__in=chunk).values_list(*columns)}
            for user_id, project_id, role in Membership.objects.filter(user_id__in=chunk).values_list(
                "user_id", "project_id", "role"
            ):
                roles.setdefault(user_id, {})[project_id] = role
        for key, entry in list(alive.items()):
            if people.get(entry.person[0]) != entry.person:
                del alive[key]
            elif dict(entry.actor.roles) != roles.get(entry.person[0], {}):
                entry.actor = _actor(entry.person, roles.get(entry.person[0], {}))
        # Those that were loaded meanwhile are younger than this look.
        alive |= {key: entry for key, entry in list(self._entries.items()) if entry.loaded_at >= began}
        self._entries = alive
        self._checked_at = began


def _actor(person: tuple[Any, ...], roles: dict[int, str]) -> Actor:
    pk, _, active, superuser, name = person
    return Actor("person", str(pk), name, MappingProxyType(roles), superuser and active, "browser")


cache = SessionCache()
