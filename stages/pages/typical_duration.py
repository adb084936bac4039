"""The typical duration of a stage's rollouts: the median of the last five that succeeded and ran a step."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from django.db.models import Exists, F, OuterRef, Window
from django.db.models.functions import RowNumber

from stages.models import Rollout, Step
from stages.states import RolloutState

LAST = 5
# A rollout is overdue when it runs twice as long as is typical, and never before this many seconds.
OVERDUE_MIN_S = 60.0


def typical_seconds(stage_ids: Iterable[int]) -> dict[int, float]:
    """{stage id: median seconds}; a stage where nothing has run yet is left out. One query.

    Rollouts that only moved pins do not count: they took no time, and the next one may deploy to targets.
    """
    wanted = list(stage_ids)
    if not wanted:
        return {}
    rows = (
        Rollout.objects.filter(
            Exists(Step.objects.filter(rollout=OuterRef("pk")).exclude(kind="pin")),
            stage_id__in=wanted, state=RolloutState.SUCCEEDED, started_at__isnull=False, steps_total__gt=0,
        )
        .annotate(rank=Window(RowNumber(), partition_by=F("stage_id"), order_by=F("id").desc()))
        .filter(rank__lte=LAST)
        .values_list("stage_id", "started_at", "ended_at")
    )
    took = defaultdict(list)
    for stage_id, started, ended in rows:
        took[stage_id].append((ended - started).total_seconds())
    return {stage_id: median(values) for stage_id, values in took.items()}


def overdue_after(typical_s: float | None) -> float | None:
    """Seconds after which a rollout that still runs is overdue; None while no typical duration is known."""
    return None if typical_s is None else max(OVERDUE_MIN_S, 2 * typical_s)
