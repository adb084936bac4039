"""Wakes rollouts that lost their worker, and cleans what is older than it may become."""
from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from gs2admin import engine
from stages.approval.services import resolve_waiting
from stages.auto_promotion.services import promote_due
from stages.canary import services as canary
from stages.models import Output, Rollout
from stages.models.governance import AutoPromotion
from stages.models.webhooks import DeliveryState, WebhookDelivery
from stages.rollouts.queue import free_stages, start_next
from stages.rollouts.services import RUN
from stages.states import TIMED, RolloutState
from stages.worker import counts

log = logging.getLogger(__name__)
BATCH = 2_000
# At most so many rows per sweep and kind.
MOST = 500
# Where this process's last sweep of a kind ended.
_place: dict[str, int] = {}


def _each(kind: str, rows: QuerySet, act: Callable[[int], bool]) -> int:
    """Do it for MOST rows, going on behind those of the last sweep, so that none is left out for ever.

    A row that goes wrong is logged and does not keep the others waiting.
    """
    ids = list(rows.filter(pk__gt=_place.get(kind, 0)).order_by("pk").values_list("pk", flat=True)[:MOST])
    _place[kind] = ids[-1] if len(ids) == MOST else 0
    done = 0
    for pk in ids:
        try:
            done += act(pk)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            log.exception("a row could not be swept", extra={"kind": kind, "row": pk})
    return done


@engine.sweeper
def wake_lost_rollouts() -> int:
    """Ring for each rollout that should move and has no worker; several hosts may sweep at once."""
    woken = 0
    for pk in list(Rollout.objects.lost().values_list("pk", flat=True)[:200]):
        with transaction.atomic():
            if Rollout.objects.lost().filter(pk=pk).update(rung_at=Now()):
                engine.wake(RUN, pk)
                woken += 1
    return woken


@engine.sweeper
def settle_requests() -> int:
    """Start, void or explain anew what waits for approval: rules, roles, windows and sources change by themselves."""
    rows = Rollout.objects.filter(state=RolloutState.AWAITING_APPROVAL, approval__isnull=False)
    return _each("approvals", rows, resolve_waiting)


@engine.sweeper
def promote_by_themselves() -> int:
    """Start what follows its source, when that has been Active for long enough."""
    rows = AutoPromotion.objects.filter(enabled=True, held_at=None, stage__deleted_at=None)
    return _each("auto-promotions", rows, promote_due)


@engine.ticker
def move_canaries() -> int:
    """What the clock brings for canaries: the next weight, the end of the time limit, the next look at the metrics."""
    due = Rollout.objects.filter(wake_at__lte=Now(), state__in=sorted(TIMED)).values_list("pk", flat=True)
    return sum(canary.tick(pk) for pk in list(due[:100]))


@engine.ticker
def start_queued() -> int:
    """Let those begin that wait for their turn, where the one before has ended."""
    return sum(start_next(stage_id) for stage_id in free_stages())


@engine.cleaner(every_s=300)
def mend_numbers() -> int:
    """Put right what no longer equals the rows that it counts; returns how many numbers or rollouts were wrong."""
    mended, _place["numbers"] = counts.mend_rollouts(_place.get("numbers", 0))
    return mended + counts.mend_ledgers()


@engine.cleaner(every_s=3600)
def remove_old_deliveries() -> int:
    """Messages of webhooks that ended long ago, in small batches."""
    old = WebhookDelivery.objects.filter(created_at__lt=Now() - timedelta(days=settings.OUTPUT_KEEP_DAYS)).exclude(
        state=DeliveryState.PENDING)
    removed = 0
    while ids := list(old.order_by("created_at").values_list("pk", flat=True)[:BATCH]):
        removed += WebhookDelivery.objects.filter(pk__in=ids).delete()[0]
    return removed


@engine.on_worker_lost
def free_rollouts_of(label: str) -> int:
    """A worker is dead together with all it had started: its rollouts need not wait for their leases to end."""
    freed = 0
    for pk in list(Rollout.objects.live().filter(leased_by=label).values_list("pk", flat=True)):
        with transaction.atomic():
            held = Rollout.objects.live().filter(pk=pk, leased_by=label, lease_until__isnull=False)
            if held.update(lease_until=None, rung_at=Now()):
                engine.wake(RUN, pk)
                freed += 1
    return freed


@engine.cleaner(every_s=3600)
def remove_old_output() -> int:
    """Remove output older than it is kept, in small batches, so that nobody waits for the cleaner."""
    removed = 0
    while True:
        old = Output.objects.filter(at__lt=Now() - timedelta(days=settings.OUTPUT_KEEP_DAYS)).order_by("at")
        ids = list(old.values_list("pk", flat=True)[:BATCH])
        if not ids:
            return removed
        removed += Output.objects.filter(pk__in=ids).delete()[0]
