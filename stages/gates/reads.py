"""What holds rollouts back just now: the line is stopped, or a freeze window is on. Reads only."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils import timezone

from gs2admin.errors import Conflict
from stages.gates.windows import current, moment, zone
from stages.models.governance import FreezeWindow, Stop
from stages.states import Kind

if TYPE_CHECKING:
    from stages.models import Rollout


@dataclass(frozen=True)
class Gate:
    """One closed gate. kind: stop or freeze. stage_id: None closes all stages of the project.

    until: when it opens by itself; None for a stop, which somebody has to lift.
    """

    kind: str
    pk: int
    stage_id: int | None
    sentence: str
    holds_rollbacks: bool
    until: datetime | None = None
    name: str = ""

    def holds(self, stage_id: int, kind: str) -> bool:
        """Whether it holds back a rollout of that kind on that stage."""
        return self.stage_id in (None, stage_id) and (self.holds_rollbacks or kind != Kind.ROLLBACK)

    @property
    def code(self) -> str:
        """The special code that clients get."""
        return "freeze.stage.stopped" if self.kind == "stop" else "freeze.stage.frozen"


def closed(project_id: int, at: datetime | None = None) -> list[Gate]:
    """Every gate of the project that is closed at that moment (now); stops first. Two queries."""
    at = at or timezone.now()
    stops = Stop.objects.filter(project_id=project_id, lifted_at=None).filter(_existing()).select_related("stage")
    found = [_of_stop(row) for row in stops.order_by("id")]
    windows = FreezeWindow.objects.filter(project_id=project_id).filter(_existing()).exclude(ends_at__lte=at)
    for row in windows.select_related("stage").order_by("id"):
        if on := current(row, at):
            found.append(_of_window(row, on[1]))
    return found


def _existing() -> Q:
    return Q(stage=None) | Q(stage__deleted_at=None)


def _of_stop(row: Stop) -> Gate:
    where = row.stage.name if row.stage_id else "all stages"
    sentence = f"The line is stopped on {where} by {row.stopped_by}: {row.reason}"
    return Gate("stop", row.pk, row.stage_id, _ended(sentence), row.holds_rollbacks, name=where)


def _of_window(row: FreezeWindow, until: datetime) -> Gate:
    where = row.stage.name if row.stage_id else "all stages"
    sentence = f"The freeze window {row.name} is on for {where} until {moment(until, zone(row.time_zone))} {row.time_zone}."
    return Gate("freeze", row.pk, row.stage_id, sentence, row.holds_rollbacks, until, row.name)


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."


def stopped_since_asked(rollout: Rollout) -> str:
    """For the worker that is about to begin: why the line that was stopped after somebody asked for this holds it back.

    Empty when none does. Who overrode a stop knew of those before; a freeze window that begins meanwhile holds nothing back.
    """
    stops = Stop.objects.filter(project_id=rollout.project_id, lifted_at=None, stopped_at__gt=rollout.created_at)
    found = holding([_of_stop(row) for row in stops.select_related("stage").order_by("id")], rollout.stage_id, rollout.kind)
    return found[0].sentence if found else ""


def holding(gates: Iterable[Gate], stage_id: int, kind: str = Kind.PROMOTE) -> list[Gate]:
    """Those of the gates that hold back a rollout of that kind on that stage."""
    return [gate for gate in gates if gate.holds(stage_id, kind)]


def refusal(found: list[Gate]) -> Conflict:
    """What whoever wanted to start a rollout is told. found: at least one gate."""
    said = " ".join(gate.sentence for gate in found)
    return Conflict(
        f"{said} Nothing was started.", component="stage", message="freeze.stage.stage.error.conflict", code=found[0].code,
        extra={"gates": [gate.sentence for gate in found]},
    )
