"""Tables of gates, approval and auto-promotion. stages.models imports them, so that Django finds them there."""
from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from gs2admin.identity.models import Project


class Stop(models.Model):
    """A stop of promotions, on one stage or (stage empty) on all stages of the project. It holds until a person lifts it.

    holds_rollbacks: whether it blocks rollbacks too. By default it does not, because a rollback is how most incidents end.
    """

    # The activity log stores this word; rows and bookmarked filters from before the class was renamed keep it.
    activity_type = "halt"

    project = models.ForeignKey(Project, models.CASCADE, related_name="stops")
    stage = models.ForeignKey("stages.Stage", models.CASCADE, null=True, related_name="stops")
    reason = models.CharField(max_length=1024)
    holds_rollbacks = models.BooleanField(default=False)
    stopped_by = models.CharField(max_length=150)
    stopped_at = models.DateTimeField(db_default=Now())
    lifted_by = models.CharField(max_length=150, blank=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "stages_halt"
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
        return f"promotions on {self.stage.name if self.stage_id else 'all stages'}"


class FreezeWindow(models.Model):
    """A time in which nothing is rolled out, on one stage or (stage empty) on all.

    Once: starts_at and ends_at are moments. Weekly: weekdays (0 is Monday) and times of day by the clocks of
    time_zone, so a window keeps its hours when those clocks change; it may reach over the end of the week.
    updated_at, revision: of the last change, for calendars.
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
    updated_at = models.DateTimeField(db_default=Now())
    revision = models.PositiveIntegerField(db_default=0)

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


class ApprovalRule(models.Model):
    """How many people must approve a rollout of a stage before it starts, and who may; never the requester.

    roles: values of identity.Role. covers_rollbacks: whether rollbacks wait for approval too.
    """

    stage = models.OneToOneField("stages.Stage", models.CASCADE, primary_key=True, related_name="approval_rule")
    needed = models.PositiveSmallIntegerField(default=1)
    roles = models.JSONField(default=list)
    covers_rollbacks = models.BooleanField(default=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(needed__gte=1, needed__lte=10), name="approval_rule_needs_1_to_10")]

    def __str__(self) -> str:
        return f"the approval rule of {self.stage.name}"

    @property
    def project_id(self) -> int:
        """The project, for rights and the audit log."""
        return self.stage.project_id


class Approval(models.Model):
    """The request for approval of one rollout, and what it waits for.

    digest: of the confirmed preview; the approval is valid for that one only. asked: the requester wants an approval, also
    without a rule. override: the requester may start it although gates are closed. redo: how a retry repeats its rollout
    (stages.plan.redo). sentence: what it waits for, or how its wait ended.
    """

    rollout = models.OneToOneField("stages.Rollout", models.CASCADE, primary_key=True, related_name="approval")
    digest = models.CharField(max_length=64)
    asked = models.BooleanField(default=False)
    override = models.BooleanField(default=False)
    redo = models.CharField(max_length=16, blank=True)
    sentence = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"approval of {self.rollout}"


class Vote(models.Model):
    """One approval by one person or credential. identity: whom it counts for, each once (stages.approval.voters)."""

    rollout = models.ForeignKey("stages.Rollout", models.CASCADE, related_name="votes")
    kind = models.CharField(max_length=16)
    voter_id = models.CharField(max_length=64)
    name = models.CharField(max_length=150)
    identity = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["rollout", "identity"], name="one_vote_per_voter")]

    def __str__(self) -> str:
        return f"{self.name} approves {self.rollout}"


class AutoPromotion(models.Model):
    """A stage promotes itself when its source has become Active and stayed so for soak_s seconds.

    held_at, held_by, held_because: after a rollback by a person it does nothing until somebody ends the hold. seen: the
    rollout of the source that it last acted on, so that it acts on each once. sentence: what it did or waits for.
    """

    stage = models.OneToOneField("stages.Stage", models.CASCADE, primary_key=True, related_name="auto_promotion")
    enabled = models.BooleanField(default=True)
    soak_s = models.PositiveIntegerField(default=0)
    held_at = models.DateTimeField(null=True)
    held_by = models.CharField(max_length=150, blank=True)
    held_because = models.CharField(max_length=300, blank=True)
    seen = models.ForeignKey("stages.Rollout", models.SET_NULL, null=True, related_name="+")
    sentence = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(soak_s__lte=30 * 86400), name="auto_promotion_soaks_30_days_at_most")]

    def __str__(self) -> str:
        return f"the auto-promotion of {self.stage.name}"

    @property
    def project_id(self) -> int:
        """The project, for rights and the audit log."""
        return self.stage.project_id
