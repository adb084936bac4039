"""Writes of approval: votes, rules, requests, and the end of a rollout's wait.

`resolve` makes the decision of the moment and carries it out. It is called after each change that may matter (a vote, a
changed rule) and by the sweep. A rollout that waits for approval leaves that state by `resolve`, by a rejection here, or by
a cancel (stages.rollouts). A worker that is about to begin asks `reads.lost_approval`, because a role may be lost meanwhile.
"""
from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM, Actor
from gs2admin.identity.models import Role
from gs2admin.identity.rights import RIGHTS, require
from gs2admin.transitions import apply
from stages.approval import voters
from stages.approval.decision import Decision, Start, Void, Wait
from stages.approval.reads import decision_on, requirements_of, rollout_with_approval, waiting_on
from stages.core import journal, ledger
from stages.core.reasons import checked_reason
from stages.core.wake import RUN
from stages.core.words import phrase_of
from stages.gates.reads import blocking, closed, refusal
from stages.models import Rollout, Stage
from stages.models.governance import Approval, ApprovalRule, Vote
from stages.states import BY_ID, Cause, Kind, RolloutState, StepState


def refuse_second_request(stage: Stage) -> None:
    """Raises Conflict while another rollout of the stage waits for approval; one that became void ends here.

    The project's lock must be held.
    """
    pending = waiting_on(stage)
    if pending and isinstance(resolve(pending), Wait):
        raise Conflict(
            f"Rollout {pending.number} by {pending.requested_by} already waits for approval on {stage.name}. Approve, reject "
            "or cancel it first.",
            component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.awaitingApproval",
            extra={"rollout": pending.number},
        )


def cannot_wait(stage: Stage) -> Conflict:
    """The refusal of a mesh release on a stage that needs approval: its clients know no state of waiting."""
    return Conflict(f"{stage.name} needs approval, which a mesh release cannot wait for. Promote it instead.", component="stage",
                    message="freeze.stage.stage.error.conflict", code="freeze.stage.needsApproval")


def refuse_new_versions(stage: Stage) -> None:
    """Raises Conflict where a running rollout may not get other versions: a gate or a rule would block a new rollout too."""
    if gates := blocking(closed(stage.project_id), stage.pk):
        raise refusal(gates)
    if requirements_of(stage, Kind.PROMOTE):
        raise cannot_wait(stage)


def open_request(rollout: Rollout, digest: str, *, asked: bool, override: bool, redo: str = "") -> None:
    """Store what must be approved of a new rollout, and resolve it; called in the transaction that creates the rollout.

    digest: of the preview. asked, override, redo: as in models.Approval.
    """
    Approval.objects.create(rollout=rollout, digest=digest, asked=asked, override=override, redo=redo)
    resolve(rollout)


def close_request(rollout: Rollout, sentence: str) -> None:
    """Store how a rollout that waited for approval ended; nothing happens for one that did not wait."""
    Approval.objects.filter(rollout=rollout).update(sentence=sentence)


def approve_rollout(*, actor: Actor, rollout: Rollout, reason: str = "", digest: str | None = None) -> Rollout:
    """Approve a waiting rollout; it starts when no approval is missing any more. A second approval changes nothing.

    digest: of what the approver saw; another one is refused. Raises NotFound, Denied (no right, not by the rule, or the
    requester's own), Invalid (reason too long), Conflict (it does not wait any more; the preview has changed).
    """
    require(actor, "rollout.approve", rollout)
    why = checked_reason(reason)
    with transaction.atomic():
        now = _waiting(rollout)
        _check_voter(actor, now)
        if digest is not None and digest != now.approval.digest:
            raise Conflict("This is no longer what was requested. Look at it again.", component="stage",
                           message="freeze.stage.stage.error.conflict", code="freeze.stage.previewChanged")
        _, created = Vote.objects.get_or_create(
            rollout=now, identity=voters.identity_of_actor(actor),
            defaults={"kind": actor.kind, "voter_id": actor.id, "name": actor.name, "reason": why},
        )
        if created:
            journal.append(now.pk, now.stage_id, [journal.Line(f"Approved by {actor.name}.")])
            record(actor=actor, action="rollout.approve", obj=now, reason=why,
                   after={"stage": now.stage.name, "digest": now.approval.digest})
        resolve(now)
    return Rollout.objects.select_related("stage").get(pk=rollout.pk)


def reject_rollout(*, actor: Actor, rollout: Rollout, reason: str = "") -> Rollout:
    """End a waiting rollout. Who may approve it may reject it; the requester cancels it instead. Raises as approve_rollout."""
    require(actor, "rollout.approve", rollout)
    why = checked_reason(reason)
    with transaction.atomic():
        now = _waiting(rollout)
        _check_voter(actor, now)
        _end(now, "A2", f"Rejected by {actor.name}" + (f": {why}" if why else "."), cause=Cause.USER)
        record(actor=actor, action="rollout.reject", obj=now, before={"state": now.state},
               after={"stage": now.stage.name, "state": RolloutState.REJECTED}, reason=why)
    return Rollout.objects.select_related("stage").get(pk=rollout.pk)


def save_rule(
    *, actor: Actor, stage: Stage, needed: int, roles: list[str], covers_rollbacks: bool = False, reason: str = ""
) -> ApprovalRule | None:
    """Set the stage's rule; needed=0 removes it and returns None. A rollout that waits is resolved by the new rule.

    Raises NotFound, Denied, Invalid.
    """
    require(actor, "approval.edit", stage)
    clean = sorted(set(roles))
    if not isinstance(needed, int) or not 0 <= needed <= 10:
        raise Invalid("A rule needs 1 to 10 approvals; 0 removes the rule.", component="stage",
                      message="freeze.stage.approvals.error.invalid", extra={"field": "needed"})
    if needed and (not clean or not set(clean) <= RIGHTS["rollout.approve"]):
        raise Invalid("Choose the roles whose approval counts.", component="stage",
                      message="freeze.stage.approvers.error.invalid", extra={"field": "roles"})
    with transaction.atomic():
        ledger.lock(stage.project_id)
        row = Stage.objects.filter(pk=stage.pk, deleted_at=None).first()
        if row is None:
            raise NotFound(f"There is no stage {stage.name}.", component="stage", message="freeze.stage.stage.error.notFound")
        rule = ApprovalRule.objects.filter(stage=row).first()
        before = _facts(rule)
        if needed:
            rule, _ = ApprovalRule.objects.update_or_create(
                stage=row, defaults={"needed": needed, "roles": clean, "covers_rollbacks": covers_rollbacks})
        elif rule:
            rule.delete()
            rule = None
        if _facts(rule) != before:
            record(actor=actor, action="stage.approval", obj=row, before=before, after=_facts(rule), reason=reason)
            Stage.objects.filter(pk=row.pk).update(revision=F("revision") + 1)
        if pending := waiting_on(row):
            resolve(pending)
        return rule


def _facts(rule: ApprovalRule | None) -> dict[str, Any]:
    if rule is None:
        return {"approvals": 0}
    return {"approvals": rule.needed, "roles": ", ".join(rule.roles), "rollbacks_too": rule.covers_rollbacks}


def resolve(rollout: Rollout) -> Decision | None:
    """Decide about a waiting rollout and carry the decision out; None when it does not wait any more.

    The project's lock must be held.
    """
    now = rollout_with_approval(rollout.pk)
    if now.state != RolloutState.AWAITING_APPROVAL:
        return None
    decision = decision_on(now, lock=True)
    match decision:
        case Start(sentence=sentence):
            if apply(Rollout.objects.filter(pk=now.pk), BY_ID["A1"], revision=F("revision") + 1):
                _set_sentence(now, sentence)
                journal.append(now.pk, now.stage_id, [journal.Line(f"{sentence} It starts.")])
                record(actor=SYSTEM, action="rollout.release", obj=now, after={"stage": now.stage.name, "because": sentence})
                _touch(now)
                engine.wake(RUN, now.pk)
        case Void(sentence=sentence):
            _end(now, "A3", sentence, cause=Cause.SYSTEM)
            record(actor=SYSTEM, action="rollout.void", obj=now, after={"stage": now.stage.name, "because": sentence})
        case Wait(sentence=sentence):
            if _set_sentence(now, sentence):
                Rollout.objects.filter(pk=now.pk).update(revision=F("revision") + 1)
                _touch(now)
    return decision


def resolve_waiting(pk: int) -> bool:
    """For the sweep: resolve one rollout, if its decision or the sentence would change; True when it was resolved.

    The decision is looked at without a lock first, because mostly nothing has changed.
    """
    row = rollout_with_approval(pk)
    if row.state != RolloutState.AWAITING_APPROVAL:
        return False
    decision = decision_on(row, lock=False)
    if isinstance(decision, Wait) and decision.sentence == row.approval.sentence:
        return False
    with transaction.atomic():
        ledger.lock(row.project_id)
        resolve(row)
    return True


def _waiting(rollout: Rollout) -> Rollout:
    """The rollout under the project's lock. Raises Conflict when it does not wait for approval."""
    ledger.lock(rollout.project_id)
    now = rollout_with_approval(rollout.pk)
    if now.state != RolloutState.AWAITING_APPROVAL:
        raise Conflict(f"Rollout {now.number} {phrase_of(now.state)}; it does not wait for approval.",
                       component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.notAwaiting")
    return now


def _check_voter(actor: Actor, row: Rollout) -> None:
    """Raises Denied for the requester, for what is neither person nor credential, and for whom no requirement allows."""
    if actor.kind not in {"person", "credential"}:
        raise _denied("Only people and credentials approve; sign in.")
    me = voters.identity_of_actor(actor)
    if me == voters.identity_of(row.requested_by_kind, row.requested_by_id, row.requested_by):
        raise _denied(f"You requested rollout {row.number} yourself, so somebody else has to approve or reject it. "
                      "You may cancel it.")
    role = Role.ADMIN if actor.superuser else actor.roles.get(row.project_id)
    rules = requirements_of(row.stage, row.kind, row.scenario, asked=row.approval.asked)
    if rules and not any(one.allows(role, actor.name) for one in rules):
        raise _denied(f"{row.stage.name} needs {' and '.join(one.words for one in rules)}; your role here is {role}.")


def _denied(sentence: str) -> Denied:
    return Denied(sentence, component="permission", message="identifier.permission.permission.error.require")


def _end(row: Rollout, move: str, sentence: str, *, cause: str) -> None:
    """Make the final move of a waiting rollout. Raises Conflict when another transaction made one first."""
    if not apply(Rollout.objects.filter(pk=row.pk), BY_ID[move], ended_at=Now(), cause=cause, steps_done=0,
                 revision=F("revision") + 1):
        raise Conflict(f"Rollout {row.number} was decided just now.", component="stage",
                       message="freeze.stage.stage.error.conflict", code="freeze.stage.notAwaiting")
    row.steps.update(state=StepState.NO_PROGRESS)
    _set_sentence(row, sentence)
    journal.append(row.pk, row.stage_id, [journal.Line(sentence)])
    _touch(row)


def _set_sentence(row: Rollout, sentence: str) -> bool:
    """Store what the rollout waits for, or how its wait ended; True when that is another sentence than before."""
    return bool(Approval.objects.filter(rollout=row).exclude(sentence=sentence).update(sentence=sentence))


def _touch(row: Rollout) -> None:
    Stage.objects.filter(pk=row.stage_id).update(revision=F("revision") + 1)
