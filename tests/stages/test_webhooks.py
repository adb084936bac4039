"""Webhooks out: a message for every change of state, in the same transaction; signed, tried again, sent once more."""
from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from gs2admin import cache, transitions
from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid, NotFound, Quota
from gs2admin.identity import server_keys
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import ServerKey
from stages.approval.services import approve_rollout, reject_rollout
from stages.core import ledger
from stages.models import Rollout
from stages.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from stages.rollouts.services import cancel_rollout, promote_stage
from stages.states import BY_ID
from stages.steps.signing import signature, signing_key
from stages.webhooks import deliver as delivery
from stages.webhooks.outbox import MOST_BYTES, body_of
from stages.webhooks.services import remove_webhook, replay_delivery, rotate_webhook_key, save_webhook, send_test
from stages.worker import chores
from tests.steps.conftest import receiver  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(project, receiver, settings):  # noqa: F811
    """hook(answer) is an endpoint whose receiver answers so; hook.server keeps the requests."""
    settings.STEP_HTTP_ALLOW = ["127.0.0.1"]

    def act(answer=lambda handler: handler.reply(200, b"thanks"), name="chat") -> WebhookEndpoint:
        act.server = receiver(answer)
        return save_webhook(actor=SYSTEM, project=project, name=name, url=f"{act.server.url}/hook")

    return act


def told(endpoint) -> list[tuple[str, str | None]]:
    """(event, previous state) of its messages in order."""
    rows = WebhookDelivery.objects.filter(endpoint=endpoint).order_by("id")
    return [(row.event, json.loads(row.body)["rollout"]["previousState"]) for row in rows]


def due_now(**rows) -> None:
    WebhookDelivery.objects.filter(**rows).update(due_at=Now() - timedelta(seconds=1))


def test_a_change_of_state_writes_its_message_in_its_own_transaction(hook, dev, register, promote):
    endpoint = hook()
    register(auth="1")
    rollout = promote(dev)
    assert told(endpoint) == [("rollout.queued", None), ("rollout.running", "queued"), ("rollout.succeeded", "running")]
    assert delivery.due() == [endpoint.pk]
    body = json.loads(WebhookDelivery.objects.latest("id").body)
    assert body["project"] == "isles" and body["rollout"] | {} == {
        "number": rollout.number, "stage": "dev", "kind": "promote", "strategy": "normal", "state": "succeeded",
        "previousState": "running", "source": None, "part": None, "requestedBy": "system", "reason": "", "error": "",
        "stepsDone": 3, "stepsTotal": 3, "fromVersions": {}, "toVersions": {"auth": "1"},
    }
    with pytest.raises(RuntimeError), transaction.atomic():
        promote_stage(actor=SYSTEM, stage=dev)
        raise RuntimeError
    assert len(told(endpoint)) == 3, "undone with the change that it told of"


def test_approval_rejection_and_cancel_are_told(hook, dev, register, owner, producer, actor_of):
    endpoint = hook()
    register(auth="1")
    mika, olga = actor_of(producer), actor_of(owner)
    reject_rollout(actor=olga, rollout=promote_stage(actor=mika, stage=dev, ask=True))
    approved = approve_rollout(actor=olga, rollout=promote_stage(actor=mika, stage=dev, ask=True))
    cancel_rollout(actor=SYSTEM, rollout=approved)
    assert [event for event, _ in told(endpoint)] == [
        "rollout.awaiting_approval", "rollout.rejected", "rollout.awaiting_approval", "rollout.queued", "rollout.canceled"]


def test_whoever_moves_a_rollout_is_heard(hook, dev, register):
    endpoint = hook()
    register(auth="1")
    rollout = promote_stage(actor=SYSTEM, stage=dev)
    rows = Rollout.objects.filter(pk=rollout.pk)
    assert not transitions.apply(rows, BY_ID["H1"]) and len(told(endpoint)) == 1, "a refused move is no news"
    assert transitions.apply(rows, BY_ID["Q1"], started_at=Now())
    assert transitions.apply(rows, BY_ID["R7"], leg="canary")
    assert transitions.apply(rows, BY_ID["H5"])
    assert told(endpoint)[1:] == [("rollout.running", "queued"), ("rollout.canary_hold", "running")]


def test_endpoints_of_others_and_those_turned_off_hear_nothing(hook, dev, register, project, other_project):
    off = save_webhook(actor=SYSTEM, project=project, name="off", url="https://a.example.com/", active=False)
    foreign = save_webhook(actor=SYSTEM, project=other_project, name="x", url="https://a.example.com/")
    register(auth="1")
    promote_stage(actor=SYSTEM, stage=dev)
    assert not WebhookDelivery.objects.filter(endpoint__in=[off, foreign]).exists()


def test_delivered_in_order_signed_and_with_an_id(hook, dev, register, promote):
    endpoint = hook()
    register(auth="1")
    promote(dev)
    assert delivery.deliver(endpoint.pk) == 3 and delivery.deliver(endpoint.pk) == 0
    requests = hook.server.requests
    assert [json.loads(one.body)["event"] for one in requests] == ["rollout.queued", "rollout.running", "rollout.succeeded"]
    for one in requests:
        head = one.headers
        key = signing_key(f"webhook:{endpoint.uid}", 1)
        assert head["X-Gs2admin-Signature"] == signature(key, head["X-Gs2admin-Timestamp"], one.body)
        assert head["Idempotency-Key"] == json.loads(one.body)["id"] and head["Content-Type"] == "application/json"
    assert set(WebhookDelivery.objects.values_list("state", "attempt")) == {("delivered", 1)}
    assert set(WebhookAttempt.objects.values_list("status", "summary")) == {(200, "thanks")}


@pytest.mark.parametrize("answer, status, said", [
    (lambda handler: handler.reply(500, b"\x1b[31mbroken\nmore"), 500, "broken"),
    (lambda handler: handler.reply(302, Location="http://127.0.0.1/"), 302, ""),
    (lambda handler: None, None, "without an answer"),
    (lambda handler: handler.hang(), None, "no answer"),
], ids=["500", "redirect", "closed", "hangs"])
def test_what_fails_is_tried_again_later_and_others_wait_no_longer(answer, status, said, hook, dev, register, promote, monkeypatch):
    monkeypatch.setattr(delivery, "TIMEOUT_S", 0.4)
    endpoint = hook(answer)
    register(auth="1")
    promote(dev)
    assert delivery.deliver(endpoint.pk) == 1, "after a failure the worker turns to something else"
    first = WebhookDelivery.objects.order_by("id").first()
    assert first.state == "pending" and first.attempt == 1
    wait = (first.due_at - first.created_at).total_seconds()
    assert 9 < wait < 25
    made = WebhookAttempt.objects.get()
    assert made.status == status and said in made.summary and "\x1b" not in made.summary
    assert WebhookEndpoint.objects.get().busy_until is None


def test_given_up_after_the_last_pause_and_sent_once_more_by_hand(hook, dev, register, owner, producer, actor_of):
    answers = [lambda handler: handler.reply(503)] * 9 + [lambda handler: handler.reply(204)]
    endpoint = hook(lambda handler: answers.pop(0)(handler))
    register(auth="1")
    promote_stage(actor=SYSTEM, stage=dev)
    row = WebhookDelivery.objects.get()
    for attempt in range(1, 10):
        due_now(pk=row.pk)
        assert delivery.deliver(endpoint.pk) == 1
        row.refresh_from_db()
        assert (row.state, row.attempt) == ("given_up" if attempt == 9 else "pending", attempt)
    assert delivery.deliver(endpoint.pk) == 0 and row.attempts.count() == 9
    with pytest.raises(Denied):
        replay_delivery(actor=actor_of(producer), delivery=row)
    again = replay_delivery(actor=actor_of(owner), delivery=row)
    with pytest.raises(Conflict, match="still waits for its delivery"):
        replay_delivery(actor=SYSTEM, delivery=again)
    assert delivery.due() == [endpoint.pk] and delivery.deliver(endpoint.pk) == 1
    again.refresh_from_db()
    assert (again.state, again.event_id, again.body) == ("delivered", row.event_id, row.body)
    assert Activity.objects.filter(action="webhook.replay", actor_name="olga").exists()


def test_one_worker_at_a_time_and_another_takes_over_what_was_lost(hook, dev, register):
    endpoint = hook()
    register(auth="1")
    promote_stage(actor=SYSTEM, stage=dev)
    rows = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    rows.update(busy_until=Now() + timedelta(seconds=20))
    assert delivery.deliver(endpoint.pk) == 0
    rows.update(busy_until=Now() - timedelta(seconds=1))
    assert delivery.deliver(endpoint.pk) == 1


def test_a_worker_that_comes_back_late_writes_nothing(hook, dev, register):
    endpoint = hook()
    register(auth="1")
    promote_stage(actor=SYSTEM, stage=dev)
    row = WebhookDelivery.objects.get()
    held = WebhookEndpoint.objects.filter(pk=endpoint.pk, claims=7)
    assert delivery._attempt(held, endpoint, row, lambda: False) is False
    row.refresh_from_db()
    assert (row.state, row.attempt) == ("pending", 1) and not WebhookAttempt.objects.exists()


def test_delivery_threads_take_what_is_due_the_longest_wait_first(hook, dev, register, project):
    first = hook()
    second = save_webhook(actor=SYSTEM, project=project, name="second", url=first.url)
    register(auth="1")
    promote_stage(actor=SYSTEM, stage=dev)
    due_now(endpoint=second)
    assert delivery.due() == [second.pk, first.pk]
    WebhookEndpoint.objects.filter(pk=second.pk).update(busy_until=Now() + timedelta(seconds=20))
    assert delivery.due() == [first.pk], "somebody is at it"
    WebhookEndpoint.objects.update(busy_until=None, active=False)
    assert delivery.due() == [], "turned off"
    WebhookEndpoint.objects.update(active=True)
    WebhookDelivery.objects.update(due_at=Now() + timedelta(seconds=60))
    assert delivery.due() == [], "not yet"
    WebhookDelivery.objects.update(due_at=Now(), state="given_up", ended_at=Now())
    assert delivery.due() == [], "over"


def test_a_delivery_thread_that_has_to_stop_closes_the_connection_and_releases_the_endpoint(hook, dev, register):
    endpoint = hook(lambda handler: handler.hang())
    register(auth="1")
    promote_stage(actor=SYSTEM, stage=dev)
    began = time.monotonic()
    assert delivery.deliver(endpoint.pk, leaving=lambda: bool(hook.server.requests)) == 1
    assert time.monotonic() - began < delivery.TIMEOUT_S / 2
    assert "stopped before there was an answer" in WebhookAttempt.objects.get().summary
    assert WebhookEndpoint.objects.get().busy_until is None and WebhookDelivery.objects.get().state == "pending"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://localhost/x", "https://[::1]/", "http://10.1.2.3/", "ftp://a.b/",
                                 "https://user:pw@a.example.com/", "https://169.254.169.254/latest"])
def test_private_and_odd_addresses_are_refused_at_the_form(url, project):
    with pytest.raises(Invalid) as refusal:
        save_webhook(actor=SYSTEM, project=project, name="x", url=url)
    assert refusal.value.extra["field"] == "url"


def test_a_name_that_leads_to_a_private_address_is_refused_at_the_call(hook, dev, register, settings, monkeypatch):
    endpoint = hook()
    settings.STEP_HTTP_ALLOW = []
    register(auth="1")
    promote_stage(actor=SYSTEM, stage=dev)
    delivery.deliver(endpoint.pk)
    assert hook.server.requests == []
    assert "loopback address" in WebhookAttempt.objects.get().summary


def test_endpoints_are_kept_by_admins_of_their_project(project, other_project, owner, producer, stranger, actor_of, monkeypatch):
    make = {"project": project, "name": "chat", "url": "https://a.example.com/"}
    with pytest.raises(Denied):
        save_webhook(actor=actor_of(producer), **make)
    with pytest.raises(NotFound):
        save_webhook(actor=actor_of(stranger), **make)
    endpoint = save_webhook(actor=actor_of(owner), **make)
    with pytest.raises(Conflict, match="called chat already"):
        save_webhook(actor=actor_of(owner), **make)
    assert rotate_webhook_key(actor=actor_of(owner), endpoint=endpoint).rotation == 2
    assert send_test(actor=actor_of(owner), endpoint=endpoint).event == "test"
    monkeypatch.setattr("stages.webhooks.services.MOST", 1)
    with pytest.raises(Quota):
        save_webhook(actor=SYSTEM, **make | {"name": "other"})
    remove_webhook(actor=actor_of(owner), endpoint=endpoint)
    with pytest.raises(NotFound):
        remove_webhook(actor=actor_of(owner), endpoint=endpoint)
    assert list(Activity.objects.filter(action__startswith="webhook.").order_by("id").values_list("action", flat=True)) == [
        "webhook.create", "webhook.rotate_key", "webhook.test", "webhook.delete"]


def test_a_message_has_a_largest_size():
    versions = {f"service-{number:04}": "1" * 32 for number in range(3000)}
    rollout = {"number": 1, "error": "e" * 9000, "reason": "", "fromVersions": versions, "toVersions": versions}
    body = body_of("rollout.failed", "x", "isles", rollout)
    assert len(body) < MOST_BYTES and json.loads(body)["rollout"] == {
        "number": 1, "error": "e" * 999 + "…", "reason": "", "shortened": True}


def test_old_messages_are_removed_and_those_that_wait_are_kept(hook, dev, register):
    hook()
    register(auth="1")
    cancel_rollout(actor=SYSTEM, rollout=promote_stage(actor=SYSTEM, stage=dev))
    first, second = WebhookDelivery.objects.order_by("id")
    WebhookDelivery.objects.update(created_at=Now() - timedelta(days=40))
    WebhookDelivery.objects.filter(pk=first.pk).update(state="delivered", ended_at=Now())
    assert chores.remove_old_deliveries() == 1 and WebhookDelivery.objects.get() == second


def test_an_endpoint_of_another_project_is_not_changed_by_a_right_in_this_one(project, other_project):
    theirs = save_webhook(actor=SYSTEM, project=other_project, name="theirs", url="https://a.example.com/")
    with pytest.raises(NotFound):
        save_webhook(actor=SYSTEM, project=project, name="mine now", url="https://b.example.com/", endpoint=theirs)
    theirs.refresh_from_db()
    assert (theirs.name, theirs.url) == ("theirs", "https://a.example.com/")


def test_they_are_counted_under_the_projects_lock(project, monkeypatch):
    """The one that another request made since we asked is seen: the count comes after the lock."""
    lock, made = ledger.lock, []

    def slow(project_id, **steps):
        if not made:
            made.append(WebhookEndpoint.objects.bulk_create(
                WebhookEndpoint(project=project, name=f"n{number}", url="https://a.example.com/") for number in range(20)))
        return lock(project_id, **steps)

    monkeypatch.setattr(ledger, "lock", slow)
    with pytest.raises(Quota):
        save_webhook(actor=SYSTEM, project=project, name="one more", url="https://a.example.com/")
    assert made


def test_after_a_change_of_the_key_both_sign_for_a_day(hook, dev, register, promote):
    endpoint = hook()
    key = delivery.key_of(endpoint)
    endpoint = rotate_webhook_key(actor=SYSTEM, endpoint=endpoint)
    new = delivery.key_of(endpoint)
    assert new != key and timedelta(hours=23, minutes=59) < endpoint.old_key_until - timezone.now() <= timedelta(hours=24)

    def sent() -> list[str]:
        send_test(actor=SYSTEM, endpoint=endpoint)
        assert delivery.deliver(endpoint.pk) == 1
        one = hook.server.requests[-1]
        stamp = one.headers["X-Gs2admin-Timestamp"]
        names = {signature(name, stamp, one.body): word for name, word in ((key, "old"), (new, "new"))}
        return [names.get(each, "other") for each in one.headers["X-Gs2admin-Signature"].split(" ")]

    assert sent() == ["new", "old"]
    WebhookEndpoint.objects.update(old_key_until=timezone.now())
    assert sent() == ["new"]
    key, endpoint = new, rotate_webhook_key(actor=SYSTEM, endpoint=endpoint)
    new = delivery.key_of(endpoint)
    assert sent() == ["new", "old"]
    endpoint = rotate_webhook_key(actor=SYSTEM, endpoint=endpoint, at_once=True)
    new, key = delivery.key_of(endpoint), new
    assert endpoint.old_key_until is None and sent() == ["new"]
    last = Activity.objects.filter(action="webhook.rotate_key").latest("pk")
    assert last.after == {"rotation": 4, "old_key_until": None}


def test_a_change_of_the_servers_key_changes_no_signing_key(hook, settings):
    ServerKey.objects.all().delete()
    server_keys.adopt()
    cache.forget_all()
    endpoint = hook()
    key, old = delivery.key_of(endpoint), settings.SECRET_KEY
    for now, fallbacks in (("the second key of this server, long enough for a real one", [old]), (old, [])):
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = now, fallbacks
        cache.forget_all()
        assert delivery.key_of(endpoint) == key
