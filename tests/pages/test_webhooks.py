"""Webhooks in the browser: making one, its key once, what was sent, sending once more."""
from __future__ import annotations

import re

import pytest
from django.db.models.functions import Now

from gs2admin.identity.actors import SYSTEM
from stages.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from stages.webhooks.deliver import key_of
from stages.webhooks.services import save_webhook
from tests.pages.test_moves import at

pytestmark = pytest.mark.django_db


def test_a_webhook_is_made_and_its_key_is_shown_once(world, owner, sign_in):
    client = sign_in(owner)
    refused = client.post(at("webhook-new", world), {"name": "x", "url": "http://10.0.0.1/", "active": "on"})
    assert refused.status_code == 400 and "private address" in refused.content.decode()
    page = client.post(at("webhook-new", world), {"name": "dash <1>", "url": "https://dash.example.com/x", "active": "on"}, follow=True)
    row = WebhookEndpoint.objects.get(name="dash <1>")
    assert key_of(row) in page.content.decode() and "no-store" in page.headers["Cache-Control"]
    again = client.get(at("webhook", world, pk=row.pk)).content.decode()
    assert key_of(row) not in again and "dash &lt;1&gt;" in again and "Nothing was sent yet" in again
    before = key_of(row)
    page = client.post(at("webhook-rotate", world, pk=row.pk), {"reason": "left"}, follow=True).content.decode()
    row.refresh_from_db()
    assert key_of(row) in page and key_of(row) != before and "Messages are also signed with the key before" in page
    page = client.post(at("webhook-rotate", world, pk=row.pk), {"at_once": "on"}, follow=True).content.decode()
    row.refresh_from_db()
    assert row.rotation == 3 and "the key before" not in page
    assert client.post(at("webhook-edit", world, pk=row.pk), {"name": "dash", "url": row.url}).status_code == 302
    row.refresh_from_db()
    assert row.active is False
    assert client.post(at("webhook-delete", world, pk=row.pk), {}).status_code == 302
    assert not WebhookEndpoint.objects.filter(pk=row.pk).exists()


def test_what_was_sent_with_its_attempts_and_once_more(world, owner, sign_in):
    client = sign_in(owner)
    row = world.delivery
    WebhookDelivery.objects.filter(pk=row.pk).update(state="given_up", ended_at=Now(), attempt=9)
    WebhookAttempt.objects.create(delivery=row, number=9, status=503, took_ms=12, summary="<busy>")
    url = at("webhook", world, pk=world.webhook.pk)
    html = client.get(url + "?state=given_up").content.decode()
    assert "rollout.awaiting_approval" in html and "503 in 12 ms · &lt;busy&gt;" in html
    assert "No such message" in client.get(url + "?state=delivered").content.decode()
    assert re.search(r'data-label="Given up"><span[^>]*>1<', client.get(at("webhooks", world)).content.decode())
    page = client.post(at("webhook-replay", world, pk=world.webhook.pk, delivery=row.pk), follow=True).content.decode()
    assert "rollout.awaiting_approval is sent again." in page and "again</span>" in page
    assert WebhookDelivery.objects.filter(replay_of=row, event_id=row.event_id).count() == 1
    page = client.post(at("webhook-test", world, pk=world.webhook.pk), follow=True).content.decode()
    assert "A test message is sent." in page


def test_a_webhook_of_another_project_is_not_there(world, other_project, owner, sign_in):
    foreign = save_webhook(actor=SYSTEM, project=other_project, name="x", url="https://a.example.com/")
    for name in ("webhook", "webhook-edit", "webhook-rotate", "webhook-delete"):
        assert sign_in(owner).get(at(name, world, pk=foreign.pk)).status_code == 404
    assert sign_in(owner).post(at("webhook-replay", world, pk=foreign.pk, delivery=1)).status_code == 404
