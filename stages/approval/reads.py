"""What a rollout needs before it starts, which votes count now, and the decision that follows from both."""
from __future__ import annotations

from typing import Any, NamedTuple

from gs2admin.errors import Invalid
from gs2admin.identity.rights import RIGHTS
from stages.approval import voters
from stages.approval.decision import CountedVote, Decision, Facts, Requirement, decide, missing
from stages.gates.reads import blocking, closed
from stages.models import Rollout, Stage
from stages.models.governance import ApprovalRule
from stages.plan.preview_retry import preview_again
from stages.states import Kind, RolloutState

# The roles that may start a rollout; a vote by one of them counts where neither rule nor scenario names roles.
PROMOTERS = frozenset(RIGHTS["stage.promote"])


class Votes(NamedTuple):
    """The votes of a rollout as they count now. requester_lost: a sentence when the requester may no longer promote, or ""."""

    counted: list[CountedVote]
    requester_lost: str


def requirements_of(stage: Stage, kind: str, scenario: Any = None, *, asked: bool = False) -> list[Requirement]:
    """What a rollout of that kind (states.Kind) on that stage needs now, by the stage's rule and by the scenario.

    asked: the requester wants an approval; one by anybody who may promote is needed where nothing else is.
    """
    found = []
    rule = ApprovalRule.objects.filter(stage=stage).first()
    if rule and (rule.covers_rollbacks or kind != Kind.ROLLBACK):
        found.append(Requirement(rule.needed, frozenset(rule.roles)))
    if scenario is not None and scenario.approvals_required and kind != Kind.ROLLBACK:
        roles, people = (frozenset(scenario.approvers.get(name) or ()) for name in ("roles", "people"))
        found.append(Requirement(scenario.approvals_required, roles if roles or people else PROMOTERS, people))
    if asked and not found:
        found.append(Requirement(1, PROMOTERS))
    return found


def waiting_on(stage: Stage) -> Rollout | None:
    """The rollout of the stage that waits for approval; there is at most one."""
    return Rollout.objects.filter(stage=stage, state=RolloutState.AWAITING_APPROVAL).order_by("id").first()


def rollout_with_approval(pk: int) -> Rollout:
    """A rollout with what a decision about it reads."""
    return Rollout.objects.select_related("stage", "approval", "scenario", "to_set", "retry_of", "undoes").get(pk=pk)


def decision_on(row: Rollout, *, lock: bool) -> Decision:
    """The decision of this moment about a rollout that waits (rollout_with_approval).

    lock: keep the voters' roles unchanged until the end of the transaction.
    """
    approval = row.approval
    stage, ended, moved = row.stage, "", False
    try:
        preview = preview_again(row, approval.redo)
        moved = preview.digest != approval.digest
        scenario = preview.scenario
    except Invalid as refusal:
        ended, scenario = f"It ended: {refusal.sentence}", None
    if stage.deleted_at:
        ended = f"{stage.name} was deleted."
    votes = votes_now(row, lock=lock)
    gates = [] if approval.override else blocking(closed(row.project_id), row.stage_id, row.kind)
    live = Rollout.objects.live().filter(stage_id=row.stage_id).values_list("number", flat=True).first()
    return decide(
        requirements_of(stage, row.kind, scenario, asked=approval.asked), votes.counted,
        Facts(ended or votes.requester_lost, moved, live, [gate.sentence for gate in gates]),
    )


def lost_approval(rollout_id: int) -> str:
    """For the worker that is about to begin: why the rollout is no longer approved; empty while it is, or needs no approval.

    The project's lock must be held; the voters' roles stay unchanged until the end of the transaction.
    """
    row = rollout_with_approval(rollout_id)
    if not hasattr(row, "approval"):
        return ""
    votes = votes_now(row, lock=True)
    left = missing(requirements_of(row.stage, row.kind, row.scenario, asked=row.approval.asked), votes.counted)
    return votes.requester_lost or (f"An approval does not count any more. {left}" if left else "")


def votes_now(row: Rollout, *, lock: bool) -> Votes:
    """The votes of a rollout with the present roles of the voters. lock: as in decision_on."""
    votes = list(row.votes.order_by("id"))
    requester = (row.requested_by_kind, row.requested_by_id)
    roles = voters.roles_of(row.project_id, {requester, *((vote.kind, vote.voter_id) for vote in votes)}, lock=lock)
    lost = lost_right(row, roles[requester])
    return Votes([CountedVote(vote.identity, vote.name, roles[vote.kind, vote.voter_id]) for vote in votes], lost)


def lost_right(row: Rollout, role: str | None) -> str:
    """A sentence when the requester of a rollout, who has that role now, may no longer promote; else empty."""
    if row.requested_by_kind in {"person", "credential"} and role not in PROMOTERS:
        return f"{row.requested_by}, who requested it, may no longer promote here."
    return ""
