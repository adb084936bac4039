"""What the files of our own JSON API share: shapes of rollouts, times, and the entry of a method."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gs2admin.wire.shapes import Integer, Result, Shape, Text, field
from gs2admin.wire.table import API, Method
from stages.models import Rollout
from stages.plan.previews import versions_of


class StageRequest(Shape):
    """Names a stage."""

    name: Text = field("freeze.stage.name", max_length=128)


class RolloutRequest(Shape):
    """Names a rollout of the project."""

    number: Integer = field("freeze.rollout.number", ge=1, le=2**31 - 1)


class ReasonedRequest(RolloutRequest):
    """Names a rollout, with the reason for what is done to it."""

    reason: Text = field("freeze.rollout.reason", "", max_length=1024, description="Kept in the activity log.")


class RolloutModel(Result):
    """A rollout; it has ended when endedAt is set. grayWeight: percent of the players who get the new versions now."""

    number: int
    stage: str
    kind: str
    state: str
    strategy: str
    leg: str
    gray_weight: int
    scenario: str | None
    reason: str
    requested_by: str
    steps_done: int
    steps_total: int
    from_versions: dict[str, str]
    to_versions: dict[str, str]
    error: str
    created_at: str
    started_at: str | None
    ended_at: str | None


def rollout_item(row: Rollout) -> dict[str, Any]:
    """The RolloutModel of a row with its stage and both version sets (find_rollout)."""
    return {
        "number": row.number,
        "stage": row.stage.name,
        "kind": row.kind,
        "state": row.state,
        "strategy": row.strategy,
        "leg": row.leg,
        "grayWeight": row.gray_weight,
        "scenario": row.scenario_copy.get("name"),
        "reason": row.reason,
        "requestedBy": row.requested_by,
        "stepsDone": row.steps_done,
        "stepsTotal": row.steps_total,
        "fromVersions": versions_of(row.from_set),
        "toVersions": versions_of(row.to_set),
        "error": row.error,
        "createdAt": iso(row.created_at),
        "startedAt": iso(row.started_at),
        "endedAt": iso(row.ended_at),
    }


def iso(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with milliseconds; None for None."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def api_method(component: str, function: str, verb: str, path: str, request, result, handler, summary: str, **more) -> Method:
    """A method at `path` below /api/v1; POST writes. more: other fields of Method."""
    return Method(
        service=API,
        component=component,
        function=function,
        verb=verb,
        path="/v1" + path,
        request=request,
        result=result,
        handler=handler,
        writes=verb == "POST",
        summary=summary,
        **more,
    )
