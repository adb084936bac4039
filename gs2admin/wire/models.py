"""Stored answers of calls with a duplication avoider."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from gs2admin.identity.models import Project


class DuplicateRecord(models.Model):
    """One call that was made with a duplication avoider, and its answer.

    key: digest of project, service, method, user and avoider. request_digest: of the request and the caller's role.
    answer: JSON text; null while the call is still going on, which lease_until bounds.
    """

    key = models.CharField(max_length=64, primary_key=True)
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    method = models.CharField(max_length=128)
    user_id = models.CharField(max_length=128, blank=True)
    request_digest = models.CharField(max_length=64)
    answer = models.TextField(null=True)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return f"{self.method} of {self.user_id}"
