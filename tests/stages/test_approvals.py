"""Approval: who may, how often, what a vote is worth, and the rule that asks for it."""
from __future__ import annotations

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM, Actor, from_credential
from gs2admin.identity.models import Membership, Role
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from gs2admin.identity.services.members import change_member_role, remove_member
from stages.approval.reads import lost_approval
from stages.approval.services import approve_rollout, reject_rollout, save_rule
from stages.core.status import status_of
from stages.models.governance import Approval, ApprovalRule, Vote
from stages.rollouts.services import cancel_rollout, promote_stage
from tests.stages.approvals import BOTH, fresh

pytestmark = pytest.mark.django_db


def test_a_promote_waits_until_somebody_else_approves(asked, dev, producer, owner, actor_of, run, pins, rings, texts):
    assert asked.state == "awaiting_approval" and rings == [] and status_of(dev) == "Active"
    assert fresh(asked).approval.sentence == "It needs 1 approval by admin or producer."
    assert run(asked).state == "awaiting_approval", "no worker touches it"
    with pytest.raises(Denied, match="You requested rollout 1 yourself"):
        approve_rollout(actor=actor_of(producer), rollout=asked)
    approved = approve_rollout(actor=actor_of(owner), rollout=asked, reason="looks good")
    assert approved.state == "queued" and rings == [("stages.worker.tasks.run_rollout", asked.pk)]
    assert run(asked).state == "succeeded" and pins(dev) == {"auth": "1"}
    assert texts(asked)[:2] == ["Approved by olga.", "Approved by olga. It starts."]
    said = Activity.objects.filter(object_type="rollout").order_by("id").values_list("action", "actor_name", "reason")
    assert list(said) == [("stage.promote", "mika", "Friday"), ("rollout.approve", "olga", "looks good"), ("rollout.release", "system", "")]


def test_two_approvals_are_two_people_and_twice_the_same_is_one(ruled, asked, owner, support, actor_of, project):
    ruled(2, ["admin", "support"])
    for _ in range(2):
        assert approve_rollout(actor=actor_of(owner), rollout=asked).state == "awaiting_approval"
    assert "has 1 of 2" in fresh(asked).approval.sentence and Vote.objects.count() == 1
    assert approve_rollout(actor=actor_of(support), rollout=asked).state == "queued"


def test_who_may_approve(ruled, asked, viewer, developer, stranger, actor_of):
    with pytest.raises(Denied):
        approve_rollout(actor=actor_of(viewer), rollout=asked)
    with pytest.raises(Denied, match="needs 1 approval by admin or producer; your role here is developer"):
        approve_rollout(actor=actor_of(developer), rollout=asked)
    with pytest.raises(NotFound):
        approve_rollout(actor=actor_of(stranger), rollout=asked)
    for actor in (SYSTEM, Actor("script", "", "s", {asked.project_id: "service"}, door="script")):
        with pytest.raises(Denied, match="Only people and credentials"):
            approve_rollout(actor=actor, rollout=asked)
    for act in (approve_rollout, reject_rollout):
        with pytest.raises(Denied):
            act(actor=actor_of(developer), rollout=asked)
    assert not Vote.objects.exists()


def test_nobody_approves_alone_with_a_second_name(ruled, asked, dev, owner, producer, actor_of, project):
    admin = actor_of(owner)
    mine, _ = create_credential(actor=admin, project=project, name="mine", role=Role.ADMIN)
    program = from_credential(mine, door="api")
    cancel_rollout(actor=SYSTEM, rollout=asked)
    own = promote_stage(actor=program, stage=dev)
    with pytest.raises(Denied, match="requested rollout"):
        approve_rollout(actor=admin, rollout=own)
    cancel_rollout(actor=SYSTEM, rollout=own)
    ruled(2, BOTH)
    third = promote_stage(actor=actor_of(producer), stage=dev)
    approve_rollout(actor=admin, rollout=third)
    assert approve_rollout(actor=program, rollout=third).state == "awaiting_approval", "olga's credential counts for olga"


def test_reject_and_cancel(asked, dev, producer, viewer, owner, actor_of, texts):
    rejected = reject_rollout(actor=actor_of(owner), rollout=asked, reason="not on a Friday")
    assert rejected.state == "rejected" and rejected.ended_at and texts(asked)[-1] == "Rejected by olga: not on a Friday"
    for act in (approve_rollout, reject_rollout):
        with pytest.raises(Conflict, match="was rejected; it does not wait"):
            act(actor=actor_of(owner), rollout=asked)
    second = promote_stage(actor=actor_of(producer), stage=dev)
    Membership.objects.filter(user=producer).update(role=Role.VIEWER)
    with pytest.raises(Denied):
        cancel_rollout(actor=actor_of(viewer), rollout=second)
    assert cancel_rollout(actor=actor_of(producer), rollout=second).state == "canceled", "who asked may always withdraw"
    assert status_of(dev) == "Active"


def test_an_approver_approves_what_was_shown(asked, owner, actor_of):
    with pytest.raises(Conflict, match="no longer what was requested"):
        approve_rollout(actor=actor_of(owner), rollout=asked, digest="0" * 64)
    assert approve_rollout(actor=actor_of(owner), rollout=asked, digest=fresh(asked).approval.digest).state == "queued"


def test_a_rule_that_changes_or_goes_leaves_nothing_stuck(ruled, asked, dev, owner, actor_of):
    approve = lambda: approve_rollout(actor=actor_of(owner), rollout=asked)  # noqa: E731
    ruled(2)
    assert approve().state == "awaiting_approval"
    ruled(2, ["producer"])
    assert "needs 2 approvals by producer" in fresh(asked).approval.sentence
    ruled(2, BOTH)
    assert "has 1 of 2" in fresh(asked).approval.sentence
    ruled(1, BOTH)
    assert fresh(asked).state == "queued", "the approval that is there is enough for the new rule"
    cancel_rollout(actor=SYSTEM, rollout=asked)
    second = promote_stage(actor=SYSTEM, stage=dev)
    ruled(0)
    assert fresh(second).state == "queued"


@pytest.mark.parametrize("needed, roles", [(-1, BOTH), (11, BOTH), (1, []), (1, ["viewer"]), (1, ["king"])])
def test_a_rule_that_makes_no_sense(needed, roles, ruled):
    with pytest.raises(Invalid):
        ruled(needed, roles)


def test_only_admins_change_rules(dev, producer, actor_of):
    with pytest.raises(Denied):
        save_rule(actor=actor_of(producer), stage=dev, needed=0, roles=[])


LOSSES = {
    "role": lambda member, **_: change_member_role(actor=SYSTEM, membership=member, role=Role.VIEWER),
    "membership": lambda member, **_: remove_member(actor=SYSTEM, membership=member),
    "account": lambda member, **_: type(member.user).objects.filter(pk=member.user_id).update(is_active=False),
}


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_vote_of_who_lost_the_role_counts_no_more(loss, ruled, asked, project, owner, support, actor_of):
    ruled(2, ["admin", "support"])
    approve_rollout(actor=actor_of(support), rollout=asked)
    LOSSES[loss](Membership.objects.get(user=support))
    assert approve_rollout(actor=actor_of(owner), rollout=asked).state == "awaiting_approval"
    assert "has 1 of 2" in fresh(asked).approval.sentence


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_a_role_lost_between_the_last_vote_and_the_start_stops_it(loss, ruled, asked, support, actor_of, run, texts, dev):
    ruled(1, ["support"])
    assert approve_rollout(actor=actor_of(support), rollout=asked).state == "queued"
    LOSSES[loss](Membership.objects.get(user=support))
    ended = run(asked)
    assert ended.state == "canceled" and not ended.started_at and status_of(dev) == "Active"
    assert texts(asked)[-1] == ("Canceled before it began. An approval does not count any more. "
                                "It needs 1 approval by support.")


def test_an_approval_that_the_requester_wanted_may_be_lost_before_the_start_too(asked, owner, actor_of):
    ApprovalRule.objects.all().delete()
    Approval.objects.update(asked=True)
    assert lost_approval(asked.pk) == (
        "An approval does not count any more. It needs 1 approval by admin, producer or service.")
    assert approve_rollout(actor=actor_of(owner), rollout=asked).state == "queued" and lost_approval(asked.pk) == ""


def test_a_credential_that_was_revoked_counts_no_more(ruled, asked, project, run):
    ruled(1, ["service"])
    row, _ = create_credential(actor=SYSTEM, project=project, name="gate")
    assert approve_rollout(actor=from_credential(row, door="api"), rollout=asked).state == "queued"
    revoke_credential(actor=SYSTEM, credential=row)
    assert run(asked).state == "canceled"
