"""Gates in our own JSON API: what blocks rollouts now, stop promotions, resume them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gs2admin.db import clock
from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Boolean, Nothing, Result, Shape, Text, field
from stages.api.find import find_stage, viewing
from stages.api.own.shapes import api_method, iso
from stages.gates.reads import Gate, closed, windows
from stages.gates.services import resume_promotions, stop_promotions
from stages.gates.windows import in_words, upcoming
from stages.models import Stage
from stages.models.governance import FreezeWindow


class StopRequest(Shape):
    """Fields of stopLine."""

    stage: Text | None = field("freeze.stage.name", None, max_length=128, description="Only this stage; all without it.")
    reason: Text = field("freeze.stage.reason", max_length=1024, description="Everybody who wants to promote reads it.")
    holds_rollbacks: Boolean = field("freeze.stage.holdsRollbacks", False, description="Block rollbacks too.")


class ResumeRequest(Shape):
    """Fields of resumeLine."""

    stage: Text | None = field("freeze.stage.name", None, max_length=128, description="Without it the stop of all stages.")
    reason: Text = field("freeze.stage.reason", "", max_length=1024, description="Kept in the activity log.")


class GateModel(Result):
    """Something that blocks rollouts now; until is null for a stop, which somebody has to lift."""

    kind: str
    stage: str | None
    sentence: str
    holds_rollbacks: bool
    until: str | None


class WindowModel(Result):
    """A freeze window; starts and ends are those of the present or next occurrence, null when it is over."""

    name: str
    stage: str | None
    words: str
    holds_rollbacks: bool
    starts: str | None
    ends: str | None


class GatesResult(Result):
    """closed: what blocks rollouts now. windows: all freeze windows."""

    closed: list[GateModel]
    windows: list[WindowModel]


@viewing
def list_gates(call: Call, request: Nothing) -> dict[str, Any]:
    """What is closed now, and all windows."""
    return _gates_of(call)


def stop(call: Call, request: StopRequest) -> dict[str, Any]:
    """What is closed afterwards. Raises NotFound, Denied, Conflict when promotions are stopped there already."""
    stage = find_stage(call, request.stage) if request.stage else None
    stop_promotions(actor=call.actor, project=call.project, stage=stage, reason=request.reason,
              holds_rollbacks=request.holds_rollbacks)
    return _gates_of(call)


def resume(call: Call, request: ResumeRequest) -> dict[str, Any]:
    """What is closed afterwards. Raises NotFound, Denied, Conflict when promotions are not stopped there."""
    stage = find_stage(call, request.stage) if request.stage else None
    resume_promotions(actor=call.actor, project=call.project, stage=stage, reason=request.reason)
    return _gates_of(call)


def _gates_of(call: Call) -> dict[str, Any]:
    now = clock.now()
    rows = windows(call.project.pk)
    return {"closed": _closed(call, closed(call.project.pk, now)), "windows": [_window(row, now) for row in rows]}


def _closed(call: Call, found: list[Gate]) -> list[dict[str, Any]]:
    names = dict(Stage.objects.existing(call.project.pk).values_list("id", "name"))
    return [
        {"kind": gate.kind, "stage": names.get(gate.stage_id), "sentence": gate.sentence,
         "holdsRollbacks": gate.holds_rollbacks, "until": iso(gate.until)}
        for gate in found
    ]


def _window(row: FreezeWindow, now: datetime) -> dict[str, Any]:
    start, end = upcoming(row, now) or (None, None)
    return {"name": row.name, "stage": row.stage.name if row.stage_id else None, "words": in_words(row),
            "holdsRollbacks": row.holds_rollbacks, "starts": iso(start), "ends": iso(end)}


METHODS = [
    api_method("line", "listGates", "GET", "/freezes", Nothing, GatesResult, list_gates, "What blocks rollouts"),
    api_method("line", "stopLine", "POST", "/line/stop", StopRequest, GatesResult, stop, "Stop promotions"),
    api_method("line", "resumeLine", "POST", "/line/resume", ResumeRequest, GatesResult, resume, "Resume promotions"),
]
