"""Tables of what governs rollouts; stages.models imports them, so that Django finds them there."""
from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from gs2admin.identity.models import Project


class Halt(models.Model):
    """The line was stopped, on one stage or (stage empty) on all; it stays stopped until somebody lifts it.

    holds_rollbacks: whether rollbacks are held back too; as a rule they are how an incident ends.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="halts")
    stage = models.ForeignKey("stages.Stage", models.CASCADE, null=True, related_name="halts")
    reason = models.CharField(max_length=1024)
    holds_rollbacks = models.BooleanField(default=False)
    stopped_by = models.CharField(max_length=150)
    stopped_at = models.DateTimeField(db_default=Now())
    lifted_by = models.CharField(max_length=150, blank=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(lifted_at=None, stage=None), name="one_open_halt_per_project"
            ),
            models.UniqueConstraint(
                fields=["stage"], condition=Q(lifted_at=None, stage__isnull=False), name="one_open_halt_per_stage"
            ),
        ]

    def __str__(self) -> str:
        return f"the line of {self.stage.name if self.stage_id else 'all stages'}"


class FreezeWindow(models.Model):
    """A time in which nothing is rolled out, on one stage or (stage empty) on all.

    Once: starts_at and ends_at are moments. Weekly: weekdays (0 is Monday) and times of day by the clocks of
    time_zone, so a window keeps its hours when those clocks change; it may reach over the end of the week.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="freeze_windows")
    stage = models.ForeignKey("stages.Stage", models.CASCADE, null=True, related_name="freeze_windows")
    name = models.CharField(max_length=128)
    time_zone = models.CharField(max_length=64, default="UTC")
    weekly = models.BooleanField(default=False)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    from_day = models.PositiveSmallIntegerField(null=True)
    from_time = models.TimeField(null=True)
    to_day = models.PositiveSmallIntegerField(null=True)
    to_time = models.TimeField(null=True)
    holds_rollbacks = models.BooleanField(default=False)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(weekly=True, from_day__lte=6, to_day__lte=6, from_time__isnull=False, to_time__isnull=False,
                            starts_at=None, ends_at=None)
                | Q(weekly=False, ends_at__gt=F("starts_at"), from_day=None, to_day=None),
                name="freeze_window_once_or_weekly",
            ),
        ]

    def __str__(self) -> str:
        return self.name
