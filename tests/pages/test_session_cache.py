"""The sessions that a process remembers: which it looks at again, which it forgets, and what a look changes."""
from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gs2admin import cache as caches
from gs2admin.dashboard import sessions
from gs2admin.identity.models import Membership, Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a test moves it: clock.now += 1."""

    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    found = Clock()
    monkeypatch.setattr(caches, "time", found)
    monkeypatch.setattr(sessions, "time", found)
    return found


@pytest.fixture
def ask(clock):
    """ask(key) -> (the actor's name or "", how many queries it took)."""
    cache = sessions.SessionCache()

    def act(key: str) -> tuple[str, int]:
        with CaptureQueriesContext(connection) as asked:
            actor = cache.actor(key)
        return actor.name if actor else "", len(asked)

    act.cache = cache
    return act


def signed_in(user) -> Client:
    """Another browser of that person."""
    client = Client()
    client.force_login(user)
    return client


def key_of(client) -> str:
    return client.cookies["sessionid"].value


def test_all_sessions_are_read_again_at_once_whatever_their_number(ask, clock, viewer, producer, owner, monkeypatch):
    monkeypatch.setattr(sessions, "CHUNK", 10)
    keys = [key_of(signed_in(user)) for user in (viewer, producer, owner, viewer, producer)]
    names = [ask(key)[0] for key in keys]
    assert names == ["vera", "mika", "olga", "vera", "mika"]
    clock.now += sessions.LOOK_AGAIN_S + 0.01
    assert ask(keys[0]) == ("vera", 3) and [ask(key) for key in keys[1:]] == [(name, 0) for name in names[1:]]
    monkeypatch.setattr(sessions, "CHUNK", 2)
    clock.now += sessions.LOOK_AGAIN_S + 0.01
    assert ask(keys[0]) == ("vera", 3 + 2 + 2) and [ask(key) for key in keys[1:]] == [(name, 0) for name in names[1:]]


def test_a_session_that_nobody_uses_leaves_and_one_in_use_stays(ask, clock, viewer, producer):
    used, idle = key_of(signed_in(viewer)), key_of(signed_in(producer))
    ask(used), ask(idle)
    for _ in range(11):
        clock.now += 1
        assert ask(used) == ("vera", 3)
    assert [key for key, _ in ask.cache._entries.items()] == [used]
    assert ask(idle)[0] == "mika"


def test_too_many_sessions_push_out_the_one_that_was_used_least_recently(ask, clock, viewer, producer, owner, monkeypatch):
    monkeypatch.setattr(ask.cache._entries, "entries", 2)
    first, second, third = (key_of(signed_in(user)) for user in (viewer, producer, owner))
    ask(first), ask(second)
    clock.now += 0.1
    ask(first)
    clock.now += sessions.LOOK_AGAIN_S
    assert ask(first) == ("vera", 3)
    ask(third)
    assert ask(first) == ("vera", 0) and ask(third) == ("olga", 0) and ask(second)[1] > 0


def test_a_look_sees_new_roles_and_leaves_nobody_without_a_session(ask, clock, viewer, other_project):
    client = signed_in(viewer)
    key = key_of(client)
    assert set(ask.cache.actor(key).roles.values()) == {"viewer"}
    Membership.objects.create(project=other_project, user=viewer, role=Role.ADMIN)
    clock.now += sessions.LOOK_AGAIN_S + 0.01
    assert set(ask.cache.actor(key).roles.values()) == {"viewer", "admin"}
    client.session.flush()
    assert ask(key) == ("vera", 0), "for less than a second"
    clock.now += sessions.LOOK_AGAIN_S + 0.01
    assert ask(key)[0] == "" and not ask.cache._entries.items()
    assert (ask(""), ask.cache.actor(None)) == (("", 0), None)
