"""The table of dumps, cleans and imports of players' data."""
from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from gs2admin.identity.models import Project
from jobqueue.states import UserDataKind, UserDataState


class UserDataRun(models.Model):
    """One dump, clean or import of a player's job-queue data, through all namespaces of the project.

    token: names an import to clients. state: states.UserDataState has the transitions. lease_until, fence: the lease of the
    worker; attempts counts the leases. file: a dump's zip or an upload, in the storage `user_data`. swapped: an import's rows
    are in place, or a clean's are put away; the old rows are left to delete. done, total: progress in lines or rows.
    log: what happened, for people. said: the manifest of an uploaded file as JSON, when a worker has looked at it. error: the
    sentence that ended it, or why an uploaded file is none of ours.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="user_data_runs")
    user_id = models.CharField(max_length=128)
    kind = models.CharField(max_length=8, choices=UserDataKind.choices)
    state = models.CharField(max_length=8, choices=UserDataState.choices, default=UserDataState.WAITING)
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    requested_by = models.CharField(max_length=150)
    file = models.CharField(max_length=200, blank=True)
    size = models.BigIntegerField(default=0)
    swapped = models.BooleanField(default=False)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    log = models.TextField(blank=True)
    said = models.TextField(blank=True, default="", db_default="")
    error = models.TextField(blank=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "user_id"],
                condition=Q(state__in=["running", "waiting"]),
                name="one_live_user_data_run_per_player",
            ),
            models.CheckConstraint(condition=Q(state__in=sorted(UserDataState)), name="user_data_state_known"),
            models.CheckConstraint(condition=Q(kind__in=sorted(UserDataKind)), name="user_data_kind_known"),
        ]
        indexes = [
            models.Index(fields=["project", "user_id", "kind", "-id"], name="user_data_of_player"),
            models.Index(fields=["lease_until"], condition=Q(state__in=["running", "waiting"]), name="user_data_live"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"
