"""Chores that run by themselves: wake what has lost its worker or has come due, and remove what is too old."""
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
from stages.canary.services import tick
from stages.core.wake import RUN
from stages.models import Output, Rollout, RolloutCanary
from stages.models.governance import AutoPromotion
from stages.models.webhooks import DeliveryState, WebhookDelivery
from stages.rollouts import queue
from stages.states import TIMED, RolloutState
from stages.worker import counts

log = logging.getLogger(__name__)
BATCH = 2_000
# At most so many rows per sweep and kind.
MOST = 500
# The last row of this process's last sweep of a kind.
_place: dict[str, int] = {}


def _each(kind: str, rows: QuerySet, act: Callable[[int], bool]) -> int:
    """Act on at most MOST rows, after those of the last sweep, so that each gets its turn; returns how many acted.

    A row whose act raises is logged, and the others go on; an error of the database passes.
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


@engine.sweeper(due=lambda: Rollout.objects.lost().order_by().values(at=Now())[:1])
def wake_lost_rollouts() -> int:
    """Wake a worker for each rollout that needs one and has none; several hosts may sweep at once."""
    woken = 0
    for pk in list(Rollout.objects.lost().values_list("pk", flat=True)[:200]):
        with transaction.atomic():
            if Rollout.objects.lost().filter(pk=pk).update(woken_at=Now()):
                engine.wake(RUN, pk)
                woken += 1
    return woken


def _requests() -> QuerySet:
    return Rollout.objects.filter(state=RolloutState.AWAITING_APPROVAL, approval__isnull=False)


@engine.sweeper(due=lambda: _requests().order_by().values(at=Now())[:1])
def settle_requests() -> int:
    """Start or end what waits for approval, or say why it waits: rules, roles, windows and sources change meanwhile."""
    return _each("approvals", _requests(), resolve_waiting)


def _following() -> QuerySet:
    return AutoPromotion.objects.filter(enabled=True, held_at=None, stage__deleted_at=None)


@engine.sweeper(due=lambda: _following().order_by().values(at=Now())[:1])
def promote_by_themselves() -> int:
    """Promote the stages that follow their source, when that has been Active for long enough."""
    return _each("auto-promotions", _following(), promote_due)


def _timed() -> QuerySet:
    return RolloutCanary.objects.filter(wake_at__isnull=False, rollout__state__in=sorted(TIMED))


@engine.ticker(due=lambda: _timed().order_by("wake_at").values("wake_at")[:1])
def move_canaries() -> int:
    """Move the canaries for which something is due: the next weight, the end of the time limit, the next report."""
    due = _timed().filter(wake_at__lte=Now()).values_list("pk", flat=True)
    return sum(tick(pk) for pk in list(due[:100]))


@engine.ticker(due=lambda: queue.free().values(at=Now())[:1])
def start_queued() -> int:
    """Start the rollouts that wait for their turn, where the one before has ended."""
    return sum(queue.start_next(stage_id) for stage_id in queue.free_stages())


@engine.cleaner(every_s=300)
def mend_numbers() -> int:
    """Put right what no longer equals the rows that it counts; returns how many numbers or rollouts were wrong."""
    mended, _place["numbers"] = counts.mend_rollouts(_place.get("numbers", 0))
    return mended + counts.mend_ledgers()


@engine.cleaner(every_s=3600)
def remove_old_deliveries() -> int:
    """Remove messages of webhooks that ended OUTPUT_KEEP_DAYS ago, in small batches."""
    old = WebhookDelivery.objects.filter(created_at__lt=Now() - timedelta(days=settings.OUTPUT_KEEP_DAYS)).exclude(
        state=DeliveryState.PENDING)
    removed = 0
    while ids := list(old.order_by("created_at").values_list("pk", flat=True)[:BATCH]):
        removed += WebhookDelivery.objects.filter(pk__in=ids).delete()[0]
    return removed


@engine.on_worker_lost
def free_rollouts_of(label: str) -> int:
    """End the leases of a worker that is dead, with all that it had started, and wake others for its rollouts."""
    freed = 0
    for pk in list(Rollout.objects.live().filter(leased_by=label).values_list("pk", flat=True)):
        with transaction.atomic():
            held = Rollout.objects.live().filter(pk=pk, leased_by=label, lease_until__isnull=False)
            if held.update(lease_until=None, woken_at=Now()):
                engine.wake(RUN, pk)
                freed += 1
    return freed


@engine.cleaner(every_s=3600)
def remove_old_output() -> int:
    """Remove output older than OUTPUT_KEEP_DAYS, in small batches, so that no write waits for long."""
    removed = 0
    while True:
        old = Output.objects.filter(at__lt=Now() - timedelta(days=settings.OUTPUT_KEEP_DAYS)).order_by("at")
        ids = list(old.values_list("pk", flat=True)[:BATCH])
        if not ids:
            return removed
        removed += Output.objects.filter(pk__in=ids).delete()[0]
