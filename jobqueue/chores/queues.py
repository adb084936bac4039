"""Wakes queues whose drain was lost or whose back-off is over, and deletes old jobs and notifications."""
from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue import sql
from jobqueue.execution.drain import DRAIN, begin
from jobqueue.models import Job, Namespace, Notification, Queue
from jobqueue.states import JobState

BATCH = 1_000
WAITING = Job.objects.filter(queue_id=OuterRef("pk"), state=JobState.WAITING)
LOST_S = 2
AT_ONCE = 4
FREE = Q(lease_until=None) | Q(lease_until__lt=Now())
LOST = Q(woken_at=None) | Q(woken_at__lt=Now() - timedelta(seconds=LOST_S))


def _due_queues() -> QuerySet:
    return Queue.objects.filter(draining=True, next_at__isnull=False).order_by("next_at").values("next_at")[:1]


def _lost_queues() -> QuerySet:
    waits = Queue.objects.filter(LOST, FREE, draining=True, next_at=None, namespace__paused_at=None)
    return waits.order_by().values(at=Now())[:1]


def _left_queues() -> QuerySet:
    # One step into the index of queues with work per namespace; as a join it would be read as a whole.
    left = Queue.objects.filter(Exists(WAITING), namespace=OuterRef("pk"), waiting__gt=0, draining=False)
    left = left.order_by().values("pk")[:1]
    running = Namespace.objects.filter(enable_auto_run=True, status=NamespaceStatus.ACTIVE).order_by()
    return running.annotate(left=Subquery(left)).filter(left__isnull=False).values(at=Now())[:1]


def _wake(due: Callable[[], QuerySet]) -> int:
    """Wake each queue that is due and that nobody leases; several hosts may do so at once. Returns how many."""
    woken = 0
    for pk in list(due().filter(FREE).values_list("pk", flat=True)[:500]):
        with transaction.atomic():
            if due().filter(FREE, pk=pk).update(woken_at=Now(), next_at=None):
                engine.wake(DRAIN, pk)
                woken += 1
    return woken


@engine.ticker(due=_due_queues)
def wake_due_queues() -> int:
    """Wake queues whose back-off is over. Returns how many."""
    return _wake(lambda: Queue.objects.filter(draining=True, next_at__lte=Now()))


@engine.sweeper(due=_lost_queues)
def wake_lost_queues() -> int:
    """Wake workers where a queue waits that no worker leased for LOST_S seconds. Returns for how many of them.

    A worker looks itself which queues wait, so a few wakes do for any number of queues; under a flood they are not needed.
    """
    waiting = [one.queue_id for one in sql.ready()]
    found = list(Queue.objects.filter(LOST, pk__in=waiting).values_list("pk", flat=True)[:AT_ONCE])
    for pk in found:
        engine.wake(DRAIN, pk)
    return len(found)


@engine.sweeper(due=_left_queues)
def start_left_queues() -> int:
    """Start queues with work that nobody drains although auto-run is on. Returns how many.

    A push leaves such a queue when it reads auto-run as off and commits after the change of auto-run has looked for idle queues.
    """
    started = 0
    for namespace in list(Namespace.objects.filter(enable_auto_run=True, status=NamespaceStatus.ACTIVE)):
        # The jobs decide, not the counter: a wrong counter would wake its queue at every sweep.
        left = Queue.objects.filter(Exists(WAITING), namespace=namespace, waiting__gt=0, draining=False)
        # Ordered as the index of queues with work, so that the query uses it.
        started += sum(begin(pk) for pk in list(left.order_by("head_at", "pk").values_list("pk", flat=True)[:500]))
    return started


@engine.on_worker_lost
def free_queues_of(label: str) -> int:
    """End the leases of a worker that is dead, so that its queues do not wait for their end. Returns how many.

    label: of the worker, as Queue.leased_by. Who leases the queue next clears up after it.
    """
    freed = 0
    for pk in list(Queue.objects.filter(draining=True, leased_by=label).values_list("pk", flat=True)):
        with transaction.atomic():
            leased = Queue.objects.filter(pk=pk, leased_by=label, lease_until__gt=Now())
            if leased.update(lease_until=None, woken_at=Now()):
                engine.wake(DRAIN, pk)
                freed += 1
    return freed


@engine.cleaner(every_s=600)
def remove_old_jobs() -> int:
    """Delete jobs that left their queue long ago, with their results, in small batches. Returns how many rows went.

    Ids rise with age, so the oldest jobs are found without an index on their age, which would make every attempt dearer.
    """
    done = Now() - timedelta(days=settings.JOB_RESULT_KEEP_DAYS)
    given_up = Now() - timedelta(days=settings.JOB_GIVEN_UP_KEEP_DAYS)
    youngest = Now() - timedelta(days=min(settings.JOB_RESULT_KEEP_DAYS, settings.JOB_GIVEN_UP_KEEP_DAYS))
    over = Q(state=JobState.DONE, updated_at__lt=done) | Q(state=JobState.GIVEN_UP, updated_at__lt=given_up)
    removed = after = 0
    while True:
        ids = list(Job.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH])
        if not ids:
            return removed
        removed += Job.objects.filter(over, pk__in=ids).delete()[0]
        after = ids[-1]
        following = Job.objects.filter(pk__gt=after).order_by("pk").values("pk")[:1]
        if not Job.objects.filter(pk__in=following, created_at__lt=youngest).exists():
            return removed


@engine.cleaner(every_s=3600)
def remove_old_notifications() -> int:
    """Delete notifications that are a day old. Returns how many."""
    removed = 0
    while True:
        ids = list(Notification.objects.filter(created_at__lt=Now() - timedelta(days=1)).values_list("pk", flat=True)[:BATCH])
        if not ids:
            return removed
        removed += Notification.objects.filter(pk__in=ids).delete()[0]
