"""Writes of queue namespaces."""
from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.names import check_name
from jobqueue.execution.drain import DRAIN
from jobqueue.models import Job, Namespace, Queue
from jobqueue.states import NamespaceStatus

SETTINGS = (
    "description", "enable_auto_run", "transaction_setting", "transaction_setting_v2", "push_notification",
    "run_notification", "log_setting",
)  # fmt: skip
BATCH = 1_000


def create_namespace(*, actor: Actor, project: Project, name: str, **settings: Any) -> Namespace:
    """Make a namespace. settings: any of SETTINGS. Raises NotFound, Denied, Invalid (name), Conflict (name taken)."""
    require(actor, "queue.manage", project)
    check_name(name, component="namespace", word="jobQueue.namespace.name")
    try:
        with transaction.atomic():
            row = Namespace.objects.create(project=project, name=name, **_known(settings))
            record(actor=actor, action="queue_namespace.create", obj=row, after=_facts(row))
            return row
    except IntegrityError:
        raise Conflict(f"There is a namespace called {name} already.", component="namespace",
                       message="jobQueue.namespace.name.error.duplicate") from None


def update_namespace(*, actor: Actor, namespace: Namespace, reason: str = "", **settings: Any) -> Namespace:
    """Change what is given. Turning auto-run on starts every queue that has work; off stops each after its job.

    Raises NotFound, Denied.
    """
    require(actor, "queue.manage", namespace)
    with transaction.atomic():
        row = Namespace.objects.select_for_update().filter(pk=namespace.pk).first()
        if row is None:
            raise NotFound("This namespace is gone.", component="namespace",
                           message="jobQueue.namespace.namespace.error.notFound")
        before, was_on = _facts(row), row.enable_auto_run
        for key, value in _known(settings).items():
            setattr(row, key, value)
        if _facts(row) == before:
            return row
        row.revision, row.updated_at = row.revision + 1, Now()
        row.save()
        row.refresh_from_db()
        record(actor=actor, action="queue_namespace.update", obj=row, before=before, after=_facts(row), reason=reason)
    if row.enable_auto_run and not was_on:
        start_queues(row)
    return row


def start_queues(namespace: Namespace) -> int:
    """Begin a drain for each queue with work that has none; returns how many."""
    started = 0
    for pk in Queue.objects.filter(namespace=namespace, waiting__gt=0, draining=False).values_list("pk", flat=True).iterator():
        with transaction.atomic():
            rows = Queue.objects.filter(pk=pk, draining=False)
            if rows.update(draining=True, rev=F("rev") + 1, started_rev=F("rev") + 1, next_at=None, rung_at=Now()):
                engine.ring(DRAIN, pk)
                started += 1
    return started


def delete_namespace(*, actor: Actor, namespace: Namespace, reason: str = "") -> Namespace:
    """Close the namespace at once and remove everything in it, in batches; asking again goes on where it stopped.

    Raises NotFound, Denied.
    """
    require(actor, "queue.manage", namespace)
    with transaction.atomic():
        closed = Namespace.objects.filter(pk=namespace.pk).update(
            status=NamespaceStatus.DELETING, enable_auto_run=False, updated_at=Now()
        )
        if not closed:
            raise NotFound("This namespace is gone.", component="namespace",
                           message="jobQueue.namespace.namespace.error.notFound")
        if namespace.status != NamespaceStatus.DELETING:
            record(actor=actor, action="queue_namespace.delete", obj=namespace, before=_facts(namespace), reason=reason)
    finish_delete(namespace)
    return namespace


def finish_delete(namespace: Namespace) -> None:
    """Remove a closed namespace's rows, a batch per transaction, the namespace last."""
    for model, rows in (
        (Job, Job.objects.filter(queue__namespace=namespace)),
        (Queue, Queue.objects.filter(namespace=namespace)),
    ):
        while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH]):
            model.objects.filter(pk__in=ids).delete()
    Namespace.objects.filter(pk=namespace.pk, status=NamespaceStatus.DELETING).delete()


def _known(settings: dict[str, Any]) -> dict[str, Any]:
    unknown = set(settings) - set(SETTINGS)
    if unknown:
        raise TypeError(f"unknown settings: {unknown}")
    return settings


def _facts(row: Namespace) -> dict[str, Any]:
    return {key: getattr(row, key) for key in SETTINGS}
