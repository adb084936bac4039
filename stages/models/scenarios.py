"""Tables of how a rollout proceeds: scenarios, a rollout's copy of its targets, its canary and reports, mesh releases."""
from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from gs2admin.names import NAME
from stages.states import Analysis, Strategy


class Scenario(models.Model):
    """How rollouts of a stage proceed. A rollout keeps a copy of it as it was at the click (Rollout.scenario_copy).

    The primary key is the numeric id that SourceDeploy clients know. commands: {phase: [{"kind", "config"}, …]}; a
    phase that is named here replaces what the targets have for it. canary: see stages.core.scenarios.CanaryPlan.
    config: the object that SourceDeploy's client sent, canaryConfig included; empty for scenarios made here.
    approvers: {"roles": [role, …], "people": [user name, …]}; empty lists mean whoever may promote.
    """

    stage = models.ForeignKey("stages.Stage", models.CASCADE, related_name="scenarios")
    name = models.CharField(max_length=100, validators=[RegexValidator(NAME)])
    description = models.CharField(max_length=500, blank=True)
    strategy = models.CharField(max_length=16, choices=Strategy.choices, default=Strategy.NORMAL)
    batch_size = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(20)])
    sequence = models.BooleanField(default=True)
    rollback = models.BooleanField(default=False)
    commands = models.JSONField(default=dict)
    canary = models.JSONField(default=dict)
    config = models.JSONField(default=dict)
    approvals_required = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(10)])
    approvers = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    revision = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["stage", "name"], name="scenario_name_once"),
            models.CheckConstraint(condition=Q(batch_size__gte=1), name="scenario_batch_has_one"),
            models.CheckConstraint(condition=Q(strategy__in=sorted(Strategy)), name="scenario_strategy_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def project_id(self) -> int:
        """The project, for rights and the audit log."""
        return self.stage.project_id


class RolloutTarget(models.Model):
    """One target of one rollout as it was at the click. Its state is derived from its steps, never stored.

    number: the target's primary key then, which is what SourceDeploy calls a server's number; it stays when the
    target is removed. undone: the rollout's undo has put back what was there before.
    """

    rollout = models.ForeignKey("stages.Rollout", models.CASCADE, related_name="targets")
    position = models.PositiveSmallIntegerField()
    target = models.ForeignKey("stages.Target", models.SET_NULL, null=True, related_name="+")
    number = models.BigIntegerField(default=0)
    name = models.CharField(max_length=128)
    kind = models.CharField(max_length=16)
    batch = models.PositiveSmallIntegerField(default=0)
    undone = models.BooleanField(default=False)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["rollout", "position"], name="rollout_target_position_once")]

    def __str__(self) -> str:
        return self.name


class RolloutCanary(models.Model):
    """Where the canary of a rollout stands. One row per rollout whose plan has a canary, made with the rollout.

    analysis: who decides. weight: percent of the players who get the new versions now. weight_index: the position of
    that weight in the scenario's plan, from 0. weight_until: the end of this weight's pause. hold_until: when the canary
    is withdrawn unless somebody decides. analysis_began_at: when the metrics count from. wake_at: the earliest moment at
    which something is due. The times are None where they do not apply. look: {"number", "at", "why", "metrics"}, the last
    look at the metrics where it decided nothing: for which report, when (ISO 8601), why, metrics as in CanaryReport.

    Writers change the rollout's row first and this one in the same transaction: the rollout's attempt is the fence.
    """

    rollout = models.OneToOneField("stages.Rollout", models.CASCADE, primary_key=True, related_name="canary")
    analysis = models.CharField(max_length=16, choices=Analysis.choices, default=Analysis.NONE)
    weight = models.PositiveSmallIntegerField(default=0)
    weight_index = models.PositiveSmallIntegerField(default=0)
    weight_until = models.DateTimeField(null=True)
    hold_until = models.DateTimeField(null=True)
    analysis_began_at = models.DateTimeField(null=True)
    wake_at = models.DateTimeField(null=True)
    look = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(weight__lte=100), name="rollout_canary_weight_0_100"),
            models.CheckConstraint(condition=Q(analysis__in=sorted(Analysis)), name="rollout_canary_analysis_known"),
        ]
        indexes = [models.Index(fields=["wake_at"], condition=Q(wake_at__isnull=False), name="rollout_canary_wakes")]

    def __str__(self) -> str:
        return f"canary of rollout {self.rollout_id}"


class CanaryReport(models.Model):
    """What the metrics gave for one interval of a canary. Scores are 0 to 100, times are of the metrics, step_s seconds.

    metrics: [{"id", "name", "weight", "passed", "value", "threshold", "deviation", "base": {…} or null,
    "canary": {"count", "avg", "max", "min"}, …}], and more as canary.limits.compare and worker.metrics.Look say.
    """

    rollout = models.ForeignKey("stages.Rollout", models.CASCADE, related_name="reports")
    number = models.PositiveSmallIntegerField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    passed = models.BooleanField()
    score = models.FloatField()
    pass_score = models.FloatField()
    step_s = models.PositiveIntegerField()
    metrics = models.JSONField(default=list)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["rollout", "number"], name="canary_report_number_once")]

    def __str__(self) -> str:
        return f"report {self.number} of rollout {self.rollout_id}"


class Release(models.Model):
    """What a mesh release (ASM) has beside its rollout: its weight is RolloutCanary.weight, its phase Rollout.state.

    spec: the object as it was sent and later changed. gray_deployments: what was really created, bare Deployments.
    """

    rollout = models.OneToOneField("stages.Rollout", models.CASCADE, related_name="release")
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    namespace = models.CharField(max_length=128)
    name = models.CharField(max_length=64)
    service_name = models.CharField(max_length=128)
    spec = models.JSONField(default=dict)
    deployment = models.JSONField(default=dict)
    gray_deployments = models.JSONField(default=list)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["namespace", "name"], name="release_by_name")]

    def __str__(self) -> str:
        return self.name
