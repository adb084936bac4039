"""Errors are pages with a sentence and a way on; nothing of the framework shows."""
from __future__ import annotations

import pytest
from django.core.exceptions import SuspiciousOperation
from django.test import Client, override_settings
from django.urls import reverse

from gs2admin.errors import Conflict, Denied, Invalid, Unavailable
from stages.pages.views import stage as stage_page

pytestmark = pytest.mark.django_db
FRAMEWORK = ("Traceback", "django", "Django", "Exception", "settings.py")


def test_an_unknown_address_is_a_page(client):
    answer = client.get("/no/such/page")
    html = answer.content.decode()
    assert answer.status_code == 404 and "There is nothing here" in html and 'href="/"' in html
    assert not any(word in html for word in FRAMEWORK)


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (Invalid("Say it differently."), 400, "Say it differently."),
        (Denied("Your role may not."), 403, "Your role may not."),
        (Conflict("It moved."), 409, "It moved."),
        (Unavailable("Not now."), 503, "Not now."),
        (SuspiciousOperation("secret reason"), 400, "Go back and try again."),
        (RuntimeError("secret reason"), 500, "could not finish this page"),
    ],
)
def test_whatever_goes_wrong_the_reader_gets_a_sentence(error, status, says, world, viewer, monkeypatch):
    def broken(*args, **kwargs):
        raise error

    monkeypatch.setattr(stage_page, "stage_of", broken)
    client = Client(raise_request_exception=False)
    client.force_login(viewer)
    answer = client.get(reverse("stage", kwargs={"project": "isles", "stage": "stg"}))
    html = answer.content.decode()
    assert answer.status_code == status and says in html and "<h1" in html
    assert "secret reason" not in html and not any(word in html for word in FRAMEWORK)


def test_a_member_stays_in_the_project_and_a_stranger_learns_nothing(world, viewer, sign_in, stranger):
    url = reverse("rollout", kwargs={"project": "isles", "number": 999})
    html = sign_in(viewer).get(url).content.decode()
    assert 'class="gs-nav__item' in html and "There is no rollout 999" in html and "Go to the board" in html
    refused = sign_in(stranger).get(url)
    nowhere = sign_in(stranger).get(url.replace("isles", "nowhere"))
    assert refused.status_code == 404 and "gs-nav__item" not in refused.content.decode()
    assert refused.content == nowhere.content


def test_a_wrong_method_is_a_page_too(world, viewer, sign_in):
    answer = sign_in(viewer).post(reverse("board", kwargs={"project": "isles"}))
    assert answer.status_code == 405 and "Go back to the page" in answer.content.decode()


@pytest.mark.parametrize("back", ["-1", "", "login", "board", "no page", "//evil.example", "https://evil.example/", "javascript:1", "\0",
                                  "/\\evil.example", "x" * 5_000, "\u202e", "../login", "\n/"])
def test_a_switch_of_the_theme_goes_back_to_a_page_of_ours_or_home(db, back):
    answer = Client(raise_request_exception=False).post("/theme", {"next": back})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_a_wrong_password_says_one_sentence_and_no_more(owner, client):
    answer = client.post(reverse("login"), {"username": "olga", "password": "wrong"})
    unknown = client.post(reverse("login"), {"username": "nobody-here", "password": "wrong"})
    says = "do not belong together"
    assert says in answer.content.decode() and says in unknown.content.decode()


def test_after_signing_in_the_page_that_was_asked_for_opens_and_nothing_foreign(owner, world, client):
    page = reverse("stage", kwargs={"project": "isles", "stage": "stg"})
    where = client.get(page).headers["Location"]
    assert where == f"/login?next={page}"
    sent = {"username": "olga", "password": "correct horse battery"}
    assert client.post(where, sent | {"next": page}).headers["Location"] == page
    client.logout()
    assert client.post("/login", sent | {"next": "https://evil.example/"}).headers["Location"] == "/"


def test_home_is_the_board_of_the_last_project_and_strangers_are_told_what_to_do(world, viewer, client, django_user_model):
    client.force_login(viewer)
    assert client.get("/").headers["Location"] == "/p/isles/"
    lonely = django_user_model.objects.create_user("nora", password="x")
    client.force_login(lonely)
    assert "You are not a member of any project" in client.get("/").content.decode()


def test_the_theme_is_remembered_without_script(client):
    answer = client.post("/theme", {"next": "/login"})
    assert answer.headers["Location"] == "/login" and client.cookies["theme"].value == "dark"
    assert 'data-bs-theme="dark"' in client.get("/login").content.decode()
    assert client.post("/theme", {"next": "//evil.example"}).headers["Location"] == "/"
    assert client.cookies["theme"].value == "light"


@override_settings(ALLOWED_HOSTS=["good.example"])
def test_a_wrong_host_is_a_page_without_details():
    answer = Client().get("/login", headers={"host": "evil.example"})
    assert answer.status_code == 400 and "Go back and try again." in answer.content.decode()
