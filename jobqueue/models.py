"""Tables and constraints of job queues and scripts; nothing else."""
from __future__ import annotations

import uuid

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from gs2admin.identity.models import Project
from gs2admin.names import NAME
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue.states import JobState, UserDataKind, UserDataState


class Namespace(models.Model):
    """Holds the queues of one purpose. What clients set is stored whole and given back."""

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

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="job_namespace_name_once")]

    def __str__(self) -> str:
        return self.name


class Queue(models.Model):
    """One player's queue in one namespace. At most one job of it runs at a time, whoever runs it.

    rev: rises with every change, for pages. waiting: jobs not yet done, the running one included; written by push and
    at the end of a slice, counted anew when a holder is lost. draining: some drain is under way or rung for;
    started_rev is the rev of the push that began it. lease_until, fence: how long somebody holds the queue; a fence
    rises with every taking. let_go_fence: the fence of the last holder that let the queue go; where it is smaller than
    that of the last holder, this holder was lost, with what it had not written yet. leased_by: the last holder's
    engine.worker_label(), looked at only while a lease is on. next_at: auto-run leaves the queue alone until then,
    because the job at its head failed. head_at, head_tries: when the first waiting job was pushed and how often it was
    tried, for lists of who waits longest and of what is retried; written together with waiting.
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
    rung_at = models.DateTimeField(null=True)
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
            models.Index(fields=["next_at", "rung_at"], condition=Q(draining=True), name="queue_draining"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace} / {self.user_id}"


class Job(models.Model):
    """A script to run for a player. Rows stay after the job left the queue, for its results, until they are cleaned.

    try_count: attempts begun; it is raised when an attempt is claimed, before any work, and with the state it fences
    the attempt's end. args is text and is kept byte for byte.
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
    replay_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="replays", db_index=False
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            # The state stands first, so that whoever asks what runs looks here and not through an index of all jobs.
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
    """How one attempt ended. try_number is 0 for the first (contract: job_queue, numbering)."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="results", db_index=False)
    try_number = models.PositiveSmallIntegerField()
    status_code = models.PositiveSmallIntegerField()
    result = models.TextField(default="{}")
    output = models.TextField(blank=True, default="")
    tried_at = models.DateTimeField(db_default=Now())
    took_ms = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["job_id", "try_number"]
        constraints = [models.UniqueConstraint(fields=["job", "try_number"], name="one_result_per_attempt")]

    def __str__(self) -> str:
        return f"attempt {self.try_number + 1} of {self.job_id}"


class GivenUp(models.Model):
    """A line for each given-up job, written with its last result: what lists and filters need, without the hot path's rows.

    script: the beginning of the job's script id. id rises with the time.
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
    """How many attempts of a script ended how, in span_s seconds from `at`. shard keeps workers from waiting for a row."""

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


class ScriptNamespace(models.Model):
    """Holds scripts."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="script_namespaces")
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    description = models.CharField(max_length=1024, blank=True)
    transaction_setting = models.JSONField(null=True, blank=True)
    transaction_setting_v2 = models.JSONField(null=True, blank=True)
    log_setting = models.JSONField(null=True, blank=True)
    status = models.CharField(max_length=16, choices=NamespaceStatus.choices, default=NamespaceStatus.ACTIVE)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    revision = models.BigIntegerField(default=1)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="script_namespace_name_once")]

    def __str__(self) -> str:
        return self.name


class Script(models.Model):
    """A Lua script. revision counts its versions; every version stays readable."""

    namespace = models.ForeignKey(ScriptNamespace, models.CASCADE, related_name="scripts")
    name = models.CharField(max_length=128, validators=[RegexValidator(NAME)])
    description = models.CharField(max_length=1024, blank=True)
    source = models.TextField()
    disable_string_number_to_number = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    revision = models.BigIntegerField(default=1)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["namespace", "name"], name="script_name_once")]

    def __str__(self) -> str:
        return f"{self.namespace.name}/{self.name}"

    @property
    def project_id(self) -> int:
        """The project, for rights and the audit log."""
        return self.namespace.project_id


class ScriptVersion(models.Model):
    """A script's text as it was: revision 1, 2, 3 …"""

    script = models.ForeignKey(Script, models.CASCADE, related_name="versions")
    revision = models.BigIntegerField()
    source = models.TextField()
    by = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-revision"]
        constraints = [models.UniqueConstraint(fields=["script", "revision"], name="script_revision_once")]

    def __str__(self) -> str:
        return f"{self.script} revision {self.revision}"


class Notification(models.Model):
    """Something that a player's connection is to be told, until the gateway has told it."""

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


class UserDataRun(models.Model):
    """One dump, clean or import of a player's job-queue data, through all namespaces of the project.

    token: names an import to clients. states.UserDataState has the moves. lease_until, fence: who works on it; attempts
    counts the takings. file: in the storage `user_data`; a dump's zip, or what was uploaded. swapped: an import's rows
    are in place, or a clean's are out of sight; only rubbish is left to remove. done, total: progress in lines or rows.
    log: what happened, for people. error: the sentence that ended it.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="user_data_runs")
    user_id = models.CharField(max_length=128)
    kind = models.CharField(max_length=8, choices=UserDataKind.choices)
    state = models.CharField(max_length=8, choices=UserDataState.choices, default=UserDataState.WAITING)
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    requested_by = models.CharField(max_length=150)
    file = models.CharField(max_length=200, blank=True)
    size = models.BigIntegerField(default=0)
    swapped = models.BooleanField(default=False)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    log = models.TextField(blank=True)
    error = models.TextField(blank=True)
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "user_id"],
                condition=Q(state__in=["running", "waiting"]),
                name="one_live_user_data_run_per_player",
            ),
            models.CheckConstraint(condition=Q(state__in=sorted(UserDataState)), name="user_data_state_known"),
            models.CheckConstraint(condition=Q(kind__in=sorted(UserDataKind)), name="user_data_kind_known"),
        ]
        indexes = [
            models.Index(fields=["project", "user_id", "kind", "-id"], name="user_data_of_player"),
            models.Index(fields=["lease_until"], condition=Q(state__in=["running", "waiting"]), name="user_data_live"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"
