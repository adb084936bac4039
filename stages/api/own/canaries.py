"""Canaries in our own JSON API: accept, reject, go to the next weight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Integer, field
from gs2admin.wire.table import Method
from stages.api.find import find_rollout
from stages.api.own.shapes import ReasonedRequest, RolloutModel, api_method, rollout_item
from stages.canary.services import accept_canary, advance_canary, reject_canary
from stages.models import Rollout


class AdvanceRequest(ReasonedRequest):
    """Fields of advance."""

    weight: Integer | None = field(
        "freeze.rollout.weight", None, ge=0, le=100, description="The weight that the caller saw; another one is refused."
    )


def accept(call: Call, request: ReasonedRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict when no canary waits for a decision."""
    return _decided(call, request, accept_canary)


def reject(call: Call, request: ReasonedRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict when no canary waits for a decision."""
    return _decided(call, request, reject_canary)


def advance(call: Call, request: AdvanceRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict when no canary waits, or when this is its last weight."""
    return _decided(call, request, advance_canary, seen=request.weight)


def _decided(call: Call, request: ReasonedRequest, act: Callable[..., Rollout], **more: Any) -> dict[str, Any]:
    act(actor=call.actor, rollout=find_rollout(call, request.number), reason=request.reason, **more)
    return rollout_item(call, request.number)


def _decision(function: str, path: str, request: type[ReasonedRequest], handler: Any, summary: str) -> Method:
    return api_method("rollout", function, "POST", f"/rollouts/{{number}}/canary/{path}", request, RolloutModel, handler, summary)


METHODS = [
    _decision("acceptCanary", "accept", ReasonedRequest, accept, "Give a canary's versions to everybody"),
    _decision("rejectCanary", "reject", ReasonedRequest, reject, "Withdraw a canary"),
    _decision("advanceCanary", "advance", AdvanceRequest, advance, "Go to a canary's next weight"),
]
