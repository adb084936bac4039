"""Writes the rows of a new rollout. Only start.py calls it, under the project's lock."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.identity.actors import Actor
from gs2admin.text import shortened
from stages.approval.decision import Requirement
from stages.approval.services import open_request
from stages.core import journal, ledger
from stages.core.wake import RUN
from stages.models import Rollout, Stage, Step
from stages.models.governance import AutoPromotion
from stages.plan.previews import Preview
from stages.plan.redo import ALL, SKIP
from stages.plan.steps import StepPlan
from stages.plan.write import write_plan
from stages.states import Kind, Origin, Protocol, RolloutState, StepState
from stages.webhooks.outbox import rollout_created

# The activity log names this many changes of a rollout; its page and its version sets have the rest.
LOGGED_CHANGES = 200


@dataclass(frozen=True)
class RolloutRequest:
    """How a rollout is requested; promote_stage says what each field means. redo: as in stages.plan.redo."""

    reason: str = ""
    preview_digest: str | None = None
    request_key: str | None = None
    override: bool = False
    ask: bool = False
    protocol: str = Protocol.FREEZE
    redo: str = ALL
    queue: bool = False


@dataclass(frozen=True)
class Admission:
    """What start found for a request. overridden: sentences of closed gates that were overridden.

    needs: the approvals that it waits for first. ahead: the live rollout of the stage for whose end it waits.
    """

    overridden: list[str]
    needs: list[Requirement]
    ahead: Rollout | None


def create(
    actor: Actor, action: str, preview: Preview, number: int, request: RolloutRequest, admission: Admission
) -> Rollout:
    """Write the rollout with its steps, its activity line and its webhook messages, and wake a worker if it may begin."""
    stage, needs, ahead = preview.stage, admission.needs, admission.ahead
    rollout = _write_row(actor, preview, number, request, admission)
    write_plan(rollout, preview, lambda row, plan: _carry_over(row, plan, actor, request))
    Stage.objects.filter(pk=stage.pk).update(revision=F("revision") + 1, updated_at=Now())
    record(
        actor=actor,
        action=action,
        obj=rollout,
        before={"stage": stage.name, "set": preview.from_set.number if preview.from_set else None},
        after=_facts(rollout, preview, request, admission),
        reason=rollout.reason,
    )
    rollout_created(rollout)
    if preview.kind == Kind.ROLLBACK:
        _hold_auto_promotion(stage, rollout)
    if request.redo:
        journal.append(rollout.pk, stage.pk, _lines_of_retry(rollout, preview, actor, request))
    if needs:
        open_request(rollout, preview.digest, asked=request.ask, override=bool(admission.overridden), redo=request.redo)
    elif ahead is not None:
        journal.append(rollout.pk, stage.pk, [journal.Line(f"Waits for its turn after rollout {ahead.number}.")])
    else:
        engine.wake(RUN, rollout.pk)
    return rollout


def _write_row(actor: Actor, preview: Preview, number: int, request: RolloutRequest, admission: Admission) -> Rollout:
    stage, way = preview.stage, preview.way
    return Rollout.objects.create(
        project_id=stage.project_id,
        stage=stage,
        number=number,
        protocol=request.protocol,
        kind=preview.kind,
        state=RolloutState.AWAITING_APPROVAL if admission.needs else RolloutState.QUEUED,
        waiting=admission.ahead is not None and not admission.needs,
        strategy=way.strategy,
        leg=preview.leg,
        sequence=way.sequence,
        rollback=way.rollback,
        scenario=preview.scenario,
        scenario_copy=preview.scenario_copy,
        colour=preview.colour,
        part=list(preview.part) or None,
        from_set=preview.from_set,
        to_set=ledger.frozen(stage.project_id, preview.to_versions),
        source_name=preview.source_name,
        request_key=request.request_key,
        requested_by_kind=actor.kind,
        requested_by_id=actor.id,
        requested_by=actor.name,
        reason=request.reason.strip(),
        undoes=preview.undoes,
        retry_of=preview.retry_of,
        steps_total=len(preview.steps),
        steps_done=sum(bool(plan.origin) for plan in preview.steps),
        changes_count=len(preview.effective),
    )


def _facts(rollout: Rollout, preview: Preview, request: RolloutRequest, admission: Admission) -> dict[str, Any]:
    """What the activity log stores of the new rollout; facts that do not apply are left out."""
    changes = [change.sentence for change in preview.effective]
    left_out = len(changes) - LOGGED_CHANGES
    optional = {
        "scenario": preview.scenario_copy.get("name"),
        "retry_of": preview.retry_of.number if preview.retry_of else None,
        "undoes": preview.undoes.number if preview.undoes else None,
        "only": list(preview.part[:LOGGED_CHANGES]),
        "stays_behind": [change.sentence for change in preview.behind[:LOGGED_CHANGES]],
        "skipped": _skipped(preview, request),
        "in_spite_of": admission.overridden,
        "needs": [one.words for one in admission.needs],
    }
    return {
        "set": rollout.to_set.number,
        "changes": changes if left_out <= 0 else [*changes[:LOGGED_CHANGES], f"… and {left_out} more"],
        **{name: value for name, value in optional.items() if value},
    }


def _carry_over(row: Step, plan: StepPlan, actor: Actor, request: RolloutRequest) -> None:
    """Mark a step as done that the retried rollout has done, or that is skipped."""
    if plan.origin:
        row.state, row.memo, row.started_at, row.ended_at = StepState.SUCCEEDED, plan.memo, Now(), Now()
        row.summary = plan.note if plan.note != "skipped" else f"Skipped by {actor.name}: {request.reason.strip()}"


def _skipped(preview: Preview, request: RolloutRequest) -> str:
    """The step that this rollout skips, in words; empty without one."""
    found = next((plan for plan in preview.steps if request.redo == SKIP and plan.note == "skipped"), None)
    if found is None:
        return ""
    return f"{found.phase} of {found.microservice}" + (f" on {found.target_name}" if found.target_name else "")


def _lines_of_retry(rollout: Rollout, preview: Preview, actor: Actor, request: RolloutRequest) -> list[journal.Line]:
    """The first output of a rollout that goes on from another one's failed step."""
    done = sum(plan.origin == Origin.CARRIED for plan in preview.steps)
    steps = f"{done} step{' was' if done == 1 else 's were'} done there and {'is' if done == 1 else 'are'} not run again"
    found = [journal.Line(f"Goes on from rollout {rollout.retry_of.number}: {steps}.")]
    if preview.accepted:
        found.append(journal.Line("Its canary was accepted there, so it is not made again."))
    if what := _skipped(preview, request):
        found.append(journal.Line(f"{actor.name} skips {what}: {request.reason.strip()}"))
    return found


def _hold_auto_promotion(stage: Stage, rollback: Rollout) -> None:
    """After a rollback, which a person requested, auto-promotion does not undo it until somebody lets it go on."""
    because = f"{rollback.requested_by} rolled {stage.name} back with rollout {rollback.number}."
    AutoPromotion.objects.filter(stage=stage, enabled=True).update(
        held_at=Now(), held_by=rollback.requested_by, held_because=shortened(because, 300), sentence=f"Held: {because}"
    )
