"""Tables and constraints of stages, versions and rollouts."""
from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from gs2admin.identity.models import Project
from gs2admin.names import NAME
from stages.models import querysets
from stages.models.scenarios import Scenario
from stages.states import (
    FINAL,
    LIVE,
    Cause,
    Kind,
    Leg,
    Origin,
    Phase,
    Protocol,
    RolloutState,
    StageType,
    StepState,
    Strategy,
)

VERSION = r"^[^\s\x00-\x1f\x7f]{1,32}\Z"


class Ledger(models.Model):
    """One row per project: its counters, and the lock that orders the changes of its stages and rollouts.

    A transaction that takes further locks in a project updates this row first, so that no two wait for each other.
    revision rises with each change that the board shows.
    """

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="ledger")
    revision = models.BigIntegerField(default=0)
    rollouts_count = models.PositiveIntegerField(default=0)
    sets_count = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"ledger of {self.project}"


class Microservice(models.Model):
    """One part of the game's backend that has versions."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="microservices")
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="microservice_name_once")]

    def __str__(self) -> str:
        return self.name


class Version(models.Model):
    """A registered version. Rows are never deleted, so that every set of the past can be read; they are withdrawn."""

    microservice = models.ForeignKey(Microservice, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=32, validators=[RegexValidator(VERSION)])
    note = models.CharField(max_length=1024, blank=True)
    registered_by = models.CharField(max_length=150)
    registered_at = models.DateTimeField(db_default=Now())
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    objects = querysets.VersionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["microservice", "version"], name="version_once")]
        indexes = [
            models.Index(fields=["microservice", "-id"], condition=Q(withdrawn_at=None), name="version_latest")
        ]

    def __str__(self) -> str:
        return f"{self.microservice.name} {self.version}"

    @property
    def project_id(self) -> int:
        """The project, for rights and the audit log."""
        return self.microservice.project_id


class VersionSet(models.Model):
    """An immutable, numbered set of versions. Equal sets are one row, so promoting moves a pointer."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="version_sets")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    versions = models.JSONField()
    size = models.PositiveIntegerField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="version_set_number_once"),
            models.UniqueConstraint(fields=["project", "digest"], name="version_set_digest_once"),
        ]

    def __str__(self) -> str:
        return f"set {self.number}"

    def save(self, *args, **kwargs) -> None:
        """Insert only: a set that could change would change the past."""
        if self.pk:
            raise TypeError("a version set is immutable")
        super().save(*args, **kwargs)


class Stage(models.Model):
    """An environment that pins the version of every microservice. Deleted stages stay as rows, for their history.

    scenario: how promote and rollback proceed; None: one step after the other, without undo. colour: the one that
    players use, empty before the first blue/green rollout; idle_set: what the other colour still runs, None when that
    is not known. config: SourceDeploy's own object of the stage.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="stages")
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    source = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="fed")
    sort_number = models.PositiveSmallIntegerField(default=0, validators=[MinValueValidator(0), MaxValueValidator(100)])
    current_set = models.ForeignKey(VersionSet, models.PROTECT, null=True, blank=True, related_name="pinned_by")
    type = models.CharField(max_length=20, choices=StageType.choices, default=StageType.SERVER)
    config = models.JSONField(default=dict, blank=True)
    scenario = models.ForeignKey(Scenario, models.SET_NULL, null=True, blank=True, related_name="used_by")
    colour = models.CharField(max_length=8, blank=True)
    idle_set = models.ForeignKey(VersionSet, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    revision = models.BigIntegerField(default=0)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = querysets.StageQuerySet.as_manager()

    class Meta:
        ordering = ["sort_number", "name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], condition=Q(deleted_at=None), name="stage_name_once"),
            models.CheckConstraint(condition=Q(sort_number__gte=0, sort_number__lte=100), name="stage_sort_number_0_100"),
            models.CheckConstraint(condition=~Q(source=models.F("id")), name="stage_not_its_own_source"),
        ]

    def __str__(self) -> str:
        return self.name


class Target(models.Model):
    """Where and how a stage's microservices are deployed: one configuration per phase, by the kind of step."""

    stage = models.ForeignKey(Stage, models.CASCADE, related_name="targets")
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    kind = models.CharField(max_length=16)
    config = models.JSONField(default=dict)
    position = models.PositiveSmallIntegerField(default=0)
    rotation = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["stage", "name"], name="target_name_once")]

    def __str__(self) -> str:
        return f"{self.stage.name}/{self.name}"

    @property
    def project_id(self) -> int:
        """The project, for rights and the audit log."""
        return self.stage.project_id


class Rollout(models.Model):
    """One run of promote, rollback, deploy or release. This row is the truth; the queue only wakes a worker to look at it.

    attempt counts claims and is the fence: a worker's write succeeds only while the attempt that it claimed is the newest.
    lease_until: until when that worker has the rollout. revision rises with each change that a page shows. last_seq: the
    number of the last output.

    protocol: the one it was requested through. leg: the part that it is in. cause: why it left its way, where it did.
    scenario_copy: the scenario as it was at the click (stages.core.scenarios.frozen). waiting: queued behind another live
    rollout of the stage; only SourceDeploy's deploy may. colour: the one that this rollout deploys to. woken_at: when a
    worker was last woken for it. A rollout with a canary has a RolloutCanary.
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


