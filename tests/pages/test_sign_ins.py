"""Sign-ins, failures, sign-outs and changed passwords in the activity log: who sees them, and that a flood leaves few lines."""
from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services import sign_ins
from gs2admin.identity.services.credentials import create_credential

pytestmark = pytest.mark.django_db
PASSWORD = "a long and rare one"


@pytest.fixture(autouse=True)
def quick(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    cache.clear()


@pytest.fixture
def vera(viewer):
    """A viewer with a password."""
    viewer.set_password(PASSWORD)
    viewer.save()
    return viewer


def sign_in(name: str, password: str = PASSWORD, ip: str = "203.0.113.7") -> Client:
    client = Client(REMOTE_ADDR=ip)
    client.post("/login", {"username": name, "password": password})
    return client


def lines() -> list[tuple]:
    return list(Activity.objects.filter(object_type__in=["user", "credential"]).exclude(action="credential.create").order_by("id")
                .values_list("action", "actor_name", "object_name", "ip"))


def test_signing_in_and_out_and_a_new_password_leave_a_line_each(project, vera):
    client = sign_in("vera")
    client.post(reverse("password"), {"old_password": PASSWORD, "new_password1": "another long one", "new_password2": "another long one"})
    client.post("/logout")
    client.post("/logout")
    assert lines() == [
        ("person.sign_in", "vera", "vera", "203.0.113.7"), ("person.password", "vera", "vera", "203.0.113.7"),
        ("person.sign_out", "vera", "vera", "203.0.113.7"),
    ]
    vera.refresh_from_db()
    vera_sees = Client()
    vera_sees.force_login(vera)
    page = vera_sees.get(reverse("activity", kwargs={"project": project.name}), {"type": "user"}).content.decode()
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for said in ("vera signed in ", "vera changed their own password ", "vera signed out "):
        assert text.count(said) == 1 and f"{said}vera" not in text
    assert set(Activity.objects.filter(object_type="user").values_list("project_id", "object_id")) == {(None, str(vera.pk))}


def test_a_flood_of_failures_leaves_one_line_a_minute(project, vera, monkeypatch):
    for n in range(40):
        sign_in("vera", "wrong", ip=f"198.51.100.{n}")
        sign_in(f"invented-{n}", "wrong", ip=f"198.51.100.{n}")
        sign_in("\u202emy password in the wrong field", "wrong", ip=f"198.51.100.{n}")
    assert lines() == [
        ("person.sign_in_failed", "somebody", "vera", "198.51.100.0"),
        ("person.sign_in_failed", "somebody", "a name that nobody has", "198.51.100.0"),
    ]
    monkeypatch.setattr(sign_ins, "FAILURES_EVERY", sign_ins.FAILURES_EVERY * 0)
    sign_in("vera", "wrong")
    assert len(lines()) == 3


@pytest.mark.parametrize("name", ["", "\0", "x" * 5_000, "\ud800", "ve\0ra"])
def test_odd_names_are_failures_like_others(project, vera, name):
    client = Client(REMOTE_ADDR="203.0.113.7")
    assert client.post("/login", {"username": name.encode("utf-8", "surrogatepass").decode("utf-8", "replace"), "password": "x"}).status_code == 200


def test_a_wrong_secret_is_a_line_of_the_project_and_a_right_one_is_none(project):
    row, secret = create_credential(actor=SYSTEM, project=project, name="game")

    def log_in(client_id: str, word: str) -> int:
        body = {"client_id": client_id, "client_secret": word}
        return Client().post("/identifier/projectToken/login", body, content_type="application/json").status_code

    assert log_in(row.client_id, secret) == 200 and lines() == []
    for n in range(5):
        assert log_in(row.client_id, f"wrong {n}") == 401
        log_in(f"invented-{n}", "wrong")
    assert lines() == [("credential.refused", "somebody", "game", "127.0.0.1")]
    assert Activity.objects.get(action="credential.refused").project_id == project.pk


@pytest.mark.parametrize("who, sees", [("viewer", {"vera"}), ("producer", {"mika"}), ("owner", {"vera", "mika", "olga"})])
def test_who_manages_members_sees_their_accounts_and_others_their_own(project, vera, viewer, producer, owner, stranger, sign_in_as, who, sees):
    people = {"viewer": viewer, "producer": producer, "owner": owner}
    for person in (viewer, producer, owner, stranger):
        sign_ins.signed_in(actor=sign_in_as(person))
    names = {person.username for person in people.values()}
    client = Client()
    client.force_login(people[who])
    expected = {people[who].username} if who != "owner" else names
    assert len(expected) == len(sees)
    for query in ({"type": "user"}, {"action": "person.sign_in"}):
        page = client.get(reverse("activity", kwargs={"project": project.name}), query).content.decode()
        assert {name for name in names | {stranger.username} if f">{name}</a>\n" in page or f"All by {name}" in page} == expected, query
        export = b"".join(client.get(reverse("activity-export", kwargs={"project": project.name}), query).streaming_content).decode()
        assert {name for name in names | {stranger.username} if f'"{name}"' in export} == expected, query
    page = client.get(reverse("activity", kwargs={"project": project.name})).content.decode()
    assert "> signed in" not in page and " signed in\n" not in page


@pytest.fixture
def sign_in_as():
    from gs2admin.identity.actors import person

    return lambda user: person(user, door="browser")
