"""Tables and constraints of stages, their versions and targets."""
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
from stages.states import StageType

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
