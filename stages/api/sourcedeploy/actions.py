"""Start a rollout, decide about one, cancel one. The answers come before the work is done; the history shows its course."""

from __future__ import annotations

from gs2admin.wire.protocol import Reply, Request
from stages.api.sourcedeploy.find import rollout_of, scenario_of
from stages.approval.services import approve_rollout, reject_rollout
from stages.canary.services import accept_canary, reject_canary
from stages.rollouts.services import cancel_rollout, promote_stage
from stages.states import Protocol

DONE = {"result": True}


def deploy(request: Request) -> Reply:
    """Bring the stage to its source's versions by this scenario.

    The rollout waits for approval where a rule needs it, and for its turn while another rollout of the stage is live.
    Raises NotFound, Denied, Invalid, Conflict (a stop or a freeze window blocks it, too many wait).
    """
    return _started(request, ask=False)


def ask(request: Request) -> Reply:
    """As deploy, but somebody has to approve it first in any case."""
    return _started(request, ask=True)


def _started(request: Request, *, ask: bool) -> Reply:
    stage, scenario = scenario_of(request)
    rollout = promote_stage(
        actor=request.actor, stage=stage, scenario=scenario, protocol=Protocol.SOURCE_DEPLOY, ask=ask, queue=True
    )
    return Reply({"historyId": rollout.number})


def accept(request: Request) -> Reply:
    """Approve a rollout that waits. Raises NotFound, Denied (also for the requester), Conflict when it does not wait."""
    approve_rollout(actor=request.actor, rollout=rollout_of(request))
    return Reply(dict(DONE))


def reject(request: Request) -> Reply:
    """Reject a rollout that waits for approval. Raises as accept."""
    reject_rollout(actor=request.actor, rollout=rollout_of(request))
    return Reply(dict(DONE))


def cancel(request: Request) -> Reply:
    """Raises NotFound, Denied, Conflict when it has ended or may not be stopped."""
    cancel_rollout(actor=request.actor, rollout=rollout_of(request))
    return Reply(dict(DONE))


def canary_accept(request: Request) -> Reply:
    """Give the new versions to everybody. Raises NotFound, Denied, Conflict when no canary waits for a person."""
    accept_canary(actor=request.actor, rollout=rollout_of(request))
    return Reply(dict(DONE))


def canary_reject(request: Request) -> Reply:
    """Withdraw the canary. Raises NotFound, Denied, Conflict."""
    reject_canary(actor=request.actor, rollout=rollout_of(request))
    return Reply(dict(DONE))
