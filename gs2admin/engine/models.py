"""Which clusters and workers are alive. All times are the database's, so that hosts need not agree on a clock."""
from django.db import models
from django.db.models.functions import Now


class EngineCluster(models.Model):
    """A lane of a running cluster: the workers of one queue. Its supervisor's chores make the row and remove it.

    pid: of the cluster's main process. workers: how many there may be at once.
    beat_at: the last heartbeat that travelled through the queue and was run by one of its workers.
    seen_at: its supervisor was alive. latency_ms: how long that last heartbeat waited to be started.
    draining: replaced or shutting down; its busy workers hand over and it takes no new work.
    """

    id = models.UUIDField(primary_key=True)
    queue = models.CharField(max_length=100)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    workers = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    beat_at = models.DateTimeField(null=True)
    latency_ms = models.PositiveIntegerField(null=True)
    draining = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.id}"


class EngineWorker(models.Model):
    """A worker process that said that it is busy. doing is empty when it no longer is."""

    cluster = models.ForeignKey(EngineCluster, on_delete=models.CASCADE, related_name="busy", db_constraint=False)
    pid = models.PositiveIntegerField()
    busy_at = models.DateTimeField(db_default=Now())
    doing = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["cluster", "pid"], name="engine_worker_once")]

    def __str__(self) -> str:
        return f"{self.cluster_id}:{self.pid} {self.doing}"


class EngineChore(models.Model):
    """When a cleaner last ran, on whichever host."""

    name = models.CharField(max_length=200, primary_key=True)
    ran_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
