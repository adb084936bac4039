"""Tables of webhooks out: endpoints, the outbox of messages, and what each attempt gave."""
from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from gs2admin.identity.models import Project


class WebhookEndpoint(models.Model):
    """Where a project's rollout states are posted to. uid and rotation name its signing key, which is derived.

    old_key_until: until then messages are signed with the key of the rotation before, too.

    url is checked when it is saved and again, with the address that its name leads to, at each call. claims counts the
    leases of delivery threads and fences what they write; busy_until is the end of the lease, so that one delivers at a time.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="webhooks")
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=128)
    url = models.CharField(max_length=2000)
    active = models.BooleanField(default=True)
    rotation = models.PositiveIntegerField(default=1)
    old_key_until = models.DateTimeField(null=True)
    claims = models.PositiveIntegerField(default=0)
    busy_until = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="webhook_name_once")]

    def __str__(self) -> str:
        return self.name


class DeliveryState(models.TextChoices):
    """pending: to be sent, or sent again at due_at. delivered: a 2xx came back. given_up: no more attempts by itself."""

    PENDING = "pending", "Waiting"
    DELIVERED = "delivered", "Delivered"
    GIVEN_UP = "given_up", "Given up"


class WebhookDelivery(models.Model):
    """The outbox: one message to one endpoint, written in the transaction of the change that it tells of.

    attempt is counted before anything is sent. replay_of: the message that somebody had sent once more; it carries the
    same event id, so that receivers can tell. rollout: None for a test message.
    """

    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="deliveries")
    rollout = models.ForeignKey("stages.Rollout", models.CASCADE, null=True, related_name="+")
    event_id = models.UUIDField(default=uuid.uuid4)
    event = models.CharField(max_length=40)
    body = models.TextField()
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempt = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    replay_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="replays")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=sorted(DeliveryState)), name="webhook_delivery_state_known"),
            models.CheckConstraint(
                condition=Q(state=DeliveryState.PENDING, ended_at=None)
                | (~Q(state=DeliveryState.PENDING) & Q(ended_at__isnull=False)),
                name="webhook_ended_exactly_when_final",
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "due_at"], condition=Q(state=DeliveryState.PENDING), name="webhook_delivery_due"),
            models.Index(fields=["endpoint", "-id"], name="webhook_delivery_newest"),
            models.Index(fields=["created_at"], name="webhook_delivery_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint.name}"

    @property
    def project_id(self) -> int:
        """The project, for rights and the audit log."""
        return self.endpoint.project_id


class WebhookAttempt(models.Model):
    """One try to deliver. status: of the answer, None when none came; summary: what came back, or why nothing did."""

    delivery = models.ForeignKey(WebhookDelivery, models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now())
    status = models.PositiveSmallIntegerField(null=True)
    took_ms = models.PositiveIntegerField(default=0)
    summary = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="webhook_attempt_once")]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.delivery_id}"
