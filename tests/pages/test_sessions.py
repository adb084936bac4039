"""Who is behind a session cookie: what is remembered counts only while the rows say the same."""
from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gs2admin.dashboard import sessions
from gs2admin.identity.models import Membership, Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def known():
    return sessions.Sessions()


def key_of(user) -> str:
    """The cookie of another browser of that person."""
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def names(found) -> dict:
    return {pair: actor.name for pair, actor in found.items()}


def test_all_who_ask_at_once_are_one_statement(known, project, viewer, producer, owner, statements, monkeypatch):
    pairs = [(key_of(user), project.pk) for user in (viewer, producer, owner, viewer)]
    assert known.actors(pairs) == {} and all(known.load(key) for key, _ in pairs)
    statements.clear()
    with CaptureQueriesContext(connection) as asked:
        found = known.actors(pairs)
    assert list(names(found).values()) == ["vera", "mika", "olga", "vera"]
    assert [actor.roles[project.pk] for actor in found.values()] == ["viewer", "producer", "admin", "viewer"]
    assert (len(asked), len(statements)) == (0, 1)
    monkeypatch.setattr(sessions, "CHUNK", 3)
    assert known.actors(pairs) == found and len(statements) == 3


@pytest.mark.parametrize("how", ["signs out", "is closed", "is gone", "changes the password", "has had it for too long"])
def test_a_session_that_ended_counts_no_more_from_the_next_question_on(how, known, project, viewer):
    key = key_of(viewer)
    assert known.actor(key, project.pk).name == "vera"
    rows = type(viewer).objects.filter(pk=viewer.pk)
    if how == "signs out":
        sessions.Session.objects.filter(session_key=key).delete()
    elif how == "is closed":
        rows.update(is_active=False)
    elif how == "is gone":
        viewer.memberships.all().delete()
        rows.delete()
    elif how == "changes the password":
        viewer.set_password("another long one")
        viewer.save()
    else:
        sessions.Session.objects.filter(session_key=key).update(expire_date="2001-01-01T00:00:00Z")
    assert known.actors([(key, project.pk)]) == {} and not known.knows(key)
    assert known.actor(key, project.pk) is None


def test_roles_are_those_of_now_and_of_that_project(known, project, other_project, viewer):
    key = key_of(viewer)
    here, there = (key, project.pk), (key, other_project.pk)
    assert known.load(key)
    assert [dict(actor.roles) for actor in known.actors([here, there]).values()] == [{project.pk: "viewer"}, {}]
    Membership.objects.create(project=other_project, user=viewer, role=Role.ADMIN)
    viewer.memberships.filter(project=project).delete()
    assert [dict(actor.roles) for actor in known.actors([here, there]).values()] == [{}, {other_project.pk: "admin"}]


def test_a_session_that_was_written_again_is_read_again(known, project, viewer):
    client = Client()
    client.force_login(viewer)
    key = client.cookies["sessionid"].value
    assert known.actor(key, project.pk).name == "vera"
    session = client.session
    session["project"] = "isles"
    session.save()
    assert known.actors([(key, project.pk)]) == {}, "until then it is not known"
    assert known.actor(key, project.pk).name == "vera"
    assert known.actor(None, project.pk) is None and known.actor("x" * 32, project.pk) is None
