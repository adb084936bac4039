"""Guessing passwords is slowed, for one name from one address; nobody else notices."""
from __future__ import annotations

import pytest
from django.core.cache import cache

from gs2admin.identity.throttle import FAILURES
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forget():
    cache.clear()
    yield
    cache.clear()


def test_after_too_many_wrong_passwords_not_even_the_right_one_is_tried(client, owner, producer):
    for _ in range(FAILURES):
        assert client.post("/login", {"username": "olga", "password": "wrong"}).status_code == 200
    answer = client.post("/login", {"username": "OLGA", "password": PASSWORD})
    assert answer.status_code == 400 and b"Wait a minute" in answer.content
    assert "_auth_user_id" not in client.session
    assert client.post("/login", {"username": "olga", "password": PASSWORD}, REMOTE_ADDR="10.9.8.7").status_code == 302


def test_others_are_not_slowed(client, owner, producer):
    for _ in range(FAILURES):
        client.post("/login", {"username": "olga", "password": "wrong"})
    assert client.post("/login", {"username": "mika", "password": PASSWORD}).status_code == 302
