"""Which gates are closed, and which of them block a rollout. All other rooms read gates through this file."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet

from gs2admin.db import clock
from gs2admin.errors import Conflict
from stages.gates.local_time import moment, zone
from stages.gates.windows import current, until, why_always
from stages.models.governance import FreezeWindow, Stop
from stages.states import Kind

if TYPE_CHECKING:
    from stages.models import Rollout


@dataclass(frozen=True)
class Gate:
    """One closed gate. kind: stop or freeze. stage_id: None closes all stages of the project.

    until: when it opens by itself; None for a stop, which a person has to lift, and for a window that is always on.
    """

    kind: str
    pk: int
    stage_id: int | None
    sentence: str
    holds_rollbacks: bool
    until: datetime | None = None
    name: str = ""

    def blocks(self, stage_id: int, kind: str) -> bool:
        """Whether it blocks a rollout of that kind (states.Kind) on that stage."""
        return self.stage_id in (None, stage_id) and (self.holds_rollbacks or kind != Kind.ROLLBACK)

    @property
    def code(self) -> str:
        """The special code of a refusal on the wire."""
        return "freeze.stage.stopped" if self.kind == "stop" else "freeze.stage.frozen"


def closed(project_id: int, at: datetime | None = None) -> list[Gate]:
    """The gates of the project that are closed at that moment (default: now), stops first; two queries."""
    at = at or clock.now()
    stops = Stop.objects.filter(project_id=project_id, lifted_at=None).filter(_of_existing_stages()).select_related("stage")
    found = [_of_stop(row) for row in stops.order_by("id")]
    for row in windows(project_id).exclude(ends_at__lte=at):
        if current(row, at):
            found.append(_of_window(row, until(row, at)))
    return found


def windows(project_id: int) -> QuerySet[FreezeWindow]:
    """The freeze windows of the project with their stages, in the order of their making, without those of deleted stages."""
    rows = FreezeWindow.objects.filter(project_id=project_id).filter(_of_existing_stages())
    return rows.select_related("stage").order_by("id")


def blocking(gates: Iterable[Gate], stage_id: int, kind: str = Kind.PROMOTE) -> list[Gate]:
    """Those of the gates that block a rollout of that kind (states.Kind) on that stage."""
    return [gate for gate in gates if gate.blocks(stage_id, kind)]


def stopped_since_request(rollout: Rollout) -> str:
    """For the worker that is about to begin: the sentence of a stop that was made after the rollout; empty without one.

    Whoever overrode a stop saw those that existed then. A freeze window that begins meanwhile does not block.
    """
    stops = Stop.objects.filter(project_id=rollout.project_id, lifted_at=None, stopped_at__gt=rollout.created_at)
    gates = [_of_stop(row) for row in stops.select_related("stage").order_by("id")]
    found = blocking(gates, rollout.stage_id, rollout.kind)
    return found[0].sentence if found else ""


def refusal(found: list[Gate]) -> Conflict:
    """The error for a rollout that gates block. found: at least one gate."""
    sentences = [gate.sentence for gate in found]
    return Conflict(
        f"{' '.join(sentences)} Nothing was started.", component="stage", message="freeze.stage.stage.error.conflict",
        code=found[0].code, extra={"gates": sentences},
    )


def _of_existing_stages() -> Q:
    return Q(stage=None) | Q(stage__deleted_at=None)


def _of_stop(row: Stop) -> Gate:
    where = row.stage.name if row.stage_id else "all stages"
    sentence = f"Promotions are stopped on {where} by {row.stopped_by}: {row.reason}"
    return Gate("stop", row.pk, row.stage_id, _with_full_stop(sentence), row.holds_rollbacks, name=where)


def _of_window(row: FreezeWindow, ends: datetime | None) -> Gate:
    where = row.stage.name if row.stage_id else "all stages"
    if ends is None:
        sentence = f"The freeze window {row.name} is always on for {where}: {why_always(row)}."
    else:
        sentence = f"The freeze window {row.name} is on for {where} until {_when(ends, row.time_zone)}."
    return Gate("freeze", row.pk, row.stage_id, sentence, row.holds_rollbacks, ends, row.name)


def _when(at: datetime, zone_name: str) -> str:
    try:
        return f"{moment(at, zone(zone_name))} {zone_name}"
    except ValueError:  # this server does not know that zone
        return f"{moment(at, UTC)} UTC"


def _with_full_stop(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
