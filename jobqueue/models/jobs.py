"""Tables of job queues: namespaces, queues, jobs and how they ended."""
from __future__ import annotations

import uuid

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from gs2admin.identity.models import Project
from gs2admin.names import NAME
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue.states import JobState


class Namespace(models.Model):
    """A namespace of queues. Settings of clients are stored whole and given back.

    paused_at, paused_by: since when and by whom its jobs are held back; pushes are taken meanwhile. slow_until: while it is
    later than now, or NULL because no job of it was ever run, its queues leave one job worker free (execution/turns.py).
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="job_namespaces")
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    description = models.CharField(max_length=1024, blank=True)
    enable_auto_run = models.BooleanField(default=False)
    transaction_setting = models.JSONField(null=True, blank=True)
    transaction_setting_v2 = models.JSONField(null=True, blank=True)
    push_notification = models.JSONField(null=True, blank=True)
    run_notification = models.JSONField(null=True, blank=True)
    log_setting = models.JSONField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=NamespaceStatus.choices, default=NamespaceStatus.ACTIVE)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    revision = models.BigIntegerField(default=1)
    paused_at = models.DateTimeField(null=True)
    # NULL where nobody did: a NOT NULL column makes the table anew on SQLite.
    paused_by = models.CharField(max_length=150, null=True)
    slow_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="job_namespace_name_once")]

    def __str__(self) -> str:
        return self.name


class Queue(models.Model):
    """One player's queue in one namespace. At most one job of it runs at a time, whoever runs it.

    rev: the revision; rises with every change, for pages. waiting: jobs not yet done, the running one included; written by
    push and at the end of a slice, counted again when a holder is lost. draining: a drain runs, or is woken; started_rev is
    the rev of the push that began it. lease_until, fence: until when somebody has the lease; the fence rises with every
    lease. let_go_fence: the fence of the last lease that was released; where it is smaller than fence and no lease counts, the
    last holder was lost, with what it had not written. leased_by: the last holder's engine.worker_label(), read only while
    the lease counts. next_at: auto-run leaves the queue alone until then, because the job at its head failed. woken_at: when
    the queue was woken last. head_at, head_tries: when the first waiting job was pushed and how often it was tried; written
    together with waiting.
    """

    # No index of its own: the one that keeps a player's queue single begins with the namespace.
    namespace = models.ForeignKey(Namespace, models.CASCADE, related_name="queues", db_index=False)
    user_id = models.CharField(max_length=128)
    rev = models.BigIntegerField(default=1)
    waiting = models.IntegerField(default=0)
    draining = models.BooleanField(default=False)
    started_rev = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    let_go_fence = models.BigIntegerField(db_default=0)
    leased_by = models.CharField(max_length=100, db_default="")
    next_at = models.DateTimeField(null=True)
    woken_at = models.DateTimeField(null=True)
    head_at = models.DateTimeField(null=True)
    head_tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["namespace", "user_id"], name="one_queue_per_user")]
        indexes = [
            # Serves the oldest, a page of the list, and the sum of what waits, from the index alone.
            models.Index(
                fields=["namespace", "head_at", "id", "waiting"], condition=Q(waiting__gt=0), name="queue_with_work"
            ),
            models.Index(fields=["namespace", "head_at", "id"], condition=Q(head_tries__gt=0), name="queue_retrying"),
            models.Index(fields=["user_id"], name="queue_by_user"),
            models.Index(fields=["next_at", "woken_at"], condition=Q(draining=True), name="queue_draining"),
            # Which namespaces have queues that wait for a worker, and which queue of each waits longest (sql/ready.py).
            models.Index(fields=["namespace", "woken_at"], condition=Q(draining=True, next_at=None), name="queue_ready"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace} / {self.user_id}"


class Job(models.Model):
    """A script to run for a player. Rows stay after the job left the queue, for its results, until they are cleaned.

    try_count: attempts begun; it rises when an attempt is claimed, before any work. An attempt's end is written only while
    state and try_count are still its own. args: JSON text, stored byte for byte. generation: of a job that a job made, how
    many jobs stand before it, each made by the one before; NULL when no job made it.
    """

    id = models.BigAutoField(primary_key=True)
    # No index of its own: job_of_queue begins with it, and each index costs the hot path.
    queue = models.ForeignKey(Queue, models.CASCADE, related_name="jobs", db_index=False)
    name = models.UUIDField(default=uuid.uuid4, unique=True)
    script_id = models.CharField(max_length=1024)
    args = models.TextField(default="{}")
    max_try_count = models.PositiveSmallIntegerField(default=3)
    try_count = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=JobState.choices, default=JobState.WAITING)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    # NULL and not 0: a NOT NULL column makes the table of all jobs anew on SQLite.
    generation = models.PositiveSmallIntegerField(null=True, blank=True)
    replay_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="replays", db_index=False
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            # The state stands first, so that a query for running jobs uses this index and not one of all jobs.
            models.UniqueConstraint(
                fields=["state", "queue"], condition=Q(state="running"), name="one_running_job_per_queue"
            ),
            models.CheckConstraint(condition=Q(try_count__lte=F("max_try_count")), name="job_tries_within_limit"),
            models.CheckConstraint(condition=Q(state__in=sorted(JobState)), name="job_state_known"),
            models.CheckConstraint(condition=~Q(state="running", try_count=0), name="job_runs_by_a_try"),
        ]
        indexes = [
            # First in, first out; the past; and, by its beginning alone, the foreign key: a partial index per state would
            # cost a push and a claim as much, and leave each removal of a queue to walk through all jobs.
            models.Index(fields=["queue", "state", "id"], name="job_of_queue"),
            models.Index(fields=["replay_of"], condition=Q(replay_of__isnull=False), name="job_replays"),
        ]

    def __str__(self) -> str:
        return str(self.name)


class JobResult(models.Model):
    """How one attempt ended. try_number is 0 for the first (contract: job_queue, numbering).

    script_revision: of the script that ran; NULL where none did, for built-in scripts, lost attempts, and older rows.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="results", db_index=False)
    try_number = models.PositiveSmallIntegerField()
    status_code = models.PositiveSmallIntegerField()
    result = models.TextField(default="{}")
    output = models.TextField(blank=True, default="")
    tried_at = models.DateTimeField(db_default=Now())
    took_ms = models.PositiveIntegerField(default=0)
    script_revision = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["job_id", "try_number"]
        constraints = [models.UniqueConstraint(fields=["job", "try_number"], name="one_result_per_attempt")]

    def __str__(self) -> str:
        return f"attempt {self.try_number + 1} of {self.job_id}"


class GivenUp(models.Model):
    """A given-up job, written with its last result: what lists and filters need, so that they do not read Job.

    script: the first 200 characters of the job's script id (an index takes no 1,024). id rises with the time.
    """

    job = models.OneToOneField(Job, models.CASCADE, related_name="given_up")
    namespace = models.ForeignKey(Namespace, models.CASCADE, related_name="given_up", db_index=False)
    user_id = models.CharField(max_length=128)
    script = models.CharField(max_length=200)
    status_code = models.PositiveSmallIntegerField()
    at = models.DateTimeField(db_default=Now())
    replayed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["namespace", "-id"], name="given_up_newest"),
            models.Index(fields=["namespace", "at"], name="given_up_when"),
            models.Index(fields=["namespace", "user_id", "-id"], name="given_up_user"),
            models.Index(fields=["namespace", "script", "-id"], name="given_up_script"),
            models.Index(fields=["namespace", "status_code", "-id"], name="given_up_status"),
        ]

    def __str__(self) -> str:
        return f"{self.script} of {self.user_id}"


class Tally(models.Model):
    """How many attempts of a script ended how, in span_s seconds from `at`.

    script: the first 200 characters of its id. shard: several rows per span, so that workers do not wait for each other.
    """

    namespace = models.ForeignKey(Namespace, models.CASCADE, related_name="tallies", db_index=False, db_constraint=False)
    at = models.DateTimeField()
    span_s = models.PositiveSmallIntegerField(default=60)
    script = models.CharField(max_length=200)
    shard = models.PositiveSmallIntegerField(default=0)
    ok = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    given_up = models.PositiveIntegerField(default=0)
    took_ms = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["at"]
        constraints = [
            models.UniqueConstraint(fields=["namespace", "at", "span_s", "script", "shard"], name="one_tally_per_shard")
        ]
        indexes = [models.Index(fields=["span_s", "at"], name="tally_by_age")]

    def __str__(self) -> str:
        return f"{self.script} at {self.at:%H:%M}"


class Notification(models.Model):
    """A message for a player's connection; the gateway delivers it once there is one."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="notifications")
    job = models.ForeignKey(Job, models.SET_NULL, null=True, related_name="notifications")
    gateway_namespace_id = models.CharField(max_length=1024)
    user_id = models.CharField(max_length=128)
    subject = models.CharField(max_length=128)
    payload = models.CharField(max_length=1024)
    created_at = models.DateTimeField(db_default=Now())
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["id"], condition=Q(delivered_at=None), name="notification_to_send")]

    def __str__(self) -> str:
        return f"{self.subject} to {self.user_id}"
