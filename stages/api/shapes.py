"""What the files of our own JSON API share: shapes of stages and rollouts, and how a method is listed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gs2admin.errors import NotFound
from gs2admin.identity.rights import require
from gs2admin.wire.call import Call
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


def find_rollout(call: Call, number: int) -> Rollout:
    """The caller's rollout with its stage and sets. Raises NotFound."""
    require(call.actor, "project.view", call.project)
    rows = Rollout.objects.of_project(call.project.pk).select_related("stage", "from_set", "to_set", "canary")
    row = rows.filter(number=number).first()
    if row is None:
        raise NotFound(f"There is no rollout {number}.", component="rollout", message="freeze.rollout.rollout.error.notFound")
    return row


def rollout_item(row: Rollout) -> dict[str, Any]:
    """A RolloutModel of a row that find_rollout gave."""
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
    """ISO 8601 in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def api_method(component: str, function: str, verb: str, path: str, request, result, handler, summary: str, **more) -> Method:
    """A method below /api/v1; verbs other than GET write."""
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
