"""Our own JSON API of scenarios and canaries, and who gets which version: /api/v1/…"""

from __future__ import annotations

from typing import Any

from gs2admin.errors import NotFound
from gs2admin.identity.rights import require
from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Integer, Result, Text, field
from gs2admin.wire.table import Answer
from stages.api.shapes import RolloutModel, RolloutRequest, StageRequest, api_method, find_rollout, rollout_item
from stages.canary.resolve import resolve_in, splits
from stages.canary.services import accept_canary, advance_canary, reject_canary


class ResolveRequest(StageRequest):
    """Fields of resolve."""

    user_id: Text = field("freeze.stage.userId", max_length=128, description="The player, as the game knows it.")


class DecideRequest(RolloutRequest):
    """Fields of accept and reject."""

    reason: Text = field("freeze.rollout.reason", "", max_length=1024, description="Kept in the activity log.")


class AdvanceRequest(DecideRequest):
    """Fields of advance."""

    weight: Integer | None = field(
        "freeze.rollout.weight", None, ge=0, le=100, description="The weight that the caller saw; another one is refused."
    )


class ResolveResult(Result):
    """versions: of every microservice, for this player. gray: the player is among the first of rollout `rollout`."""

    stage: str
    user_id: str
    versions: dict[str, str]
    gray: bool
    rollout: int | None


def resolve(call: Call, request: ResolveRequest) -> Answer:
    """At most one query; ETag changes exactly when the answer does. Raises NotFound."""
    require(call.actor, "project.view", call.project)
    split = splits.get(call.project.pk, request.name)
    if split is None:
        raise NotFound(f"There is no stage {request.name}.", component="stage", message="freeze.stage.stage.error.notFound")
    found = resolve_in(split, request.user_id)
    body: dict[str, Any] = {
        "stage": request.name, "userId": request.user_id, "versions": dict(found.versions), "gray": found.gray,
        "rollout": split.rollout or None,
    }
    return Answer(body, etag=found.etag)


def accept(call: Call, request: DecideRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict when no canary waits for a decision."""
    return _decided(call, request, accept_canary)


def reject(call: Call, request: DecideRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict when no canary waits for a decision."""
    return _decided(call, request, reject_canary)


def advance(call: Call, request: AdvanceRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict when no canary waits, or when this is its last weight."""
    return _decided(call, request, advance_canary, seen=request.weight)


def _decided(call: Call, request: DecideRequest, act, **more) -> dict[str, Any]:
    rollout = find_rollout(call, request.number)
    act(actor=call.actor, rollout=rollout, reason=request.reason, **more)
    return rollout_item(find_rollout(call, request.number))


def _decision(function: str, path: str, request, handler, summary: str):
    return api_method("rollout", function, "POST", f"/rollouts/{{number}}/canary/{path}", request, RolloutModel, handler, summary)


METHODS = [
    api_method(
        "stage", "resolve", "GET", "/stages/{name}/resolve", ResolveRequest, ResolveResult, resolve,
        "Which versions a player gets", statuses={200: "The versions.", 304: "The caller has them already (If-None-Match)."},
    ),
    _decision("acceptCanary", "accept", DecideRequest, accept, "Give a canary's versions to everybody"),
    _decision("rejectCanary", "reject", DecideRequest, reject, "Withdraw a canary"),
    _decision("advanceCanary", "advance", AdvanceRequest, advance, "Go to a canary's next weight"),
]
