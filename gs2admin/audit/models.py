"""The activity log: one line per change, written in the change's own transaction, never changed afterwards; and notes."""
from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from gs2admin.audit import querysets
from gs2admin.identity.models import Project


class Activity(models.Model):
    """Who did what, on what, before and after, why, from where."""

    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="activity")
    at = models.DateTimeField(db_default=Now())
    actor_kind = models.CharField(max_length=16)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=64)
    object_type = models.CharField(max_length=32)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=300)
    # Whose it was, where it was a player's: a user id of the game.
    player = models.CharField(max_length=128, blank=True, default="", db_default="")
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    door = models.CharField(max_length=16)
    ip = models.CharField(max_length=45, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    objects = querysets.ActivityQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "activity"
        indexes = [
            models.Index(fields=["project", "-id"], name="activity_newest"),
            models.Index(fields=["project", "action", "-id"], name="activity_by_action"),
            models.Index(fields=["project", "actor_name", "-id"], name="activity_by_actor"),
            models.Index(fields=["project", "object_type", "object_id", "-id"], name="activity_by_object"),
            models.Index(fields=["project", "player", "-id"], condition=~models.Q(player=""), name="activity_by_player"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name} {self.action} {self.object_name}"


class Note(models.Model):
    """What somebody wrote about a rollout or a player. about_id: the rollout's number, the player's id."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="notes", db_index=False)
    about = models.CharField(max_length=16)
    about_id = models.CharField(max_length=128)
    text = models.TextField()
    by_kind = models.CharField(max_length=16)
    by_id = models.CharField(max_length=64, blank=True)
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [models.CheckConstraint(condition=models.Q(about__in=["player", "rollout"]), name="note_about_known")]
        indexes = [models.Index(fields=["project", "about", "about_id", "id"], name="note_about")]

    def __str__(self) -> str:
        return f"{self.about} {self.about_id}"

    @property
    def user_id(self) -> str:
        """The player that it is about, for the activity log; empty where it is about a rollout."""
        return self.about_id if self.about == "player" else ""
