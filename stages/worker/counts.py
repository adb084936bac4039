"""Finds numbers that no longer equal the rows that they stand for, and puts them right.

Each of them is written in the transaction of its rows, so a process that dies leaves none behind. What changes rows past the
services (a repair by hand, a restored backup) can.
"""
from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from gs2admin.db import clock
from stages.canary.clocks import ends_at, next_wake
from stages.core import ledger
from stages.core.clock import clock_of
from stages.core.scenarios import way_of
from stages.models import Ledger, Output, Rollout, RolloutCanary, Step, VersionSet
from stages.states import TIMED, Analysis, RolloutState, StepState
from stages.worker.analysis import AGAIN_S

log = logging.getLogger(__name__)
# Rollouts that are looked at in one go.
SLICE = 500
# A clock may be so much late before it counts as wrong: hosts write it at slightly different moments.
SLACK = timedelta(seconds=5)


def mend_ledgers() -> int:
    """Raise a project's counters to the highest number in use; returns how many were wrong.

    A counter that lags refuses every new rollout or version set. One that is ahead leaves a gap and stays: a number that
    people have seen is not given again.
    """
    mended = 0
    for name, model in (("rollouts_count", Rollout), ("sets_count", VersionSet)):
        highest = model.objects.filter(project=OuterRef("pk")).order_by("-number").values("number")[:1]
        low = Ledger.objects.filter(**{f"{name}__lt": Subquery(highest)})
        for project_id in list(low.values_list("pk", flat=True)):
            with transaction.atomic():
                counters = ledger.lock(project_id)
                found = model.objects.filter(project=project_id).aggregate(found=Max("number"))["found"] or 0
                if getattr(counters, name) >= found:
                    transaction.set_rollback(True)
                    continue
                Ledger.objects.filter(pk=project_id).update(**{name: found})
            log.warning("a counter of a project was behind its rows and was put right",
                        extra={"project_id": project_id, "number": name, "was": getattr(counters, name), "now": found})
            mended += 1
    return mended


def mend_rollouts(after: int = 0) -> tuple[int, int]:
    """Compare the numbers of rollouts with their rows: of those that are live, of the newest SLICE, and of the next SLICE by id.

    after: the id that the slice begins behind. Returns how many rollouts were wrong, and where the next slice begins
    (0: from the first one again).
    """
    def keys(rows: QuerySet) -> list[int]:
        return list(rows.values_list("pk", flat=True)[:SLICE])

    ids = keys(Rollout.objects.filter(pk__gt=after).order_by("pk"))
    looked_at = {*ids, *keys(Rollout.objects.live().order_by("-pk")), *keys(Rollout.objects.order_by("-pk"))}
    mended = sum(_mend(pk) for pk in sorted(_suspects(Rollout.objects.filter(pk__in=looked_at))))
    return mended, ids[-1] if len(ids) == SLICE else 0


def _suspects(rows: QuerySet) -> set[int]:
    """Ids of those whose numbers look wrong; they are looked at again under their lock."""
    steps = Step.objects.filter(rollout=OuterRef("pk")).order_by().values("rollout")
    total = Coalesce(Subquery(steps.annotate(found=Count("pk")).values("found")), Value(0))
    done = Coalesce(Subquery(steps.filter(state=StepState.SUCCEEDED).annotate(found=Count("pk")).values("found")), Value(0))
    last = Subquery(Output.objects.filter(rollout=OuterRef("pk")).order_by("-seq").values("seq")[:1])
    seen = rows.order_by().annotate(total=total, done=done, last=last)
    wrong = ~Q(steps_total=F("total")) | ~Q(steps_done=F("done")) | Q(last_seq__lt=F("last")) | Q(last_seq__gt=F("last"))
    wrong |= Q(last=None, last_seq__gt=0, created_at__gt=_kept_since())
    found = set(seen.filter(wrong).values_list("pk", flat=True))
    timed = rows.filter(state__in=sorted(TIMED), canary__isnull=False).select_related("canary").order_by()
    return found | {row.pk for row in timed if _late(row, clock.now())}


def _mend(pk: int) -> bool:
    with transaction.atomic():
        row = Rollout.objects.filter(pk=pk).first()
        if row is None:
            return False
        # Whoever writes steps holds the project's lock; whoever writes output, the rollout's row.
        ledger.lock(row.project_id)
        row = Rollout.objects.select_for_update(of=("self",)).select_related("canary").get(pk=pk)
        right = {name: value for name, value in _numbers(row).items() if value != getattr(row, name)}
        wakes = _wakes(row)
        if not right and not wakes:
            transaction.set_rollback(True)  # nothing changed, also not for those who watch the board
            return False
        was = {name: getattr(row, name) for name in right} | {name: getattr(row.canary, name) for name in wakes}
        Rollout.objects.filter(pk=pk).update(**right, revision=F("revision") + 1)
        if wakes:
            RolloutCanary.objects.filter(pk=pk).update(**wakes)
    log.warning("numbers of a rollout did not equal its rows and were put right",
                extra={"rollout_id": pk, "rollout": row.number, "was": _plain(was), "now": _plain(right | wakes)})
    return True


def _numbers(row: Rollout) -> dict[str, Any]:
    """What the rows say; without a number for which they say nothing."""
    steps = row.steps.order_by().aggregate(total=Count("pk"), done=Count("pk", filter=Q(state=StepState.SUCCEEDED)))
    found: dict[str, Any] = {"steps_total": steps["total"], "steps_done": steps["done"]}
    last = row.outputs.order_by("-seq").values_list("seq", flat=True).first()
    if last is not None or row.created_at > _kept_since():
        found["last_seq"] = last or 0
    return found


def _wakes(row: Rollout) -> dict[str, datetime]:
    """What is to be changed of the clock of the rollout's canary; {} when it is right or there is none."""
    if row.state not in TIMED or not hasattr(row, "canary"):
        return {}
    now = clock_of(row)
    return {"wake_at": now} if _late(row, now) else {}


def _late(row: Rollout, now: datetime) -> bool:
    """Whether a canary wakes after something is due, or never: then nobody would ever move it.

    It is woken at once then; what is due is found by the clock itself, which also sets the next time.
    """
    plan = way_of(row.scenario_copy).canary
    canary = row.canary
    moments = [canary.hold_until]
    more = canary.weight_index + 1 < len(plan.weights)
    if more or (row.state == RolloutState.CANARY_HOLD and plan.analysis == Analysis.NONE):
        moments.append(canary.weight_until)
    if row.state == RolloutState.CANARY_ANALYZING:
        report = ends_at(plan, canary.analysis_began_at or now, row.reports.count() + 1)
        moments.append(max(report, now + timedelta(seconds=AGAIN_S)))
    latest = next_wake(*moments)
    return latest is not None and (canary.wake_at is None or canary.wake_at > latest + SLACK)


def _kept_since() -> datetime:
    """A rollout that is younger has all its output; of an older one, the beginning or all of it may have been removed."""
    return clock.now() - timedelta(days=settings.OUTPUT_KEEP_DAYS - 1)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, datetime) else value for name, value in values.items()}
