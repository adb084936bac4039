"""Stamp keys: made with a secret that is shown once, listed without it, revoked with a reason."""
from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from gs2admin.audit.models import Activity
from gs2admin.errors import Denied, NotFound
from gs2admin.identity.actors import SYSTEM, person
from gs2admin.identity.models import StampKey
from gs2admin.identity.services.stamp_keys import create_stamp_key, revoke_stamp_key, signature, signed_by

pytestmark = pytest.mark.django_db
KEY = {"namespace": "shop", "name": "rewards"}


@pytest.fixture
def page(project):
    return lambda name="stampkeys", **more: reverse(name, kwargs={"project": project.name, **more})


@pytest.fixture
def olga(client, owner):
    client.force_login(owner)
    return client


@pytest.fixture
def stamp_key(project):
    """(row, secret) of a living key."""
    return create_stamp_key(actor=SYSTEM, project=project, **KEY)


def fresh_key(client, url) -> str:
    return re.search(r'name="key" value="([^"]+)"', client.get(url).content.decode())[1]


def test_the_secret_is_shown_in_the_answer_and_nowhere_else_and_it_signs(olga, page, project):
    url = page("stampkey-new")
    answer = olga.post(url, KEY | {"key": fresh_key(olga, url)})
    html = answer.content.decode()
    secret = re.search(r'id="key-secret"[^>]*>([^<]+)<', html)[1]
    key_id = re.search(r'id="key-id"[^>]*>([^<]+)<', html)[1]
    row = StampKey.objects.get(project=project, name="rewards")
    assert answer.status_code == 200 and row.created_by == "olga" and key_id == row.key_id
    assert signed_by(project, key_id, "an order", signature(secret, "an order"))
    assert answer.headers["Cache-Control"] == "no-store, private"
    listed = olga.get(page()).content.decode()
    assert key_id in listed and secret not in listed and row.sealed_secret not in listed
    assert secret not in str(dict(olga.session)) and secret not in str(list(Activity.objects.values()))


def test_sending_the_same_form_again_makes_nothing_and_shows_nothing(olga, page, project):
    url = page("stampkey-new")
    data = KEY | {"key": fresh_key(olga, url)}
    olga.post(url, data)
    revoke_stamp_key(actor=SYSTEM, key=StampKey.objects.get())  # so that the name is free again
    again = olga.post(url, data, follow=True).content.decode()
    assert StampKey.objects.count() == 1
    assert "nothing new was made" in again and "key-secret" not in again


def test_a_name_that_is_taken_is_refused_beside_the_form_and_can_be_corrected(olga, page, stamp_key):
    url = page("stampkey-new")
    refused = olga.post(url, KEY | {"key": fresh_key(olga, url)})
    assert refused.status_code == 409 and "There is a stamp key shop/rewards already" in refused.content.decode()
    key = re.search(r'name="key" value="([^"]+)"', refused.content.decode())[1]
    corrected = olga.post(url, {"namespace": "shop", "name": "rewards-2", "key": key})
    assert corrected.status_code == 200 and "key-secret" in corrected.content.decode()


@pytest.mark.parametrize("field", ["namespace", "name"])
@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:b", "<script>", "x" * 129])
def test_names_that_no_key_id_could_hold_are_refused_beside_their_field(olga, page, field, name):
    url = page("stampkey-new")
    answer = olga.post(url, KEY | {field: name, "key": fresh_key(olga, url)})
    html = answer.content.decode().split("<main")[1]
    assert answer.status_code == 400 and not StampKey.objects.exists()
    assert "<script>" not in html and re.search(rf'<[^>]*name="{field}"[^>]*aria-invalid="true"', html)


def test_revoking_asks_first_and_leaves_a_line_with_the_reason(olga, page, project, stamp_key):
    row, secret = stamp_key
    url = page("stampkey-revoke", pk=row.pk)
    asked = olga.get(url).content.decode()
    assert row.key_id in asked and "cannot be taken back" in asked
    assert signed_by(project, row.key_id, "an order", signature(secret, "an order")), "asking ends nothing"
    done = olga.post(url, {"reason": "leaked in a log"}, follow=True).content.decode()
    assert "shop/rewards is revoked" in done and ">revoked<" in done and "Revoke…" not in done
    assert not signed_by(project, row.key_id, "an order", signature(secret, "an order"))
    assert StampKey.objects.get().sealed_secret == ""
    line = Activity.objects.get(action="stamp_key.revoke")
    assert (line.actor_name, line.reason, line.door, line.ip) == ("olga", "leaked in a log", "browser", "127.0.0.1")


def test_revoking_again_says_so(olga, page, stamp_key):
    url = page("stampkey-revoke", pk=stamp_key[0].pk)
    olga.post(url, {"reason": ""})
    assert "was revoked already" in olga.get(url, follow=True).content.decode()
    olga.post(url, {"reason": ""})
    assert Activity.objects.filter(action="stamp_key.revoke").count() == 1


def test_an_old_page_does_not_revoke_the_key_that_took_the_name_over(olga, page, project, stamp_key):
    revoke_stamp_key(actor=SYSTEM, key=stamp_key[0])
    newer, _ = create_stamp_key(actor=SYSTEM, project=project, **KEY)
    olga.post(page("stampkey-revoke", pk=stamp_key[0].pk), {"reason": ""})
    assert StampKey.objects.get(pk=newer.pk).revoked_at is None


def test_a_key_of_another_project_is_not_found(olga, page, other_project):
    foreign, _ = create_stamp_key(actor=SYSTEM, project=other_project, **KEY)
    url = page("stampkey-revoke", pk=foreign.pk)
    assert olga.get(url).status_code == olga.post(url, {}).status_code == 404
    assert StampKey.objects.get().revoked_at is None and foreign.key_id not in olga.get(page()).content.decode()


def test_a_viewer_sees_neither_list_nor_button(client, viewer, page):
    client.force_login(viewer)
    assert client.get(page()).status_code == 403
    assert page() not in client.get(page("members")).content.decode()


def test_the_service_checks_the_right_itself(project, stamp_key, producer, developer, stranger):
    for user, refusal in ((producer, Denied), (developer, Denied), (stranger, NotFound)):
        actor = person(user, door="browser")
        with pytest.raises(refusal):
            create_stamp_key(actor=actor, project=project, namespace="shop", name="mine")
        with pytest.raises(refusal):
            revoke_stamp_key(actor=actor, key=stamp_key[0])
    assert StampKey.objects.get().revoked_at is None


def test_it_says_when_a_key_was_used_last_and_writes_that_once_a_minute(olga, page, project, stamp_key):
    row, secret = stamp_key
    good = signature(secret, "an order")
    assert "never" in olga.get(page()).content.decode()
    assert not signed_by(project, row.key_id, "another order", good)
    assert StampKey.objects.get().used_at is None, "what it did not sign is no use of it"
    with CaptureQueriesContext(connection) as asked:
        assert all(signed_by(project, row.key_id, "an order", good) for _ in range(5))
    assert len([one for one in asked if one["sql"].startswith("UPDATE")]) == 1
    first = StampKey.objects.get().used_at
    assert abs(timezone.now() - first) < timedelta(minutes=1) and "never" not in olga.get(page()).content.decode()
    StampKey.objects.update(used_at=first - timedelta(minutes=2))
    assert signed_by(project, row.key_id, "an order", good) and StampKey.objects.get().used_at >= first


def test_the_list_goes_on_by_key(olga, page, project):
    for n in range(52):
        create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name=f"k{n}")
    with CaptureQueriesContext(connection) as asked:
        first = olga.get(page()).content.decode()
    assert len(asked) <= 12, "as many queries as for one key"
    older = re.search(r'href="(\?before=\d+)"', first)[1]
    second = olga.get(page() + older).content.decode()
    assert first.count("Revoke…") == 50 and second.count("Revoke…") == 2
    assert olga.get(page() + "?before=nonsense").status_code == 200
