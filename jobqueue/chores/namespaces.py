"""Goes on with the deletion of namespaces that were too large for the request that began it."""
from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db.models import QuerySet
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue.models import Namespace, ScriptNamespace
from jobqueue.services import namespaces

# A deletion works SLICE_S seconds at a time, and stamps the row at the beginning of each; after LOST_S it is lost.
SLICE_S = 10.0
LOST_S = 30


def finish_queue_namespace(pk: int) -> None:
    """Go on removing a closed namespace of queues."""
    _finish(Namespace, pk, namespaces.finish_delete, namespaces.FINISH_QUEUES)


def finish_script_namespace(pk: int) -> None:
    """Go on removing a closed namespace of scripts."""
    _finish(ScriptNamespace, pk, namespaces.finish_delete_scripts, namespaces.FINISH_SCRIPTS)


def _finish(model: type, pk: int, finish: Callable[..., bool], task: str) -> None:
    rows = model.objects.filter(pk=pk, status=NamespaceStatus.DELETING)
    if not rows.update(updated_at=Now()):
        return
    if not finish(rows.get(), seconds=SLICE_S):
        engine.wake(task, pk)


def _lost(model: type) -> QuerySet:
    return model.objects.filter(status=NamespaceStatus.DELETING, updated_at__lt=Now() - timedelta(seconds=LOST_S))


@engine.sweeper(due=lambda: [_lost(model).order_by().values(at=Now())[:1] for model in (Namespace, ScriptNamespace)])
def wake_deletions() -> int:
    """Wake the deletion of namespaces that no worker goes on with. Returns how many."""
    woken = 0
    for model, task in ((Namespace, namespaces.FINISH_QUEUES), (ScriptNamespace, namespaces.FINISH_SCRIPTS)):
        for pk in list(_lost(model).values_list("pk", flat=True)[:50]):
            engine.wake(task, pk)
            woken += 1
    return woken
