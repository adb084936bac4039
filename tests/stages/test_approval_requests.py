"""A rollout that waits for approval: what ends it, what holds it back, how it starts, and that nothing starts in another way."""
from __future__ import annotations

import pytest
from django.db import transaction

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Membership, Role
from stages.approval.decision import Start, Void, Wait
from stages.approval.services import approve_rollout, resolve, save_rule
from stages.core import ledger
from stages.gates.services import resume_promotions, stop_promotions
from stages.models import Rollout
from stages.models.governance import ApprovalRule, Vote
from stages.rollouts.services import promote_stage, rollback_stage
from stages.setup.stages import create_stage, delete_stage
from stages.setup.versions import register_version
from stages.worker import chores as sweep
from tests.stages.approvals import fresh
from tests.stages.test_gates import Door

pytestmark = pytest.mark.django_db


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


def test_a_decision_about_one_request_leaves_the_others_waiting(ruled, asked, owner, project):
    other = create_stage(actor=SYSTEM, project=project, name="other", sort_number=1)
    save_rule(actor=SYSTEM, stage=other, needed=3, roles=["admin"])
    beside = promote_stage(actor=SYSTEM, stage=other)
    before = Rollout.objects.values().get(pk=beside.pk)
    ApprovalRule.objects.filter(stage=asked.stage).update(needed=2)
    assert isinstance(decided(asked), Wait)
    ApprovalRule.objects.filter(stage=asked.stage).update(needed=1)
    Vote.objects.create(rollout=asked, kind="person", voter_id=str(owner.pk), name="olga", identity="person:olga")
    assert isinstance(decided(asked), Start) and fresh(asked).state == "queued"
    assert Rollout.objects.values().get(pk=beside.pk) == before
