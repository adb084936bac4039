"""Finds counters of queues that differ from the jobs they count, corrects them, and writes that into the log.

The code that writes the counters keeps them right (sql/); this finds defects of that code, and rows changed by hand.
"""
from __future__ import annotations

import logging

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from gs2admin import engine
from jobqueue import sql
from jobqueue.execution.counters import Counters, recount
from jobqueue.execution.drain import begin
from jobqueue.models import Queue

log = logging.getLogger(__name__)
BATCH = 500
SHOWN = 10


@engine.cleaner(every_s=600)
def mend_queues() -> int:
    """Compare each queue that nobody leases with its jobs, a batch of queues per statement. Returns how many were wrong.

    A leased queue is right again when it is released, or leased by the next holder.
    """
    mended: list[tuple[int, Counters, Counters]] = []
    lines = after = 0
    while pks := list(Queue.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        for pk, still_running in sql.drifted(after, pks[-1]):
            if still_running:
                # Its holder is lost. The next drain clears up after it, also where auto-run is off.
                begin(pk)
            elif found := _mend(pk):
                mended.append((pk, *found))
        lines += sql.note_missing_given_up(after, pks[-1])
        after = pks[-1]
    if mended:
        log.warning("counters of queues differed from their jobs and were put right", extra={
            "queues": len(mended), "waiting_before": sum(before.waiting for _, before, _ in mended),
            "waiting_after": sum(now.waiting for _, _, now in mended), "first_ids": [pk for pk, *_ in mended[:SHOWN]],
        })  # fmt: skip
    if lines:
        log.warning("given-up jobs had no line and were given one", extra={"jobs": lines})
    return len(mended) + lines


def _mend(pk: int) -> tuple[Counters, Counters] | None:
    """Count the queue's jobs again, unless somebody leases it by now; its counters before and after, if they were wrong."""
    with transaction.atomic():
        rows = Queue.objects.filter(Q(lease_until=None) | Q(lease_until__lt=Now()), pk=pk)
        row = rows.select_for_update().first()
        if row is None:
            return None
        if row.let_go_fence != row.fence:
            # Its holder has lost the lease; should it go on, it must not subtract what is counted here.
            rows.update(fence=F("fence") + 1, let_go_fence=F("fence") + 1, lease_until=None)
        before, after = recount(pk)
        return (before, after) if before != after else None
