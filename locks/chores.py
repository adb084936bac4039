"""Background work of locks: holdings that ran out, old history and rows, counts, namespaces that are being deleted.

A mutex is free without any of it: its time alone decides that.
"""
from __future__ import annotations

import logging
import time
from datetime import timedelta
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.db import clock
from gs2admin.namespaces.status import NamespaceStatus
from gs2admin.spans import span_of
from locks import sql, stats
from locks.models import Holding, LockBatch, LockNamespace, LockTally, Mutex
from locks.reads import now_ms
from locks.services import namespaces

log = logging.getLogger(__name__)
BATCH = 1_000
# A deletion works SLICE_S seconds at a time, and stamps the row at the beginning of each; after LOST_S it is lost.
SLICE_S = 10.0
LOST_S = 30
DAY_MS = 86_400_000
ROLLED_S = 600
ROLL_AFTER = timedelta(hours=3)
TALLIES = 2_000


def finish_namespace(pk: int) -> None:
    """Go on removing a closed namespace."""
    rows = LockNamespace.objects.filter(pk=pk, status=NamespaceStatus.DELETING)
    if rows.update(updated_at=Now()) and not namespaces.finish_delete(rows.get(), seconds=SLICE_S):
        engine.wake(namespaces.FINISH, pk)


def _lost() -> QuerySet:
    return LockNamespace.objects.filter(status=NamespaceStatus.DELETING, updated_at__lt=Now() - timedelta(seconds=LOST_S))


def _held() -> QuerySet:
    return Mutex.objects.filter(counter__gt=0).order_by()


@engine.sweeper(due=lambda: _lost().order_by().values(at=Now())[:1])
def wake_deletions() -> int:
    """Wake the deletion of namespaces that no worker goes on with. Returns how many."""
    woken = 0
    for pk in list(_lost().values_list("pk", flat=True)[:50]):
        engine.wake(namespaces.FINISH, pk)
        woken += 1
    return woken


@engine.cleaner(every_s=10, due=lambda: _held().values(at=Now())[:1])
def note_expired() -> int:
    """Write the holdings that ran out without an unlock into history and counts. Returns how many."""
    noted = 0
    while True:
        # In no order: they are looked for among all that is held, in its index.
        over = Mutex.objects.filter(counter__gt=0, until_ms__lte=now_ms()).order_by()
        ids = list(over.values_list("pk", flat=True)[:BATCH])
        for pk in ids:
            with transaction.atomic():
                namespace_id = sql.expire(pk)
                if namespace_id is not None:
                    stats.note_expired(namespace_id)
                    noted += 1
        if len(ids) < BATCH:
            return noted


@engine.cleaner(every_s=600)
def remove_old_history() -> int:
    """Remove holdings that ended long ago; they are the first by id, so that no index on their age is needed."""
    border = now_ms() - settings.LOCK_HISTORY_DAYS * DAY_MS
    removed = 0
    while True:
        oldest = list(Holding.objects.order_by("pk").values_list("pk", "ended_ms")[:BATCH])
        old = [pk for pk, ended_ms in oldest if ended_ms < border]
        removed += Holding.objects.filter(pk__in=old).delete()[0] if old else 0
        if len(old) < BATCH:
            return removed


@engine.cleaner(every_s=6 * 3600)
def remove_idle_mutexes() -> int:
    """Remove mutexes that nobody locked for as long as history is kept, and whose history is gone.

    Their namespaces remember the highest revision, so that the fencing tokens go on where they stopped.
    """
    border = now_ms() - settings.LOCK_HISTORY_DAYS * DAY_MS
    history = Holding.objects.filter(mutex=OuterRef("pk"))
    removed = after = 0
    while True:
        seen = list(Mutex.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[: 5 * BATCH])
        if not seen:
            return removed
        idle = Mutex.objects.filter(~Exists(history), pk__gt=after, pk__lte=seen[-1], counter=0, ended_ms__lt=border)
        pairs = sorted(idle.order_by().values_list("namespace_id", "pk"))
        for namespace_id, rows in groupby(pairs, key=lambda pair: pair[0]):
            ids = [pk for _, pk in rows]
            for first in range(0, len(ids), BATCH):
                removed += sql.remove(namespace_id, ids[first : first + BATCH], idle_since_ms=border)
        after = seen[-1]
        time.sleep(0.01)  # leave the database to others for a moment


@engine.cleaner(every_s=6 * 3600)
def mend_revisions() -> int:
    """Raise revisions that lie behind the history of their mutex; returns how many did.

    A statement and its trigger write both, so this mends rows that were changed by hand. Such a mutex cannot end its holding,
    because the history has a row of that revision already; while the mutex is held, that row is deleted.
    """
    mended = after = 0
    highest = Subquery(Holding.objects.filter(mutex=OuterRef("pk")).order_by("-revision").values("revision")[:1])
    while True:
        seen = list(Mutex.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[: 5 * BATCH])
        if not seen:
            return mended
        rows = Mutex.objects.filter(pk__gt=after, pk__lte=seen[-1]).annotate(highest=highest).order_by()
        behind = rows.filter(Q(revision__lt=F("highest")) | Q(revision=F("highest"), counter__gt=0))
        for pk, revision, counter, highest_now in behind.values_list("pk", "revision", "counter", "highest"):
            if counter:
                done = Holding.objects.filter(mutex=pk, revision=revision).delete()[0]
            else:
                done = Mutex.objects.filter(pk=pk, revision=revision, counter=0).update(revision=highest_now)
            if done:
                mended += 1
                log.warning("the revision of a mutex was behind its history and was put right",
                            extra={"mutex_id": pk, "was": revision, "history": highest_now, "held": counter > 0})
        after = seen[-1]
        time.sleep(0.01)


@engine.sweeper
def adopt_left_counts() -> int:
    """Write the counts of processes of this host that died; returns how many events that were."""
    return stats.adopt()


@engine.cleaner(every_s=20, due=lambda: _held().values(at=Now())[:1])
def note_held() -> int:
    """Count the mutexes that are held per namespace, and store the most of each minute for the chart. Returns 0."""
    rows = Mutex.objects.filter(counter__gt=0, until_ms__gt=now_ms()).order_by()
    held = rows.values_list("namespace_id").annotate(Count("id"))
    minute = clock.now().replace(second=0, microsecond=0)
    for namespace_id, number in held:
        row, _ = LockTally.objects.get_or_create(namespace_id=namespace_id, at=minute, span_s=60, shard=0)
        LockTally.objects.filter(pk=row.pk, held__lt=number).update(held=number)
    return 0


@engine.cleaner(every_s=600)
def roll_up() -> int:
    """Merge minutes that are hours old into spans of ten minutes, and delete what no chart shows. Returns how many rows went."""
    now = clock.now()
    removed = LockBatch.objects.filter(at__lt=now - stats.KEEP).delete()[0]
    while ids := list(LockTally.objects.filter(at__lt=now - stats.KEEP).order_by("at").values_list("pk", flat=True)[:TALLIES]):
        removed += LockTally.objects.filter(pk__in=ids).delete()[0]
    border = span_of(now - ROLL_AFTER, ROLLED_S)
    while True:
        with transaction.atomic():
            ripe = LockTally.objects.filter(span_s=60, at__lt=border).order_by("at")[:TALLIES]
            rows = list(ripe.select_for_update(skip_locked=True) if settings.ON_POSTGRES else ripe)
            if not rows:
                return removed
            for row in rows:
                key = {"namespace_id": row.namespace_id, "at": span_of(row.at, ROLLED_S), "span_s": ROLLED_S, "shard": 0}
                total, _ = LockTally.objects.get_or_create(**key)
                LockTally.objects.filter(pk=total.pk).update(**{name: F(name) + getattr(row, name) for name in stats.FIELDS})
                LockTally.objects.filter(pk=total.pk, held__lt=row.held).update(held=row.held)
            removed += LockTally.objects.filter(pk__in=[row.pk for row in rows]).delete()[0]
