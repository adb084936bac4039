"""Create, change and delete lock namespaces."""
from __future__ import annotations

import time
from typing import Any

from django.db import IntegrityError, transaction

from gs2admin.errors import Conflict
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.namespaces import services as namespaces
from gs2admin.namespaces.services import BATCH, IN_REQUEST_S, Kind
from gs2admin.namespaces.status import NamespaceStatus
from locks import sql
from locks.models import LockNamespace, LockTally, Mutex, Watermark

FINISH = "locks.chores.finish_namespace"
LOCKS = Kind(LockNamespace, "lock", "lock_namespace", "lock.manage", ("description", "log_setting"))
# The name of the server's own namespace; no project can have it.
SERVER = "system"


def create_namespace(*, actor: Actor, project: Project, name: str, **settings: Any) -> LockNamespace:
    """Create a namespace. settings: any of LOCKS.settings. Raises NotFound, Denied, Invalid (name), Conflict (name taken)."""
    with transaction.atomic():
        row = namespaces.create(LOCKS, actor=actor, project=project, name=name, settings=settings)
        # Read when the old one of that name, if there was one, is gone with its rows: its revisions are counted in then.
        row.floor = Watermark.objects.filter(project=project).values_list("value", flat=True).first() or 0
        row.save(update_fields=["floor"])
    return row


def update_namespace(*, actor: Actor, namespace: LockNamespace, reason: str = "", **settings: Any) -> LockNamespace:
    """Change what is given. Raises NotFound, Denied, Conflict (it is being deleted)."""
    return namespaces.update(LOCKS, actor=actor, namespace=namespace, settings=settings, reason=reason)


def delete_namespace(*, actor: Actor, namespace: LockNamespace, reason: str = "") -> LockNamespace:
    """Close the namespace at once and remove everything in it, in batches; a worker goes on where the caller stops.

    What is held in it is released by that. Raises NotFound, Denied, Conflict (it is the server's own).
    """
    if namespace.project_id is None:
        raise Conflict("The server's own mutexes live in this namespace; it stays.", component="namespace")
    namespaces.close(LOCKS, actor=actor, namespace=namespace, reason=reason, task=FINISH)
    finish_delete(namespace, seconds=IN_REQUEST_S)
    return namespace


def finish_delete(namespace: LockNamespace, *, seconds: float = 30.0) -> bool:
    """Remove a closed namespace's rows, a batch per transaction, the namespace last. False: there is more to do."""
    ends = time.monotonic() + seconds
    for ids in namespaces.batches(Mutex.objects.filter(namespace_id=namespace.pk), BATCH):
        sql.remove(namespace.pk, ids)
        if time.monotonic() > ends:
            return False
    LockTally.objects.filter(namespace_id=namespace.pk).delete()
    try:
        with transaction.atomic():
            row = LockNamespace.objects.filter(pk=namespace.pk, status=NamespaceStatus.DELETING).first()
            if row is not None:
                _raise_watermark(row)
                row.delete()
    except IntegrityError:
        return False  # a lock that began before the close slipped in; the next look removes it
    return True


def _raise_watermark(namespace: LockNamespace) -> None:
    if namespace.project_id is None:
        return
    mark, _ = Watermark.objects.get_or_create(project_id=namespace.project_id)
    Watermark.objects.filter(pk=mark.pk, value__lt=namespace.floor).update(value=namespace.floor)


def server_namespace() -> LockNamespace:
    """The namespace of the server's own mutexes; it belongs to no project, so no client reaches it."""
    return LockNamespace.objects.get_or_create(project=None, name=SERVER)[0]
