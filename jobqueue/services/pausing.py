"""Hold a namespace's jobs back, and let them go on. Pushes are taken meanwhile, and wait."""
from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue import sql
from jobqueue.execution.drain import DRAIN
from jobqueue.models import Namespace
from jobqueue.services.namespaces import QUEUES

RIGHT = "queue.pause"
# Workers to wake when a namespace is resumed; each looks itself which queues wait, and the sweep wakes more.
WOKEN = 8


def pause_namespace(*, actor: Actor, namespace: Namespace, reason: str = "") -> Namespace:
    """No job of it begins from now on, by whomever; one that runs now goes on to its end.

    Raises NotFound, Denied, Conflict (it is paused already, or being deleted).
    """
    return _switch(actor, namespace, reason, pause=True)


def resume_namespace(*, actor: Actor, namespace: Namespace, reason: str = "") -> Namespace:
    """Its jobs go on, where they stopped. Raises NotFound, Denied, Conflict (it is not paused, or being deleted)."""
    return _switch(actor, namespace, reason, pause=False)


def _switch(actor: Actor, namespace: Namespace, reason: str, *, pause: bool) -> Namespace:
    require(actor, RIGHT, namespace)
    with transaction.atomic():
        row = Namespace.objects.select_for_update(of=("self",)).select_related("project").filter(pk=namespace.pk).first()
        if row is None:
            raise QUEUES.gone()
        if row.status != NamespaceStatus.ACTIVE:
            raise QUEUES.closing(row.name)
        if (row.paused_at is not None) == pause:
            raise Conflict(f"{row.name} is {'paused already' if pause else 'not paused'}.", component="namespace",
                           message="jobQueue.namespace.namespace.error.conflict")  # fmt: skip
        # The revision, so that pages and workers see it at once.
        change = {"paused_at": Now(), "paused_by": actor.name[:150]} if pause else {"paused_at": None, "paused_by": None}
        Namespace.objects.filter(pk=row.pk).update(**change, revision=F("revision") + 1)
        if not pause:
            _wake(row)
        record(actor=actor, action="queue_namespace.pause" if pause else "queue_namespace.resume", obj=row,
               before={"paused": not pause}, after={"paused": pause}, reason=reason)  # fmt: skip
    row.refresh_from_db(fields=["paused_at", "paused_by", "revision"])
    return row


def _wake(namespace: Namespace) -> None:
    for one in sql.ready():
        if one.namespace_id == namespace.pk:
            for _ in range(WOKEN):
                engine.wake(DRAIN, one.queue_id)
