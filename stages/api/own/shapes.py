"""What the files of our own JSON API share: shapes of rollouts, times, and the entry of a method."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Integer, Result, Shape, Text, field
from gs2admin.wire.table import API, Method
from stages.api.find import find_rollout, no_rollout, rows
from stages.core.accounts import BAD, account
from stages.models import Rollout
from stages.plan.helps import helps_of

MOST_PLACES = 100


class StageRequest(Shape):
    """Names a stage."""

    name: Text = field("freeze.stage.name", max_length=128)


class RolloutRequest(Shape):
    """Names a rollout of the project."""

    number: Integer = field("freeze.rollout.number", ge=1, le=2**31 - 1)


class ReasonedRequest(RolloutRequest):
    """Names a rollout, with the reason for what is done to it."""

    reason: Text = field("freeze.rollout.reason", "", max_length=1024, description="Kept in the activity log.")


class PlaceModel(Result):
    """A microservice ("*": all of them) on a target that does not run what is pinned; sure: false where it only may not."""

    microservice: str
    target: str
    phase: str
    pinned: str
    runs: str
    sure: bool
    rollout: int


class FailureModel(Result):
    """What a rollout that failed or was canceled left, as its page says it: sentences, and the places, at most 100."""

    first: str
    undo: str
    now: str
    helps: list[str]
    places_count: int
    places: list[PlaceModel]


class RolloutModel(Result):
    """A rollout; it has ended when endedAt is set. grayWeight: percent of the players who get the new versions now.

    failure: null unless it failed or was canceled after its start. part: the microservices that were chosen; null when all
    that differed go.
    """

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
    part: list[str] | None
    error: str
    failure: FailureModel | None
    created_at: str
    started_at: str | None
    ended_at: str | None


def rollout_item(call: Call, number: int) -> dict[str, Any]:
    """The RolloutModel of the caller's rollout as it is now. Raises NotFound."""
    row = rows.rollout(call.project.pk, number)
    if row is None:
        raise no_rollout(number)
    return {
        "number": row.number,
        "stage": row.stage_name,
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
        "fromVersions": row.from_versions or {},
        "toVersions": row.to_versions or {},
        "part": row.part,
        "error": row.error,
        "failure": _failure(find_rollout(call, number)) if row.state in BAD else None,
        "createdAt": iso(row.created_at),
        "startedAt": iso(row.started_at),
        "endedAt": iso(row.ended_at),
    }


def _failure(row: Rollout) -> dict[str, Any] | None:
    steps = list(row.steps.order_by("position").defer("config", "memo"))
    found = account(row, steps)
    if found is None:
        return None
    later = Rollout.objects.filter(stage_id=row.stage_id, id__gt=row.pk, started_at__isnull=False).order_by("-id")
    return {
        "first": found.first, "undo": found.undo, "now": found.now,
        "helps": helps_of(row, steps, found, newer=later.values_list("number", flat=True).first()),
        "placesCount": len(found.places),
        "places": [
            {"microservice": place.microservice, "target": place.target, "phase": place.phase, "pinned": place.pinned,
             "runs": place.runs, "sure": place.sure, "rollout": place.earlier or row.number}
            for place in found.places[:MOST_PLACES]
        ],
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
