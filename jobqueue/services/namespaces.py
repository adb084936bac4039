"""Create, change and delete namespaces of queues and of scripts."""
from __future__ import annotations

from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from gs2admin.db import fences
from gs2admin.errors import Invalid
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.namespaces import services as namespaces
from gs2admin.namespaces.services import IN_REQUEST_S, Kind
from jobqueue import notifications
from jobqueue.execution import scripts
from jobqueue.execution.drain import begin
from jobqueue.models import GivenUp, Job, Namespace, Queue, Script, ScriptNamespace, Tally

START_AT_ONCE = 100
START_BATCH = 1_000
FINISH_QUEUES = "jobqueue.chores.namespaces.finish_queue_namespace"
FINISH_SCRIPTS = "jobqueue.chores.namespaces.finish_script_namespace"


_SHARED = ("description", "transaction_setting", "transaction_setting_v2", "log_setting")


class _QueueKind(Kind):
    """Checks the notification settings too."""

    def known(self, settings: dict[str, Any]) -> dict[str, Any]:
        """As Kind.known. Raises Invalid for a gateway that a notification cannot name."""
        for name in ("push_notification", "run_notification"):
            if not notifications.fits(settings.get(name)):
                raise Invalid(
                    f"gatewayNamespaceId is text of at most {notifications.MAX_GATEWAY:,} characters.",
                    component="notificationSetting",
                    message="jobQueue.notificationSetting.gatewayNamespaceId.error.invalid", extra={"field": name},
                )  # fmt: skip
        return super().known(settings)


QUEUES = _QueueKind(
    Namespace, "jobQueue", "queue_namespace", "queue.manage",
    (*_SHARED, "enable_auto_run", "push_notification", "run_notification"),
)  # fmt: skip
SCRIPTS = Kind(ScriptNamespace, "script", "script_namespace", "script.edit", _SHARED)


# ── Queues ──────────────────────────────────────────────────────────────────────────────────────────────────


def create_namespace(*, actor: Actor, project: Project, name: str, **settings: Any) -> Namespace:
    """Make a namespace. settings: any of QUEUES.settings. Raises NotFound, Denied, Invalid, Conflict (name taken)."""
    return namespaces.create(QUEUES, actor=actor, project=project, name=name, settings=settings)


def update_namespace(*, actor: Actor, namespace: Namespace, reason: str = "", **settings: Any) -> Namespace:
    """Change what is given. Turning auto-run on starts every queue that has work; off stops each after its job.

    Raises NotFound, Denied, Invalid, Conflict (it is being deleted).
    """
    was_on = namespace.enable_auto_run
    row = namespaces.update(QUEUES, actor=actor, namespace=namespace, settings=settings, reason=reason)
    if row.enable_auto_run and ("enable_auto_run" in settings or not was_on):
        start_queues(row)
    return row


def start_queues(namespace: Namespace) -> int:
    """Begin a drain for each queue with work that has none; returns how many.

    The first ones at once. Of a hundred thousand, the others are marked as due, a batch per statement, and the workers'
    ticker wakes them: who turned the switch does not wait for that.
    """
    idle = Queue.objects.filter(namespace=namespace, waiting__gt=0, draining=False)
    started = sum(begin(pk) for pk in list(idle.order_by("pk").values_list("pk", flat=True)[:START_AT_ONCE]))
    due = {"draining": True, "rev": F("rev") + 1, "started_rev": F("rev") + 1, "next_at": Now()}
    last = 0
    while ids := list(idle.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:START_BATCH]):
        started += idle.filter(pk__in=ids).update(**due)
        last = ids[-1]
    return started


def delete_namespace(*, actor: Actor, namespace: Namespace, reason: str = "") -> Namespace:
    """Close the namespace at once and remove everything in it, in batches; a worker goes on where the caller stops.

    Raises NotFound, Denied.
    """
    namespaces.close(
        QUEUES, actor=actor, namespace=namespace, reason=reason, task=FINISH_QUEUES, enable_auto_run=False
    )
    finish_delete(namespace, seconds=IN_REQUEST_S)
    return namespace


def finish_delete(namespace: Namespace, *, seconds: float = 30.0) -> bool:
    """Remove a closed namespace's rows, a batch per transaction, the namespace last. False: there is more to do."""
    fences.keep()  # a script may remove the queue that it is a job of
    return namespaces.empty(
        namespace, seconds,
        GivenUp.objects.filter(namespace=namespace),
        Tally.objects.filter(namespace=namespace),
        Job.objects.filter(queue__namespace=namespace),
        Queue.objects.filter(namespace=namespace),
    )  # fmt: skip


# ── Scripts ─────────────────────────────────────────────────────────────────────────────────────────────────


def create_script_namespace(*, actor: Actor, project: Project, name: str, **settings: Any) -> ScriptNamespace:
    """Make one. settings: any of SCRIPTS.settings. Raises NotFound, Denied, Invalid (name), Conflict (name taken)."""
    return namespaces.create(SCRIPTS, actor=actor, project=project, name=name, settings=settings)


def update_script_namespace(
    *, actor: Actor, namespace: ScriptNamespace, reason: str = "", **settings: Any
) -> ScriptNamespace:
    """Change what is given. Raises NotFound, Denied."""
    return namespaces.update(SCRIPTS, actor=actor, namespace=namespace, settings=settings, reason=reason)


def delete_script_namespace(*, actor: Actor, namespace: ScriptNamespace, reason: str = "") -> ScriptNamespace:
    """Remove it with its scripts; jobs that name them fail from then on. Raises NotFound, Denied."""
    namespaces.close(SCRIPTS, actor=actor, namespace=namespace, reason=reason, task=FINISH_SCRIPTS)
    finish_delete_scripts(namespace, seconds=IN_REQUEST_S)
    scripts.forget()
    return namespace


def finish_delete_scripts(namespace: ScriptNamespace, *, seconds: float = 30.0) -> bool:
    """Remove a closed namespace's scripts, the namespace last. False: there is more to do."""
    return namespaces.empty(namespace, seconds, Script.objects.filter(namespace=namespace), batch=20)
