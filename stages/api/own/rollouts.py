"""Rollouts in our own JSON API: read, cancel, approve, reject, retry."""

from __future__ import annotations

from typing import Any, Literal

from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Boolean, Result, Text, field
from gs2admin.wire.table import Answer
from stages.api.find import find_rollout, viewing
from stages.api.own.shapes import ReasonedRequest, RolloutModel, RolloutRequest, api_method, rollout_item
from stages.approval.services import approve_rollout, reject_rollout
from stages.models import Rollout
from stages.rollouts.services import cancel_rollout, retry_rollout


class RetryRequest(ReasonedRequest):
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


@viewing
def get_rollout(call: Call, request: RolloutRequest) -> dict[str, Any]:
    """Raises NotFound."""
    return rollout_item(call, request.number)


def cancel(call: Call, request: ReasonedRequest) -> dict[str, Any]:
    """The rollout, canceled or canceling. Raises NotFound, Denied, Conflict when it has ended."""
    cancel_rollout(actor=call.actor, rollout=find_rollout(call, request.number), reason=request.reason)
    return rollout_item(call, request.number)


def approve(call: Call, request: ReasonedRequest) -> dict[str, Any]:
    """Raises NotFound, Denied (by the rule, or the caller requested it), Conflict when it does not wait any more."""
    return _decision(approve_rollout(actor=call.actor, rollout=find_rollout(call, request.number), reason=request.reason))


def reject(call: Call, request: ReasonedRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict when it does not wait any more."""
    return _decision(reject_rollout(actor=call.actor, rollout=find_rollout(call, request.number), reason=request.reason))


def retry(call: Call, request: RetryRequest) -> Answer:
    """202 with the new rollout. Raises NotFound, Denied, Conflict, Invalid when it cannot go on from its failed step."""
    new = retry_rollout(
        actor=call.actor, rollout=find_rollout(call, request.number), reason=request.reason, request_key=request.request_key,
        override=request.override, how="" if request.how == "all" else request.how,
    )
    return Answer(_decision(Rollout.objects.select_related("stage").get(pk=new.pk)), 202)


def _decision(row: Rollout) -> dict[str, Any]:
    sentence = row.approval.sentence if hasattr(row, "approval") else ""
    return {"number": row.number, "stage": row.stage.name, "state": row.state, "sentence": sentence,
            "approvedBy": list(row.votes.order_by("id").values_list("name", flat=True))}


_PATH = "/rollouts/{number}"
METHODS = [
    api_method("rollout", "getRollout", "GET", _PATH, RolloutRequest, RolloutModel, get_rollout, "A rollout"),
    api_method("rollout", "cancelRollout", "POST", _PATH + "/cancel", ReasonedRequest, RolloutModel, cancel, "Cancel a rollout"),
    api_method("rollout", "approveRollout", "POST", _PATH + "/approve", ReasonedRequest, DecisionModel, approve,
               "Approve a rollout"),
    api_method("rollout", "rejectRollout", "POST", _PATH + "/reject", ReasonedRequest, DecisionModel, reject,
               "Reject a rollout"),
    api_method("rollout", "retryRollout", "POST", _PATH + "/retry", RetryRequest, DecisionModel, retry,
               "Try a failed rollout again", statuses={202: "Accepted; number is the new rollout's."}),
]  # fmt: skip
