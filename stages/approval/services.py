"""Approval: what a rollout needs before it starts, votes, and the one function that settles a waiting rollout.

settle() is asked after everything that could matter (a vote, a changed rule, the sweep); no door moves a waiting
rollout in another way. A worker asks once more when it begins (still_approved), because a role may be lost meanwhile.
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
from stages.approval.decision import Facts, Requirement, Start, Verdict, Void, Wait, judge, missing
from stages.core import journal, ledger
from stages.gates import reads as gates
from stages.models import Rollout, Stage
from stages.models.governance import Approval, ApprovalRule, Vote
from stages.plan.preview_retry import preview_again
from stages.states import BY_ID, Kind, RolloutState, StepState

RUN = "stages.worker.tasks.run_rollout"
PROMOTERS = frozenset(RIGHTS["stage.promote"])


def requirements_of(stage: Stage, kind: str, scenario: Any = None, *, asked: bool = False) -> list[Requirement]:
    """What a rollout of that kind on that stage needs now: by the stage's rule, by its scenario, by who asked for it."""
    found = []
    rule = ApprovalRule.objects.filter(stage=stage).first()
    if rule and (rule.covers_rollbacks or kind != Kind.ROLLBACK):
        found.append(Requirement(rule.needed, frozenset(rule.roles), whose=f"the rule of {stage.name}"))
    if scenario is not None and scenario.approvals_required and kind != Kind.ROLLBACK:
        roles, people = (frozenset(scenario.approvers.get(name) or ()) for name in ("roles", "people"))
        found.append(Requirement(scenario.approvals_required, roles if roles or people else PROMOTERS, people,
                                 f"the scenario {scenario.name}"))
    if asked and not found:
        found.append(Requirement(1, PROMOTERS, whose="the request"))
    return found


def waiting_on(stage: Stage) -> Rollout | None:
    """The rollout of the stage that waits for approval; there is one at most."""
    return Rollout.objects.filter(stage=stage, state=RolloutState.AWAITING_APPROVAL).order_by("id").first()


def refuse_second_request(stage: Stage) -> None:
    """Raises Conflict while another rollout of the stage waits for approval; one that became void ends here.

    The project's lock must be held.
    """
    pending = waiting_on(stage)
    if pending and isinstance(settle(pending), Wait):
        raise Conflict(
            f"Rollout {pending.number} by {pending.requested_by} already waits for approval on {stage.name}. Approve, reject "
            "or cancel it first.",
            component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.awaitingApproval",
            extra={"rollout": pending.number},
        )


def cannot_wait(stage: Stage) -> Conflict:
    """What a mesh release is told on a stage that needs approval: its clients know no such state."""
    return Conflict(f"{stage.name} needs approval, which a mesh release cannot wait for. Promote it instead.", component="stage",
                    message="freeze.stage.stage.error.conflict", code="freeze.stage.needsApproval")


def refuse_new_versions(stage: Stage) -> None:
    """Raises Conflict where a rollout that runs may not be given other versions: they are as good as a new one."""
    if closed := gates.holding(gates.closed(stage.project_id), stage.pk):
        raise gates.refusal(closed)
    if requirements_of(stage, Kind.PROMOTE):
        raise cannot_wait(stage)


def open_request(rollout: Rollout, digest: str, *, asked: bool, override: bool, redo: str = "") -> None:
    """Note what a new rollout that has to be approved was asked for; called in the transaction that makes it."""
    Approval.objects.create(rollout=rollout, digest=digest, asked=asked, override=override, redo=redo)
    settle(rollout)


def close_request(rollout: Rollout, said: str) -> None:
    """Note how a rollout that waited for approval ended."""
    Approval.objects.filter(rollout=rollout).update(sentence=said)


def approve_rollout(*, actor: Actor, rollout: Rollout, reason: str = "", digest: str | None = None) -> Rollout:
    """Approve a waiting rollout; it starts when that was the last approval it needed. Approving twice changes nothing.

    digest: of what the approver saw; another one is refused. Raises NotFound, Denied (no right, or not by the rule, or
    the requester's own), Conflict (it waits no longer; the preview has changed).
    """
    require(actor, "rollout.approve", rollout)
    with transaction.atomic():
        now, approval = _waiting(rollout)
        _check_voter(actor, now)
        if digest is not None and digest != approval.digest:
            raise Conflict("This is not what was asked for any more. Look at it again.", component="stage",
                           message="freeze.stage.stage.error.conflict", code="freeze.stage.previewChanged")
        _, created = Vote.objects.get_or_create(
            rollout=now, identity=voters.identity_of_actor(actor),
            defaults={"kind": actor.kind, "voter_id": actor.id, "name": actor.name, "reason": reason.strip()[:2000]},
        )
        if created:
            journal.append(now.pk, now.stage_id, [journal.Line(f"Approved by {actor.name}.")])
            record(actor=actor, action="rollout.approve", obj=now, after={"stage": now.stage.name, "digest": approval.digest},
                   reason=reason.strip()[:2000])
        settle(now)
    return Rollout.objects.select_related("stage").get(pk=rollout.pk)


def reject_rollout(*, actor: Actor, rollout: Rollout, reason: str = "") -> Rollout:
    """End a waiting rollout. Who may approve it may reject it; the requester cancels. Raises as approve_rollout."""
    require(actor, "rollout.approve", rollout)
    with transaction.atomic():
        now, _ = _waiting(rollout)
        _check_voter(actor, now)
        why = reason.strip()[:2000]
        said = f"Rejected by {actor.name}" + (f": {why}" if why else ".")
        _end(now, "A2", said, cause="user")
        record(actor=actor, action="rollout.reject", obj=now, before={"state": now.state},
               after={"stage": now.stage.name, "state": RolloutState.REJECTED}, reason=why)
    return Rollout.objects.select_related("stage").get(pk=rollout.pk)


def save_rule(
    *, actor: Actor, stage: Stage, needed: int, roles: list[str], covers_rollbacks: bool = False, reason: str = ""
) -> ApprovalRule | None:
    """Set the stage's rule; needed 0 takes it away. What waits is judged by the new rule at once.

    Raises NotFound, Denied, Invalid.
    """
    require(actor, "approval.edit", stage)
    clean = sorted(set(roles))
    if not isinstance(needed, int) or not 0 <= needed <= 10:
        raise Invalid("A rule asks for 1 to 10 approvals; 0 takes it away.", component="stage",
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
            settle(pending)
        return rule


def _facts(rule: ApprovalRule | None) -> dict[str, Any]:
    if rule is None:
        return {"approvals": 0}
    return {"approvals": rule.needed, "roles": ", ".join(rule.roles), "rollbacks_too": rule.covers_rollbacks}


def settle(rollout: Rollout) -> Verdict | None:
    """Judge a waiting rollout and do what follows; None when it waits no longer. The project's lock must be held."""
    now = _row(rollout.pk)
    if now.state != RolloutState.AWAITING_APPROVAL:
        return None
    verdict = verdict_of(now, lock=True)
    match verdict:
        case Start(sentence=said):
            if apply(Rollout.objects.filter(pk=now.pk), BY_ID["A1"], revision=F("revision") + 1):
                _say(now, said)
                journal.append(now.pk, now.stage_id, [journal.Line(f"{said} It starts.")])
                record(actor=SYSTEM, action="rollout.release", obj=now, after={"stage": now.stage.name, "because": said})
                _touch(now)
                engine.wake(RUN, now.pk)
        case Void(sentence=said):
            _end(now, "A3", said, cause="system")
            record(actor=SYSTEM, action="rollout.void", obj=now, after={"stage": now.stage.name, "because": said})
        case Wait(sentence=said):
            if _say(now, said):
                Rollout.objects.filter(pk=now.pk).update(revision=F("revision") + 1)
                _touch(now)
    return verdict


def settle_waiting(pk: int) -> bool:
    """For the sweep: settle one when there is something to settle; a look costs no lock."""
    row = _row(pk)
    if row.state != RolloutState.AWAITING_APPROVAL:
        return False
    verdict = verdict_of(row, lock=False)
    if isinstance(verdict, Wait) and verdict.sentence == row.approval.sentence:
        return False
    with transaction.atomic():
        ledger.lock(row.project_id)
        settle(row)
    return True


def verdict_of(row: Rollout, *, lock: bool) -> Verdict:
    """The verdict of this moment."""
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
    ballots, asker_left = _ballots(row, lock=lock)
    closed = [] if approval.override else gates.holding(gates.closed(row.project_id), row.stage_id, row.kind)
    live = Rollout.objects.live().filter(stage_id=row.stage_id).values_list("number", flat=True).first()
    return judge(
        requirements_of(stage, row.kind, scenario, asked=approval.asked), ballots,
        Facts(ended or asker_left, moved, live, [gate.sentence for gate in closed]),
    )


def still_approved(rollout_id: int) -> str:
    """For the worker that is about to begin: empty, or why the approvals do not carry this rollout any more.

    The project's lock must be held; the voters' roles are held until the end of the transaction.
    """
    row = _row(rollout_id)
    if not hasattr(row, "approval"):
        return ""
    ballots, asker_left = _ballots(row, lock=True)
    left = missing(requirements_of(row.stage, row.kind, row.scenario, asked=row.approval.asked), ballots)
    return asker_left or (f"An approval does not count any more. {left}" if left else "")


def _ballots(row: Rollout, *, lock: bool) -> tuple[list, str]:
    """The votes as they count now; and a sentence when who asked may no longer ask."""
    votes = list(row.votes.order_by("id"))
    asker = (row.requested_by_kind, row.requested_by_id)
    roles = voters.roles_of(row.project_id, {asker, *((vote.kind, vote.voter_id) for vote in votes)}, lock=lock)
    left = ""
    if asker[0] in {"person", "credential"} and roles[asker] not in PROMOTERS:
        left = f"{row.requested_by}, who asked for it, may no longer promote here."
    return voters.ballots(votes, roles), left


def _row(pk: int) -> Rollout:
    return Rollout.objects.select_related("stage", "approval", "scenario", "to_set", "retry_of", "undoes").get(pk=pk)


def _waiting(rollout: Rollout) -> tuple[Rollout, Approval]:
    ledger.lock(rollout.project_id)
    now = _row(rollout.pk)
    if now.state != RolloutState.AWAITING_APPROVAL:
        raise Conflict(f"Rollout {now.number} is {now.get_state_display().lower()}; it does not wait for approval.",
                       component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.notAwaiting")
    return now, now.approval


def _check_voter(actor: Actor, row: Rollout) -> None:
    """Raises Denied for who asked for it, for what is neither a person nor a credential, and for who the rules leave out."""
    if actor.kind not in {"person", "credential"}:
        raise _denied("Only people and credentials approve; sign in.")
    me = voters.identity_of_actor(actor)
    if me == voters.identity_of(row.requested_by_kind, row.requested_by_id, row.requested_by):
        raise _denied(f"You asked for rollout {row.number} yourself, so somebody else has to approve or reject it. "
                      "You may cancel it.")
    role = Role.ADMIN if actor.superuser else actor.roles.get(row.project_id)
    rules = requirements_of(row.stage, row.kind, row.scenario, asked=row.approval.asked)
    if rules and not any(one.allows(role, actor.name) for one in rules):
        raise _denied(f"{row.stage.name} needs {' and '.join(one.words for one in rules)}; your role here is {role}.")


def _denied(sentence: str) -> Denied:
    return Denied(sentence, component="permission", message="identifier.permission.permission.error.require")


def _end(row: Rollout, move: str, said: str, *, cause: str) -> None:
    if not apply(Rollout.objects.filter(pk=row.pk), BY_ID[move], ended_at=Now(), cause=cause, steps_done=0,
                 revision=F("revision") + 1):
        raise Conflict(f"Rollout {row.number} was decided just now.", component="stage",
                       message="freeze.stage.stage.error.conflict", code="freeze.stage.notAwaiting")
    row.steps.update(state=StepState.NO_PROGRESS)
    _say(row, said)
    journal.append(row.pk, row.stage_id, [journal.Line(said)])
    _touch(row)


def _say(row: Rollout, said: str) -> bool:
    return bool(Approval.objects.filter(rollout=row).exclude(sentence=said).update(sentence=said))


def _touch(row: Rollout) -> None:
    Stage.objects.filter(pk=row.stage_id).update(revision=F("revision") + 1)
