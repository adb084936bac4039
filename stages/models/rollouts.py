"""Tables and constraints of rollouts, their steps and their output."""
from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from gs2admin.identity.models import Project
from stages.models import querysets
from stages.models.delivery import Stage, VersionSet
from stages.models.scenarios import Scenario
from stages.states import FINAL, LIVE, Cause, Kind, Leg, Origin, Phase, Protocol, RolloutState, StepState, Strategy


class Rollout(models.Model):
    """One run of promote, rollback, deploy or release. This row is the truth; the queue only wakes a worker to look at it.

    attempt counts claims and is the fence: a worker's write succeeds only while the attempt that it claimed is the newest.
    lease_until: until when that worker has the rollout. revision rises with each change that a page shows but output. last_seq:
    the number of the last output.

    protocol: the one it was requested through. leg: the part that it is in. cause: why it left its way, where it did.
    scenario_copy: the scenario as it was at the click (stages.core.scenarios.frozen). waiting: queued behind another live
    rollout of the stage; only SourceDeploy's deploy may. colour: the one that this rollout deploys to. woken_at: when a
    worker was last woken for it. part: the names of the microservices that were chosen; NULL when all that differed go. A
    rollout with a canary has a RolloutCanary.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="rollouts")
    stage = models.ForeignKey(Stage, models.PROTECT, related_name="rollouts")
    number = models.PositiveIntegerField()
    protocol = models.CharField(max_length=16, choices=Protocol.choices, default=Protocol.FREEZE)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    strategy = models.CharField(max_length=16, choices=Strategy.choices, default=Strategy.NORMAL)
    leg = models.CharField(max_length=16, choices=Leg.choices, default=Leg.BASE)
    cause = models.CharField(max_length=16, choices=Cause.choices, blank=True)
    state = models.CharField(max_length=24, choices=RolloutState.choices, default=RolloutState.QUEUED)
    from_set = models.ForeignKey(VersionSet, models.PROTECT, null=True, related_name="+")
    to_set = models.ForeignKey(VersionSet, models.PROTECT, related_name="+")
    source_name = models.CharField(max_length=128, blank=True)
    request_key = models.CharField(max_length=64, null=True, blank=True)
    requested_by_kind = models.CharField(max_length=16)
    requested_by_id = models.CharField(max_length=64, blank=True)
    requested_by = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    cancel_requested_by = models.CharField(max_length=150, blank=True)
    cancel_requested_at = models.DateTimeField(null=True)
    undoes = models.ForeignKey("self", models.PROTECT, null=True, related_name="undone_by")
    retry_of = models.ForeignKey("self", models.PROTECT, null=True, related_name="retries")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    leased_by = models.CharField(max_length=200, blank=True)
    woken_at = models.DateTimeField(null=True)
    revision = models.BigIntegerField(default=0)
    last_seq = models.PositiveIntegerField(default=0)
    steps_total = models.PositiveIntegerField(default=0)
    steps_done = models.PositiveIntegerField(default=0)
    changes_count = models.PositiveIntegerField(default=0)
    consistent = models.BooleanField(default=True)
    error = models.TextField(blank=True)
    scenario = models.ForeignKey(Scenario, models.SET_NULL, null=True, blank=True, related_name="rollouts")
    scenario_copy = models.JSONField(default=dict)
    sequence = models.BooleanField(default=True)
    rollback = models.BooleanField(default=False)
    waiting = models.BooleanField(default=False)
    colour = models.CharField(max_length=8, blank=True)
    part = models.JSONField(null=True)

    objects = querysets.RolloutQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="rollout_number_once"),
            models.UniqueConstraint(
                fields=["stage"], condition=Q(state__in=sorted(LIVE), waiting=False), name="one_live_rollout_per_stage"
            ),
            models.UniqueConstraint(fields=["stage", "request_key"], name="one_rollout_per_request"),
            models.CheckConstraint(
                condition=(Q(state__in=sorted(FINAL), ended_at__isnull=False) | (~Q(state__in=sorted(FINAL)) & Q(ended_at=None))),
                name="rollout_ended_exactly_when_final",
            ),
            models.CheckConstraint(condition=Q(state__in=sorted(RolloutState)), name="rollout_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=sorted(LIVE)) | Q(lease_until=None), name="rollout_lease_only_while_live"
            ),
            models.CheckConstraint(condition=Q(steps_done__lte=models.F("steps_total")), name="rollout_steps_done_fits"),
            models.CheckConstraint(
                condition=Q(waiting=False) | Q(state__in=[RolloutState.QUEUED, RolloutState.CANCELED]),
                name="rollout_waits_only_in_the_queue",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "-id"], name="rollout_newest"),
            models.Index(fields=["project", "state", "-id"], name="rollout_by_state"),
            models.Index(fields=["stage", "-id"], name="rollout_of_stage"),
            models.Index(fields=["stage", "-id"], condition=Q(started_at__isnull=False), name="rollout_ran_on_stage"),
            models.Index(fields=["lease_until"], condition=Q(state__in=sorted(LIVE)), name="rollout_live_lease"),
            models.Index(fields=["stage", "id"], condition=Q(waiting=True), name="rollout_waits"),
        ]

    def __str__(self) -> str:
        return f"rollout {self.number}"

    @property
    def gray_weight(self) -> int:
        """Percent of the players who get the new versions now; 0 without a canary. A query, unless `canary` was selected."""
        canary = getattr(self, "canary", None)
        return canary.weight if canary else 0


class Step(models.Model):
    """One phase of one microservice on one target, with its configuration as it was at the click.

    Steps of a wave run before those of the next; lanes of a wave run at the same time, steps of a lane in order. undoes:
    the step that an undo takes back. origin: why it counts as done without being run; of
    Origin.SKIPPED, summary says why it was left out. memo: what another attempt needs to know.
    """

    rollout = models.ForeignKey(Rollout, models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    microservice = models.CharField(max_length=128)
    old_version = models.CharField(max_length=32, blank=True)
    new_version = models.CharField(max_length=32, blank=True)
    target_name = models.CharField(max_length=128, blank=True)
    phase = models.CharField(max_length=8, choices=Phase.choices)
    kind = models.CharField(max_length=16)
    config = models.JSONField(default=dict)
    memo = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=StepState.choices, default=StepState.PENDING)
    attempt = models.PositiveIntegerField(default=0)
    summary = models.TextField(blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    leg = models.CharField(max_length=8, choices=Leg.choices, default=Leg.BASE)
    wave = models.PositiveSmallIntegerField(default=0)
    lane = models.PositiveSmallIntegerField(default=0)
    origin = models.CharField(max_length=8, choices=Origin.choices, blank=True)
    undoes = models.ForeignKey("self", models.CASCADE, null=True, related_name="undone_by")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["rollout", "position"], name="step_position_once"),
            models.CheckConstraint(condition=Q(state__in=sorted(StepState)), name="step_state_known"),
        ]
        indexes = [models.Index(fields=["microservice", "rollout"], name="step_of_microservice")]

    def __str__(self) -> str:
        where = f" on {self.target_name}" if self.target_name else ""
        return f"{self.phase} of {self.microservice}{where}"


class Output(models.Model):
    """One piece of a rollout's output, numbered from 1 without gaps. `name` is how GS2 clients know it."""

    rollout = models.ForeignKey(Rollout, models.CASCADE, related_name="outputs")
    stage = models.ForeignKey(Stage, models.CASCADE, related_name="outputs")
    seq = models.PositiveIntegerField()
    name = models.UUIDField(default=uuid.uuid4, unique=True)
    text = models.TextField()
    at = models.DateTimeField(db_default=Now())
    microservice = models.CharField(max_length=128, blank=True)
    step_position = models.PositiveIntegerField(null=True)
    stream = models.CharField(max_length=8, default="note")

    objects = querysets.OutputQuerySet.as_manager()

    class Meta:
        ordering = ["rollout_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["rollout", "seq"], name="output_seq_once"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="output_seq_from_1"),
        ]
        indexes = [
            models.Index(fields=["stage", "id"], name="output_of_stage"),
            models.Index(fields=["at"], name="output_by_age"),
        ]

    def __str__(self) -> str:
        return f"output {self.seq} of rollout {self.rollout_id}"
