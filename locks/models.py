"""Tables and constraints of locks; nothing else. Times in milliseconds are Unix time by the database's clock."""
from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from gs2admin.identity.models import Project
from gs2admin.names import NAME
from gs2admin.namespaces.status import NamespaceStatus
from locks.expressions import Front
from locks.states import Ended


class LockNamespace(models.Model):
    """Holds the mutexes of one purpose. What clients set is stored whole and given back.

    project: none for the server's own mutexes, which no client sees. floor: no mutex of the namespace that is made anew
    begins at or below this revision; it is raised whenever old rows are removed, so that revisions rise for ever.
    """

    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="lock_namespaces")
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    description = models.CharField(max_length=1024, blank=True)
    log_setting = models.JSONField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=NamespaceStatus.choices, default=NamespaceStatus.ACTIVE)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    revision = models.BigIntegerField(default=1)
    floor = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="lock_namespace_name_once"),
            models.UniqueConstraint(fields=["name"], condition=Q(project=None), name="lock_namespace_of_server_once"),
        ]

    def __str__(self) -> str:
        return self.name


class Watermark(models.Model):
    """The highest revision in any deleted namespace of a project: a namespace that is made anew begins above it."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="lock_watermark")
    value = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.project}: {self.value}"


class Mutex(models.Model):
    """One property of one player, held or free. The row stays when it is freed, so that its revision goes on.

    key: digest of namespace, user and property, because an index of PostgreSQL takes no 1,024 characters. counter: how
    often its holder has locked it; 0 is free. revision: the fencing token, one more at every acquire. It is held while
    counter > 0 and until_ms lies ahead; past that it is free at once, whatever the row says. transaction_id, acquired_ms
    and until_ms stay as the last holding had them; ended_ms, ended and ended_by say how it ended (while held: how the
    one before was lost, if it expired). denied: refused tries. expired: holdings that ended without unlock.
    """

    namespace = models.ForeignKey(LockNamespace, models.CASCADE, related_name="mutexes", db_index=False)
    key = models.BinaryField(max_length=20, unique=True)
    user_id = models.CharField(max_length=128)
    property_id = models.CharField(max_length=1024)
    transaction_id = models.CharField(max_length=256, blank=True, default="")
    counter = models.BigIntegerField(default=0)
    revision = models.BigIntegerField(default=0)
    acquired_ms = models.BigIntegerField(default=0)
    until_ms = models.BigIntegerField(default=0)
    ended_ms = models.BigIntegerField(default=0)
    ended = models.CharField(max_length=8, choices=Ended.choices, blank=True, default="")
    ended_by = models.CharField(max_length=150, blank=True, default="")
    denied = models.BigIntegerField(default=0)
    expired = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "mutexes"
        constraints = [
            models.CheckConstraint(condition=Q(counter__gte=0), name="mutex_counter_never_negative"),
            models.CheckConstraint(condition=Q(counter=0) | ~Q(transaction_id=""), name="mutex_held_by_somebody"),
        ]
        indexes = [
            models.Index(fields=["namespace", "user_id", "id"], name="mutex_of_player"),
            # Serves the list of what is held, its count, the oldest, and what has run out, from the index alone.
            models.Index(
                fields=["namespace", "acquired_ms", "id", "until_ms"], condition=Q(counter__gt=0), name="mutex_held"
            ),
            models.Index(F("namespace"), Front("property_id"), F("id"), name="mutex_by_property"),
        ]

    def __str__(self) -> str:
        return f"{self.property_id} of {self.user_id}"

    @property
    def project_id(self) -> int | None:
        """The project, for the audit log; none for the server's own."""
        return self.namespace.project_id


class Holding(models.Model):
    """A holding that is over, written by a trigger in the same statement that ended it. id rises with the time of the end.

    ended_by: who released it by force.
    """

    mutex = models.ForeignKey(Mutex, models.CASCADE, related_name="holdings", db_index=False, db_constraint=False)
    transaction_id = models.CharField(max_length=256)
    revision = models.BigIntegerField()
    acquired_ms = models.BigIntegerField()
    ended_ms = models.BigIntegerField()
    ended = models.CharField(max_length=8, choices=Ended.choices)
    ended_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["mutex", "revision"], name="one_holding_per_revision")]

    def __str__(self) -> str:
        return f"{self.transaction_id} (revision {self.revision})"


class LockTally(models.Model):
    """What happened in span_s seconds from `at`. shard keeps processes from waiting for a row.

    held: the most that were seen held at once; the others are counts.
    """

    namespace = models.ForeignKey(
        LockNamespace, models.CASCADE, related_name="tallies", db_index=False, db_constraint=False
    )
    at = models.DateTimeField()
    span_s = models.PositiveSmallIntegerField(default=60)
    shard = models.PositiveSmallIntegerField(default=0)
    acquired = models.PositiveBigIntegerField(default=0)
    denied = models.PositiveBigIntegerField(default=0)
    expired = models.PositiveBigIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["at"]
        constraints = [
            models.UniqueConstraint(fields=["namespace", "at", "span_s", "shard"], name="one_lock_tally_per_shard")
        ]
        indexes = [models.Index(fields=["span_s", "at"], name="lock_tally_by_age")]

    def __str__(self) -> str:
        return f"{self.namespace_id} at {self.at:%H:%M}"


class LockBatch(models.Model):
    """Counts that a process wrote from its file (locks/countfile.py): how many parts of them are written, so that none is twice.

    The row goes when the file is gone.
    """

    id = models.UUIDField(primary_key=True)
    parts = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.id}: {self.parts}"
