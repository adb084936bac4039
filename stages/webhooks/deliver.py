"""Webhook delivery: the messages of one endpoint, oldest first, one at a time, each tried again with growing pauses."""
from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Min, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest, Now

from gs2admin import engine
from gs2admin.db import clock
from gs2admin.limits import in_turns
from gs2admin.text import shortened
from stages.models.webhooks import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from stages.steps import exchange
from stages.steps.addresses import AddressRefused
from stages.steps.signing import signature, signing_key
from stages.steps.text import clean_line
from stages.steps.urls import parse

# Endpoints that one host delivers to at the same time: a delivery thread mostly waits for an answer.
AT_ONCE = 8
# Of them one project has so many at most: receivers of it that hang leave threads for the others.
OF_A_PROJECT = 6
# Pauses before the second attempt, the third, …; after the last one the message is given up, in about twelve hours.
PAUSES_S = (10, 30, 120, 600, 1800, 3600, 10800, 21600)
TIMEOUT_S = 5.0
LEASE_S = 20
# How long one call of `deliver` may go on, and how often it looks whether the process is stopping.
BUDGET_S = 10.0
TURN_S = 0.1
# characters of an answer that are stored, as long as the column
MAX_SUMMARY = 500
# What is stored of an attempt whose process died before it could store more.
LOST = "gs2admin ended before it could note an answer; the message may have arrived"


class Answer(NamedTuple):
    """What an attempt gave. status: of HTTP, None when no answer came. summary: its first line, or why none came."""

    status: int | None
    summary: str


def key_of(endpoint: WebhookEndpoint, *, before: int = 0) -> str:
    """The signing key that the receiver stores; it differs from the keys of targets. before: so many rotations earlier."""
    return signing_key(f"webhook:{endpoint.uid}", endpoint.rotation - before)


def signatures(endpoint: WebhookEndpoint, timestamp: str, body: bytes) -> str:
    """The header's text: the signature by the key; behind a blank, while the key before still counts, the one by that."""
    keys = [key_of(endpoint)]
    if endpoint.old_key_until is not None and endpoint.old_key_until > clock.now():
        keys.append(key_of(endpoint, before=1))
    return " ".join(signature(key, timestamp, body) for key in keys)


def due() -> list[int]:
    """Ids of at most 100 endpoints with a message that is due and no delivery thread: of each project in turns, the longest wait
    first, and no more than OF_A_PROJECT less those that are busy.
    """
    messages = WebhookDelivery.objects.filter(state=DeliveryState.PENDING, due_at__lte=Now(), endpoint__active=True)
    free = messages.filter(Q(endpoint__busy_until=None) | Q(endpoint__busy_until__lt=Now()))
    waiting = free.values("endpoint_id", "endpoint__project_id").annotate(since=Min("due_at")).order_by("since")
    rows = list(waiting.values_list("endpoint_id", "endpoint__project_id"))
    busy = WebhookEndpoint.objects.filter(busy_until__gt=Now()).order_by().values("project_id").annotate(count=Count("pk"))
    room = {row["project_id"]: OF_A_PROJECT - row["count"] for row in busy} if rows else {}
    found = []
    for endpoint, project in in_turns(rows, lambda row: row[1]):
        left = room.setdefault(project, OF_A_PROJECT)
        if left > 0:
            room[project] = left - 1
            found.append(endpoint)
    return found[:100]


def next_due() -> QuerySet:
    """When the next message is due of an endpoint that nobody delivers to, by one step into an index per endpoint."""
    messages = WebhookDelivery.objects.filter(endpoint=OuterRef("pk"), state=DeliveryState.PENDING).order_by("due_at")
    endpoints = WebhookEndpoint.objects.filter(active=True).annotate(first=Subquery(messages.values("due_at")[:1]))
    waiting = endpoints.filter(first__isnull=False).annotate(at=Greatest("first", Coalesce("busy_until", "first")))
    return waiting.order_by("at").values("at")[:1]


@engine.delivery_thread(which=due, due=next_due, at_once=AT_ONCE)
def deliver(endpoint_id: int, leaving: Callable[[], bool] = lambda: False) -> int:
    """Deliver the messages that are due, for at most BUDGET_S seconds; returns the number of attempts. Stops at a failure.

    leaving: whether the process is stopping. The endpoint's lease lets one delivery thread at a time work on it, so a
    receiver that hangs takes one of a host's AT_ONCE threads, and no worker.
    """
    free = Q(busy_until=None) | Q(busy_until__lt=Now())
    rows = WebhookEndpoint.objects.filter(pk=endpoint_id)
    if not rows.filter(free, active=True).update(claims=F("claims") + 1, busy_until=_lease()):
        return 0
    endpoint = rows.get()
    leased = rows.filter(claims=endpoint.claims)
    until, made = time.monotonic() + BUDGET_S, 0
    while leased.update(busy_until=_lease()):
        due = WebhookDelivery.objects.filter(endpoint=endpoint, state=DeliveryState.PENDING, due_at__lte=Now())
        delivery = due.order_by("id").first()
        if delivery is None:
            break
        made += 1
        delivered = _attempt(leased, endpoint, delivery, leaving)
        if not delivered or leaving() or time.monotonic() > until:
            break
    leased.update(busy_until=None)
    return made


def _attempt(
    leased: QuerySet[WebhookEndpoint], endpoint: WebhookEndpoint, delivery: WebhookDelivery, leaving: Callable[[], bool]
) -> bool:
    """One attempt, counted before anything is sent; True when it was delivered. leased: the endpoint while the lease holds.

    An earlier attempt that was counted and has no row, because its process died, gets its row first.
    """
    number = delivery.attempt + 1
    pending = WebhookDelivery.objects.filter(pk=delivery.pk, state=DeliveryState.PENDING)
    with transaction.atomic():
        if not pending.filter(attempt=delivery.attempt).update(attempt=number, due_at=Now() + timedelta(seconds=LEASE_S)):
            return False
        if delivery.attempt:
            WebhookAttempt.objects.get_or_create(delivery=delivery, number=delivery.attempt, defaults={"summary": LOST})
    began = time.monotonic()
    answer = send(endpoint, delivery, leaving)
    took_ms = round((time.monotonic() - began) * 1000)
    good = answer.status is not None and 200 <= answer.status < 300
    with transaction.atomic():
        if not leased.exists():
            return False  # another delivery thread took the endpoint over; it tries again
        if good:
            changes = {"state": DeliveryState.DELIVERED, "ended_at": Now()}
        elif number > len(PAUSES_S):
            changes = {"state": DeliveryState.GIVEN_UP, "ended_at": Now()}
        else:
            changes = {"due_at": Now() + timedelta(seconds=PAUSES_S[number - 1] * random.uniform(1.0, 1.2))}
        if pending.filter(attempt=number).update(**changes):
            WebhookAttempt.objects.create(
                delivery=delivery, number=number, status=answer.status, took_ms=took_ms,
                summary=shortened(answer.summary, MAX_SUMMARY),
            )
    return good


def send(endpoint: WebhookEndpoint, delivery: WebhookDelivery, leaving: Callable[[], bool]) -> Answer:
    """Post one message and wait at most TIMEOUT_S seconds for the answer; closes the connection when `leaving` is true.

    Redirects are not followed, and private addresses are refused unless STEP_HTTP_ALLOW names them.
    """
    body = delivery.body.encode()
    timestamp = str(int(clock.seconds()))
    try:
        url = parse(endpoint.url)
    except ValueError as problem:
        return Answer(None, str(problem))
    headers = {
        "User-Agent": "gs2admin", "Accept": "*/*", "Accept-Encoding": "identity", "Connection": "close",
        "Content-Type": "application/json", "Idempotency-Key": str(delivery.event_id),
        "X-Gs2admin-Event": delivery.event, "X-Gs2admin-Delivery": str(delivery.pk),
        "X-Gs2admin-Timestamp": timestamp, "X-Gs2admin-Signature": signatures(endpoint, timestamp, body),
    }
    call = exchange.Exchange("POST", url, headers=headers, body=body, allow=settings.STEP_HTTP_ALLOW, timeout_s=TIMEOUT_S)
    try:
        while not call.wait(TURN_S) and time.monotonic() - call.began < TIMEOUT_S and not leaving():
            pass
    finally:
        call.abort()
    if call.answer is not None:
        first = next((line for raw in call.answer.body.splitlines() if (line := clean_line(raw).strip())), "")
        return Answer(call.answer.status, first)
    if isinstance(call.error, AddressRefused):
        return Answer(None, f"It was not sent: {call.error}")
    if call.error is None and leaving():
        return Answer(None, "gs2admin was stopped before there was an answer")
    if call.error is None:
        return Answer(None, f"no answer within {TIMEOUT_S:g} s")
    return Answer(None, exchange.explain(call.error, url))


def _lease():
    return Now() + timedelta(seconds=LEASE_S)
