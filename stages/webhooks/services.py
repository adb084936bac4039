"""Writes of webhooks: make, change and remove endpoints, send a test, and send a message once more."""
from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound, Quota
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from stages.core import ledger
from stages.core.redact import redact
from stages.models.webhooks import DeliveryState, WebhookDelivery, WebhookEndpoint
from stages.steps import KINDS
from stages.webhooks.outbox import body_of

# endpoints of a project
MOST = 20
# So long the key before the last change still signs, beside the new one.
OVERLAP = timedelta(hours=24)


def save_webhook(
    *,
    actor: Actor,
    project: Project,
    name: str,
    url: str,
    active: bool = True,
    endpoint: WebhookEndpoint | None = None,
    reason: str = "",
) -> WebhookEndpoint:
    """Make an endpoint, or change the given one. The next change of a rollout is the first that it gets a message of.

    active: whether messages are written and sent. Raises NotFound, Denied, Invalid (the name; a URL that may not be called,
    as for http steps), Conflict (name taken), Quota (more than MOST endpoints).
    """
    require(actor, "webhook.manage", project)
    name = name.strip()
    if not name or len(name) > 128 or not name.isprintable():
        raise Invalid("A webhook's name is 1 to 128 characters.", component="webhook",
                      message="freeze.webhook.name.error.invalid", extra={"field": "name"})
    url = KINDS["http"].validate({"url": url})["url"]
    try:
        with transaction.atomic():
            ledger.lock(project.pk)  # of two that are made at once, the second counts the first
            row = WebhookEndpoint(project=project, created_by=actor.name) if endpoint is None else _existing(endpoint, project)
            if endpoint is None and WebhookEndpoint.objects.filter(project=project).count() >= MOST:
                raise Quota(f"A project has at most {MOST} webhooks.", component="webhook",
                            message="freeze.webhook.error.tooMany")
            before = _facts(row) if endpoint else None
            row.name, row.url, row.active = name, url, active
            if endpoint is None:
                row.save()
            else:
                row.save(update_fields=["name", "url", "active"])
                engine.wake_chores()
            record(actor=actor, action="webhook.update" if endpoint else "webhook.create", obj=row, before=before,
                   after=_facts(row), reason=reason)
            return row
    except IntegrityError:
        raise Conflict(f"There is a webhook called {name} already.", component="webhook",
                       message="freeze.webhook.name.error.duplicate", extra={"field": "name"}) from None


def rotate_webhook_key(
    *, actor: Actor, endpoint: WebhookEndpoint, at_once: bool = False, reason: str = ""
) -> WebhookEndpoint:
    """Change the signing key, also of messages that wait. For OVERLAP they are signed with the old key too.

    at_once: the old key got out, so nothing more is signed with it. Raises NotFound, Denied.
    """
    require(actor, "webhook.manage", endpoint)
    with transaction.atomic():
        row = _existing(endpoint, endpoint.project)
        WebhookEndpoint.objects.filter(pk=row.pk).update(
            rotation=F("rotation") + 1, old_key_until=None if at_once else Now() + OVERLAP
        )
        row.refresh_from_db()
        until = row.old_key_until.isoformat(timespec="seconds") if row.old_key_until else None
        record(actor=actor, action="webhook.rotate_key", obj=row, after={"rotation": row.rotation, "old_key_until": until},
               reason=reason)
        return row


def remove_webhook(*, actor: Actor, endpoint: WebhookEndpoint, reason: str = "") -> None:
    """Remove an endpoint with its messages. Raises NotFound, Denied."""
    require(actor, "webhook.manage", endpoint)
    with transaction.atomic():
        row = _existing(endpoint, endpoint.project)
        record(actor=actor, action="webhook.delete", obj=row, before=_facts(row), reason=reason)
        row.delete()


def send_test(*, actor: Actor, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Write a test message, which has no rollout, to be delivered like the others. Raises NotFound, Denied."""
    require(actor, "webhook.manage", endpoint)
    event_id = uuid.uuid4()
    with transaction.atomic():
        row = _existing(endpoint, endpoint.project)
        body = body_of("test", event_id, row.project.name, None)
        made = WebhookDelivery.objects.create(endpoint=row, event_id=event_id, event="test", body=body)
        engine.wake_chores()
        record(actor=actor, action="webhook.test", obj=row)
        return made


def replay_delivery(*, actor: Actor, delivery: WebhookDelivery, reason: str = "") -> WebhookDelivery:
    """Send a message once more: a new row with the same event id and body. Raises NotFound, Denied, Conflict while it waits."""
    require(actor, "webhook.manage", delivery)
    with transaction.atomic():
        row = WebhookDelivery.objects.select_related("endpoint").filter(pk=delivery.pk).first()
        if row is None:
            raise NotFound("That message was deleted.", component="webhook",
                           message="freeze.webhook.webhook.error.notFound")
        if row.state == DeliveryState.PENDING:
            raise Conflict("That message still waits for its delivery, which is tried again by itself.", component="webhook",
                           message="freeze.webhook.webhook.error.conflict")
        made = WebhookDelivery.objects.create(endpoint=row.endpoint, rollout_id=row.rollout_id, event_id=row.event_id,
                                              event=row.event, body=row.body, replay_of=row)
        engine.wake_chores()
        record(actor=actor, action="webhook.replay", obj=row.endpoint, after={"event": row.event, "id": str(row.event_id)},
               reason=reason)
        return made


def _existing(endpoint: WebhookEndpoint, project: Project) -> WebhookEndpoint:
    row = WebhookEndpoint.objects.select_related("project").filter(pk=endpoint.pk, project=project).first()
    if row is None:
        raise NotFound(f"The webhook {endpoint.name} was removed meanwhile.", component="webhook",
                       message="freeze.webhook.webhook.error.notFound")
    return row


def _facts(row: WebhookEndpoint) -> dict[str, Any]:
    return {"name": row.name, "url": redact(row.url, path=False), "active": row.active}
