"""Writes of namespaces, of queues and of scripts."""
from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.names import check_name
from jobqueue.execution import scripts as found_scripts
from jobqueue.execution.drain import begin
from jobqueue.models import GivenUp, Job, Namespace, Queue, Script, ScriptNamespace, Tally
from jobqueue.states import NamespaceStatus

BATCH = 1_000
# How long a delete may keep its caller; what is left then is removed by a worker.
IN_REQUEST_S = 2.0
FINISH_QUEUES = "jobqueue.chores.finish_queue_namespace"
FINISH_SCRIPTS = "jobqueue.chores.finish_script_namespace"


@dataclass(frozen=True)
class Kind:
    """A kind of namespace. words: its service in error words. action: the front of its audit actions."""

    model: type[Model]
    words: str
    action: str
    right: str
    settings: tuple[str, ...]

    def known(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings, none of them invented."""
        unknown = set(settings) - set(self.settings)
        if unknown:
            raise TypeError(f"unknown settings: {unknown}")
        return settings

    def facts(self, row: Any) -> dict[str, Any]:
        """What the audit log keeps of a row."""
        return {key: getattr(row, key) for key in self.settings}

    def gone(self) -> NotFound:
        """The namespace does not exist any more."""
        return NotFound(
            "This namespace is gone.", component="namespace", message=f"{self.words}.namespace.namespace.error.notFound"
        )


_SHARED = ("description", "transaction_setting", "transaction_setting_v2", "log_setting")
QUEUES = Kind(
    Namespace, "jobQueue", "queue_namespace", "queue.manage",
    (*_SHARED, "enable_auto_run", "push_notification", "run_notification"),
)  # fmt: skip
SCRIPTS = Kind(ScriptNamespace, "script", "script_namespace", "script.edit", _SHARED)


# ── Queues ──────────────────────────────────────────────────────────────────────────────────────────────────


def create_namespace(*, actor: Actor, project: Project, name: str, **settings: Any) -> Namespace:
    """Make a namespace. settings: any of QUEUES.settings. Raises NotFound, Denied, Invalid (name), Conflict (name taken)."""
    return _create(QUEUES, actor, project, name, settings)


def update_namespace(*, actor: Actor, namespace: Namespace, reason: str = "", **settings: Any) -> Namespace:
    """Change what is given. Turning auto-run on starts every queue that has work; off stops each after its job.

    Raises NotFound, Denied.
    """
    row, was_on = _update(QUEUES, actor, namespace, settings, reason), namespace.enable_auto_run
    if row.enable_auto_run and ("enable_auto_run" in settings or not was_on):
        start_queues(row)
    return row


def start_queues(namespace: Namespace) -> int:
    """Begin a drain for each queue with work that has none; returns how many."""
    idle = Queue.objects.filter(namespace=namespace, waiting__gt=0, draining=False)
    return sum(begin(pk) for pk in idle.values_list("pk", flat=True).iterator())


def delete_namespace(*, actor: Actor, namespace: Namespace, reason: str = "") -> Namespace:
    """Close the namespace at once and remove everything in it, in batches; a worker goes on where the caller stops.

    Raises NotFound, Denied.
    """
    _close(QUEUES, actor, namespace, reason, FINISH_QUEUES, enable_auto_run=False)
    finish_delete(namespace, seconds=IN_REQUEST_S)
    return namespace


def finish_delete(namespace: Namespace, *, seconds: float = 30.0) -> bool:
    """Remove a closed namespace's rows, a batch per transaction, the namespace last. False: there is more to do."""
    return _empty(
        namespace, seconds,
        GivenUp.objects.filter(namespace=namespace),
        Tally.objects.filter(namespace=namespace),
        Job.objects.filter(queue__namespace=namespace),
        Queue.objects.filter(namespace=namespace),
    )  # fmt: skip


# ── Scripts ─────────────────────────────────────────────────────────────────────────────────────────────────


def create_script_namespace(*, actor: Actor, project: Project, name: str, **settings: Any) -> ScriptNamespace:
    """Make one. settings: any of SCRIPTS.settings. Raises NotFound, Denied, Invalid (name), Conflict (name taken)."""
    return _create(SCRIPTS, actor, project, name, settings)


def update_script_namespace(
    *, actor: Actor, namespace: ScriptNamespace, reason: str = "", **settings: Any
) -> ScriptNamespace:
    """Change what is given. Raises NotFound, Denied."""
    return _update(SCRIPTS, actor, namespace, settings, reason)


def delete_script_namespace(*, actor: Actor, namespace: ScriptNamespace, reason: str = "") -> ScriptNamespace:
    """Remove it with its scripts; jobs that name them fail from then on. Raises NotFound, Denied."""
    _close(SCRIPTS, actor, namespace, reason, FINISH_SCRIPTS)
    finish_delete_scripts(namespace, seconds=IN_REQUEST_S)
    found_scripts.forget()
    return namespace


def finish_delete_scripts(namespace: ScriptNamespace, *, seconds: float = 30.0) -> bool:
    """Remove a closed namespace's scripts, the namespace last. False: there is more to do."""
    return _empty(namespace, seconds, Script.objects.filter(namespace=namespace), batch=20)


# ── Both ────────────────────────────────────────────────────────────────────────────────────────────────────


def _create(kind: Kind, actor: Actor, project: Project, name: str, settings: dict[str, Any]) -> Any:
    require(actor, kind.right, project)
    check_name(name, component="namespace", word=f"{kind.words}.namespace.name")
    try:
        with transaction.atomic():
            row = kind.model.objects.create(project=project, name=name, **kind.known(settings))
            record(actor=actor, action=f"{kind.action}.create", obj=row, after=kind.facts(row))
            return row
    except IntegrityError:
        raise Conflict(f"There is a namespace called {name} already.", component="namespace",
                       message=f"{kind.words}.namespace.name.error.duplicate") from None  # fmt: skip


def _update(kind: Kind, actor: Actor, namespace: Any, settings: dict[str, Any], reason: str) -> Any:
    require(actor, kind.right, namespace)
    with transaction.atomic():
        row = kind.model.objects.select_for_update(of=("self",)).select_related("project").filter(pk=namespace.pk).first()
        if row is None:
            raise kind.gone()
        if row.status != NamespaceStatus.ACTIVE:
            raise Conflict(f"{row.name} is being deleted.", component="namespace",
                           message=f"{kind.words}.namespace.namespace.error.conflict")  # fmt: skip
        before = kind.facts(row)
        for key, value in kind.known(settings).items():
            setattr(row, key, value)
        if kind.facts(row) == before:
            return row
        row.revision, row.updated_at = row.revision + 1, Now()
        row.save()
        row.refresh_from_db(fields=["updated_at"])
        record(
            actor=actor, action=f"{kind.action}.update", obj=row, before=before, after=kind.facts(row), reason=reason
        )
    return row


def _close(kind: Kind, actor: Actor, namespace: Any, reason: str, task: str, **more: Any) -> None:
    """Nothing new comes in from here on; a worker is rung, should the caller not come to the end."""
    require(actor, kind.right, namespace)
    with transaction.atomic():
        rows = kind.model.objects.filter(pk=namespace.pk)
        if rows.filter(status=NamespaceStatus.ACTIVE).update(status=NamespaceStatus.DELETING, updated_at=Now(), **more):
            record(actor=actor, action=f"{kind.action}.delete", obj=namespace, before=kind.facts(namespace), reason=reason)
            engine.ring(task, namespace.pk)
        elif not rows.exists():
            raise kind.gone()


def _empty(namespace: Any, seconds: float, *contents: QuerySet, batch: int = BATCH) -> bool:
    ends = time.monotonic() + seconds
    for rows in contents:
        for pks in _batches(rows, batch):
            rows.model.objects.filter(pk__in=pks).delete()
            if time.monotonic() > ends:
                return False
    try:
        type(namespace).objects.filter(pk=namespace.pk, status=NamespaceStatus.DELETING).delete()
    except IntegrityError:
        return False  # a push that began before the close slipped in; the next look removes it
    return True


def _batches(rows: QuerySet, size: int) -> Iterable[list[int]]:
    while pks := list(rows.order_by("pk").values_list("pk", flat=True)[:size]):
        yield pks
