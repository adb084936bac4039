"""Guessing passwords is slowed, and strangers' guesses keep nobody out who has been here before."""
from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.backends import ModelBackend
from django.db import connection
from django.test import Client

from gs2admin.identity.models import Guesses
from gs2admin.identity.throttle import FAILURES
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


def sign_in(client, password=PASSWORD, name="olga", ip="127.0.0.1"):
    return client.post("/login", {"username": name, "password": password}, REMOTE_ADDR=ip)


def test_after_too_many_wrong_passwords_none_is_tried_and_the_answer_says_until_when(client, owner, producer):
    for _ in range(FAILURES):
        assert sign_in(client, "wrong").status_code == 200
    answer = sign_in(client, name="OLGA")
    assert answer.status_code == 429 and 0 < int(answer["Retry-After"]) <= 60
    assert f"try again in {answer['Retry-After']} s" in answer.content.decode()
    assert "_auth_user_id" not in client.session
    assert sign_in(client, ip="10.9.8.7").status_code == sign_in(Client(), name="mika").status_code == 302


def test_a_browser_that_signed_in_before_gets_in_whatever_strangers_do(client, owner):
    """Also where everybody has one address, as behind a proxy that is not named."""
    assert sign_in(client).status_code == 302
    client.post("/logout")
    stranger = Client()
    for _ in range(FAILURES):
        sign_in(stranger, "wrong")
    assert sign_in(stranger).status_code == 429
    assert sign_in(client).status_code == 302
    client.post("/logout")
    for _ in range(FAILURES):
        sign_in(client, "wrong")
    assert sign_in(client).status_code == 429, "its own guesses are counted"


def test_the_cookie_is_of_one_name_and_lets_nobody_in(client, owner, producer):
    sign_in(client)
    cookie = client.cookies["gs2admin_known"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and "olga" not in cookie.value
    other = Client()
    other.cookies["gs2admin_known"] = cookie.value
    assert other.get("/projects/").status_code == 302
    for _ in range(FAILURES):
        sign_in(other, "wrong", "mika")
    assert sign_in(other, name="mika").status_code == 429
    for broken in ("", "x", cookie.value[:-1], cookie.value.upper(), '"', "a:b:c"):
        other.cookies["gs2admin_known"] = broken
        assert sign_in(other, name="mika").status_code == 429


def test_the_cookie_survives_a_change_of_the_key(client, owner, settings):
    sign_in(client)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key altogether, long enough for a real one"
    assert client.get("/projects/").status_code == 200, "so does the session"
    client.post("/logout")
    for _ in range(FAILURES):
        sign_in(Client(), "wrong")
    assert sign_in(client).status_code == 302


def test_the_old_password_is_guessed_no_faster_with_an_open_session(client, owner):
    client.force_login(owner)
    sent = {"old_password": "wrong", "new_password1": "quite another 123", "new_password2": "quite another 123"}
    for _ in range(FAILURES):
        assert client.post("/account/password", sent).status_code == 400
    answer = client.post("/account/password", sent | {"old_password": PASSWORD})
    assert answer.status_code == 503 and int(answer["Retry-After"]) <= 60
    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)


@pytest.mark.django_db(transaction=True)
def test_forty_guesses_at_once_compute_ten_hashes(owner, monkeypatch):
    hashed, real, gate = [], ModelBackend.authenticate, threading.Barrier(8)

    def counting(self, request, **given):
        hashed.append(given)
        return real(self, request, **given)

    monkeypatch.setattr(ModelBackend, "authenticate", counting)

    def one(number):
        try:
            if number < 8:
                gate.wait(10)
            return sign_in(Client(), "wrong").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(40)))
    assert len(hashed) == 10 and sorted(answers) == [200] * 10 + [429] * 30
    assert Guesses.objects.count() <= 4


def test_programs_are_told_when_to_come_back_in_the_form_of_each_door(client, credential):
    row, secret = credential
    basic = "Basic " + base64.b64encode(f"{row.client_id}:wrong".encode()).decode()
    for _ in range(FAILURES):
        assert client.get("/api/v1/stages", HTTP_AUTHORIZATION=basic).status_code == 401
    own = client.get("/api/v1/stages", HTTP_AUTHORIZATION=basic)
    assert own.status_code == 503 and 0 < int(own["Retry-After"]) <= 60 and "try again in" in own.json()["error"]["message"]

    def login(secret):
        return client.post("/identifier/projectToken/login", {"client_id": row.client_id, "client_secret": secret}, "application/json")

    slowed = login("wrong")
    assert slowed.status_code == 503 and 0 < int(slowed["Retry-After"]) <= 60 and int(slowed["Retry-After-Ms"]) <= 60_000
    assert "identifier.projectToken.login.error.tooMany" in slowed.json()["message"]
    assert login(secret).status_code == 200
