"""Approval: who may, how often, what ends it, and that nothing starts in another way."""
from __future__ import annotations

import pytest
from django.db import transaction

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM, Actor, from_credential
from gs2admin.identity.models import Membership, Role
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from gs2admin.identity.services.members import change_member_role, remove_member
from stages.approval.decision import Start, Void, Wait
from stages.approval.reads import lost_approval
from stages.approval.services import approve_rollout, reject_rollout, resolve, save_rule
from stages.core import ledger
from stages.core.status import status_of
from stages.gates.services import resume_promotions, stop_promotions
from stages.models import Rollout
from stages.models.governance import Approval, ApprovalRule, Vote
from stages.rollouts.services import cancel_rollout, promote_stage, rollback_stage
from stages.setup.stages import delete_stage
from stages.setup.versions import register_version
from stages.worker import chores as sweep
from tests.stages.test_gates import Door

pytestmark = pytest.mark.django_db
BOTH = ["producer", "admin"]


@pytest.fixture
def ruled(dev, register, owner, actor_of):
    """dev with a rule; ruled(needed, roles) changes it."""
    register(auth="1")

    def act(needed=1, roles=None, **more):
        return save_rule(actor=actor_of(owner), stage=dev, needed=needed, roles=BOTH if roles is None else roles, **more)

    act()
    return act


@pytest.fixture
def asked(ruled, dev, producer, actor_of):
    """A promote that mika asked for and that waits."""
    return promote_stage(actor=actor_of(producer), stage=dev, reason="Friday", request_key="k")


def fresh(rollout) -> Rollout:
    return Rollout.objects.select_related("approval", "stage").get(pk=rollout.pk)


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


def test_one_request_at_a_time_and_the_same_key_is_the_same(asked, dev, owner, producer, actor_of):
    assert promote_stage(actor=actor_of(producer), stage=dev, request_key="k") == asked
    with pytest.raises(Conflict) as refusal:
        promote_stage(actor=actor_of(owner), stage=dev)
    assert refusal.value.code == "freeze.stage.awaitingApproval" and refusal.value.extra["rollout"] == asked.number


def test_it_ends_when_what_was_asked_for_moves(asked, dev, owner, actor_of, register):
    register(auth="2")
    void = approve_rollout(actor=actor_of(owner), rollout=asked)
    assert void.state == "canceled" and not void.started_at and void.cause == "system"
    assert "no longer what was requested" in fresh(asked).approval.sentence
    assert Activity.objects.filter(action="rollout.void", actor_kind="system").count() == 1
    again = promote_stage(actor=SYSTEM, stage=dev)
    assert again.state == "awaiting_approval" and again.to_set.versions == {"auth": "2"}


def test_the_sweep_ends_it_too_and_a_new_request_replaces_a_void_one(asked, dev, register):
    register(auth="2")
    new = promote_stage(actor=SYSTEM, stage=dev)
    assert new.state == "awaiting_approval" and fresh(asked).state == "canceled"
    register(auth="3")
    assert sweep.settle_requests() == 1 and fresh(new).state == "canceled"
    assert sweep.settle_requests() == 0


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


def test_who_asked_must_still_be_allowed_to_promote(asked, producer, owner, actor_of):
    Membership.objects.filter(user=producer).update(role=Role.VIEWER)
    assert approve_rollout(actor=actor_of(owner), rollout=asked).state == "canceled"
    assert fresh(asked).approval.sentence == "mika, who requested it, may no longer promote here."


def test_approved_in_a_freeze_it_starts_when_the_gate_opens(asked, owner, actor_of, project, rings):
    stop_promotions(actor=SYSTEM, project=project, reason="incident")
    waits = approve_rollout(actor=actor_of(owner), rollout=asked)
    assert waits.state == "awaiting_approval" and "starts when no gate blocks it" in fresh(asked).approval.sentence
    resume_promotions(actor=SYSTEM, project=project)
    assert sweep.settle_requests() == 1 and fresh(asked).state == "queued" and len(rings) == 1


def test_an_override_at_the_request_carries_over_to_the_start(ruled, dev, owner, producer, actor_of, project):
    stop_promotions(actor=SYSTEM, project=project, reason="incident")
    asked = promote_stage(actor=actor_of(owner), stage=dev, override=True, reason="the fix")
    assert asked.state == "awaiting_approval"
    assert approve_rollout(actor=actor_of(producer), rollout=asked).state == "queued"


def test_rollbacks_pass_unless_the_rule_covers_them(dev, register, promote, ruled, run):
    ruled(0)
    for version in ("2", "3", "4"):
        register(auth=version)
        promote(dev)
    ruled(1)
    assert run(rollback_stage(actor=SYSTEM, stage=dev)).state == "succeeded"
    ruled(1, covers_rollbacks=True)
    promote_stage(actor=SYSTEM, stage=dev)
    with pytest.raises(Conflict, match="waits for approval"):
        rollback_stage(actor=SYSTEM, stage=dev)


def test_a_rollback_that_runs_first_ends_the_request(dev, register, promote, ruled, run, owner, actor_of):
    ruled(0)
    for version in ("2", "3"):
        register(auth=version)
        promote(dev)
    register(auth="4")
    ruled(1)
    asked = promote_stage(actor=SYSTEM, stage=dev)
    rollback = rollback_stage(actor=SYSTEM, stage=dev)
    assert approve_rollout(actor=actor_of(owner), rollout=asked).state == "awaiting_approval"
    assert f"waits for the end of rollout {rollback.number}" in fresh(asked).approval.sentence
    run(rollback)
    sweep.settle_requests()
    assert fresh(asked).state == "canceled"


def test_a_request_on_a_stage_without_rule_needs_one_other(dev, register, producer, owner, actor_of):
    register(auth="1")
    asked = promote_stage(actor=actor_of(producer), stage=dev, ask=True)
    assert asked.state == "awaiting_approval"
    with pytest.raises(Denied):
        approve_rollout(actor=actor_of(producer), rollout=asked)
    assert approve_rollout(actor=actor_of(owner), rollout=asked).state == "queued"


def test_a_stage_that_is_deleted_ends_its_request(asked, dev):
    delete_stage(actor=SYSTEM, stage=dev)
    sweep.settle_requests()
    assert fresh(asked).state == "canceled" and fresh(asked).approval.sentence == "dev was deleted."


def test_gs2_clients_make_requests_and_the_json_api_decides(ruled, dev, project):
    register_version(actor=SYSTEM, project=project, microservice="chat", version="1")
    ruled(1, ["admin"])
    game, admin = Door(project), Door(project, Role.ADMIN)
    answer = game("/freeze/dev/promote", {})
    assert answer.status_code == 200 and answer.json()["item"]["status"] == "Active"
    rollout = Rollout.objects.get()
    assert rollout.state == "awaiting_approval"
    assert game("/freeze/dev/promote", {}).status_code == 409
    assert game("/api/v1/stages/dev/promote", {}).json()["error"]["code"] == "freeze.stage.awaitingApproval"
    assert game(f"/api/v1/rollouts/{rollout.number}/approve", {}).status_code == 403
    decided = admin(f"/api/v1/rollouts/{rollout.number}/approve", {"reason": "ok"}).json()
    assert decided == {"number": 1, "stage": "dev", "state": "queued", "sentence": "Approved by door-admin.",
                       "approvedBy": ["door-admin"]}
    assert admin(f"/api/v1/rollouts/{rollout.number}/reject", {}).json()["error"]["code"] == "freeze.stage.notAwaiting"
    assert admin("/api/v1/rollouts/99/reject", {}).status_code == 404


def seen(rollout) -> tuple[int, int]:
    """How often rollout and stage have changed for those who look at them."""
    row = fresh(rollout)
    return row.revision, row.stage.revision


def of_activity(action: str) -> dict:
    return Activity.objects.values("actor_name", "object_id", "after").get(action=action)


def decided(rollout):
    """What `resolve` says, under the lock that it asks for."""
    with transaction.atomic():
        ledger.lock(rollout.project_id)
        return resolve(rollout)


def test_the_decision_to_start_is_carried_out_once(ruled, asked, owner, dev, rings, texts):
    Vote.objects.create(rollout=asked, kind="person", voter_id=str(owner.pk), name="olga", identity="person:olga")
    before = seen(asked)
    assert decided(asked) == Start("Approved by olga.")
    row = fresh(asked)
    assert (row.state, row.approval.sentence, texts(asked)[-1]) == ("queued", "Approved by olga.", "Approved by olga. It starts.")
    assert row.revision > before[0] and row.stage.revision == before[1] + 1
    assert of_activity("rollout.release") == {
        "actor_name": "system", "object_id": str(asked.pk), "after": {"stage": "dev", "because": "Approved by olga."}}
    assert rings == [("stages.worker.tasks.run_rollout", asked.pk)]
    after = seen(asked)
    assert decided(asked) is None and seen(asked) == after and len(rings) == 1


def test_the_decision_to_end_is_carried_out(asked, dev, rings):
    Rollout.objects.filter(pk=asked.pk).update(requested_by_kind="person", requested_by_id="0")
    found = decided(asked)
    assert isinstance(found, Void) and "may no longer promote" in found.sentence
    row = fresh(asked)
    assert (row.state, row.cause, row.approval.sentence, rings) == ("canceled", "system", found.sentence, [])
    assert of_activity("rollout.void") == {
        "actor_name": "system", "object_id": str(asked.pk), "after": {"stage": "dev", "because": found.sentence}}


def test_a_wait_is_written_when_its_sentence_changes(ruled, asked):
    before = seen(asked)
    assert decided(asked) == Wait("It needs 1 approval by admin or producer.") and seen(asked) == before
    ApprovalRule.objects.update(needed=2)
    assert decided(asked) == Wait("It needs 2 approvals by admin or producer.")
    assert fresh(asked).approval.sentence == "It needs 2 approvals by admin or producer."
    assert seen(asked) == (before[0] + 1, before[1] + 1)
