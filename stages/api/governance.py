"""The JSON API of what governs rollouts: stopping the line, freeze windows, approval."""
from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from django.utils import timezone

from gs2admin.errors import NotFound
from gs2admin.identity.rights import require
from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Boolean, Integer, Nothing, Result, Shape, Text, field
from gs2admin.wire.table import API, Answer, Method
from stages.api.paging import find_stage
from stages.approval.services import approve_rollout, reject_rollout
from stages.gates.reads import Gate, closed
from stages.gates.stops import resume_line, stop_line
from stages.gates.windows import in_words, upcoming
from stages.models import Rollout, Stage
from stages.models.governance import FreezeWindow
from stages.rollouts.services import retry_rollout


class StopRequest(Shape):
    """Fields of stopLine."""

    stage: Text | None = field("freeze.stage.name", None, max_length=128, description="Only this stage; all without it.")
    reason: Text = field("freeze.stage.reason", max_length=1024, description="Everybody who wants to promote reads it.")
    holds_rollbacks: Boolean = field("freeze.stage.holdsRollbacks", False, description="Hold back rollbacks too.")


class ResumeRequest(Shape):
    """Fields of resumeLine."""

    stage: Text | None = field("freeze.stage.name", None, max_length=128, description="The stop of this stage only.")
    reason: Text = field("freeze.stage.reason", "", max_length=1024, description="Kept in the activity log.")


class GateModel(Result):
    """Something that holds rollouts back now; until is null for a stop, which somebody has to lift."""

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
    """closed: what holds rollouts back now. windows: all freeze windows."""

    closed: list[GateModel]
    windows: list[WindowModel]


class DecideRequest(Shape):
    """Fields of approveRollout and rejectRollout."""

    number: Integer = field("freeze.rollout.number", ge=1, le=2**31 - 1)
    reason: Text = field("freeze.rollout.reason", "", max_length=1024, description="Kept in the activity log.")


class RetryRequest(DecideRequest):
    """Fields of retryRollout."""

    how: Literal["all", "failed", "skip"] = field("freeze.rollout.how", "all", description=(
        "all: everything again. failed: from the failed step on. skip: past it, with a reason."))
    request_key: Text | None = field("freeze.rollout.requestKey", None, max_length=64, description="As for a promote.")
    override: Boolean = field("freeze.rollout.override", False, description="As for a promote.")


class DecisionModel(Result):
    """A rollout after a decision about it; sentence: of its approval, what it waits for or how it ended."""

    number: int
    stage: str
    state: str
    sentence: str
    approved_by: list[str]


def approve(call: Call, request: DecideRequest) -> dict[str, Any]:
    """Raises NotFound, Denied (the rule, or the caller asked for it), Conflict when it waits no longer."""
    return _decision(approve_rollout(actor=call.actor, rollout=_found(call, request.number), reason=request.reason))


def reject(call: Call, request: DecideRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict when it waits no longer."""
    return _decision(reject_rollout(actor=call.actor, rollout=_found(call, request.number), reason=request.reason))


def _found(call: Call, number: int) -> Rollout:
    require(call.actor, "project.view", call.project)
    row = Rollout.objects.of_project(call.project.pk).filter(number=number).first()
    if row is None:
        raise NotFound(f"There is no rollout {number}.", component="rollout", message="freeze.rollout.rollout.error.notFound")
    return row


def retry(call: Call, request: RetryRequest) -> Answer:
    """202 with the new rollout. Raises NotFound, Denied, Conflict, Invalid when it cannot go on from its failed step."""
    new = retry_rollout(
        actor=call.actor, rollout=_found(call, request.number), reason=request.reason, request_key=request.request_key,
        override=request.override, how="" if request.how == "all" else request.how,
    )
    return Answer(_decision(Rollout.objects.select_related("stage").get(pk=new.pk)), 202)


def _decision(row: Rollout) -> dict[str, Any]:
    said = row.approval.sentence if hasattr(row, "approval") else ""
    return {"number": row.number, "stage": row.stage.name, "state": row.state, "sentence": said,
            "approvedBy": list(row.votes.order_by("id").values_list("name", flat=True))}


def list_gates(call: Call, request: Nothing) -> dict[str, Any]:
    """What is closed now, and all windows."""
    require(call.actor, "project.view", call.project)
    now = timezone.now()
    windows = FreezeWindow.objects.filter(project=call.project, stage__deleted_at=None).select_related("stage").order_by("id")
    return {"closed": _gates(call, closed(call.project.pk, now)), "windows": [_window(row, now) for row in windows]}


def stop(call: Call, request: StopRequest) -> dict[str, Any]:
    """What is closed afterwards. Raises NotFound, Denied, Conflict when it is stopped already."""
    stage = find_stage(call, request.stage) if request.stage else None
    stop_line(actor=call.actor, project=call.project, stage=stage, reason=request.reason,
              holds_rollbacks=request.holds_rollbacks)
    return list_gates(call, Nothing())


def resume(call: Call, request: ResumeRequest) -> dict[str, Any]:
    """What is closed afterwards. Raises NotFound, Denied, Conflict when it is not stopped."""
    stage = find_stage(call, request.stage) if request.stage else None
    resume_line(actor=call.actor, project=call.project, stage=stage, reason=request.reason)
    return list_gates(call, Nothing())


def _gates(call: Call, found: list[Gate]) -> list[dict[str, Any]]:
    names = dict(Stage.objects.existing(call.project.pk).values_list("id", "name"))
    return [
        {"kind": gate.kind, "stage": names.get(gate.stage_id), "sentence": gate.sentence,
         "holdsRollbacks": gate.holds_rollbacks, "until": _iso(gate.until)}
        for gate in found
    ]


def _window(row: FreezeWindow, now: datetime) -> dict[str, Any]:
    found = upcoming(row, now) or (None, None)
    return {"name": row.name, "stage": row.stage.name if row.stage_id else None, "words": in_words(row),
            "holdsRollbacks": row.holds_rollbacks, "starts": _iso(found[0]), "ends": _iso(found[1])}


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _method(component: str, function: str, verb: str, path: str, request, result, handler, summary: str, **more) -> Method:
    return Method(service=API, component=component, function=function, verb=verb, path="/v1" + path, request=request,
                  result=result, handler=handler, writes=verb == "POST", summary=summary, **more)


METHODS = [
    _method("line", "listGates", "GET", "/freezes", Nothing, GatesResult, list_gates, "What holds rollouts back"),
    _method("line", "stopLine", "POST", "/line/stop", StopRequest, GatesResult, stop, "Stop the line"),
    _method("line", "resumeLine", "POST", "/line/resume", ResumeRequest, GatesResult, resume, "Lift a stop of the line"),
    _method("rollout", "approveRollout", "POST", "/rollouts/{number}/approve", DecideRequest, DecisionModel, approve,
            "Approve a rollout"),
    _method("rollout", "rejectRollout", "POST", "/rollouts/{number}/reject", DecideRequest, DecisionModel, reject,
            "Reject a rollout"),
    _method("rollout", "retryRollout", "POST", "/rollouts/{number}/retry", RetryRequest, DecisionModel, retry,
            "Try a failed rollout again", statuses={202: "Accepted; number is the new rollout's."}),
]
