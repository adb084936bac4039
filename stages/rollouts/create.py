"""The rows of a new rollout, and what is known of how it was asked for. Called by services.rollouts alone, under its lock."""
from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.identity.actors import Actor
from stages.approval import services as approvals
from stages.approval.decision import Requirement
from stages.core import journal, ledger
from stages.models import Rollout, Stage, Step
from stages.models.governance import AutoPromotion
from stages.plan.previews import Preview
from stages.plan.redo import ALL, SKIP
from stages.plan.steps import StepPlan
from stages.plan.write import write_plan
from stages.states import Kind, Origin, Protocol, RolloutState, StepState
from stages.webhooks import outbox

RUN = "stages.worker.tasks.run_rollout"


@dataclass(frozen=True)
class Asking:
    """How somebody asks for a rollout; promote_stage says what each means."""

    reason: str = ""
    preview_digest: str | None = None
    request_key: str | None = None
    override: bool = False
    ask: bool = False
    protocol: str = Protocol.FREEZE
    redo: str = ALL
    queue: bool = False


def create(
    actor: Actor, action: str, preview: Preview, number: int, asking: Asking, overridden: list[str], needs: list[Requirement],
    ahead: Rollout | None = None,
) -> Rollout:
    """overridden: sentences of closed gates that were passed. needs: what must be approved first, if anything.

    ahead: the live rollout for whose end it waits (services.queued).
    """
    stage, way = preview.stage, preview.way
    to_set = ledger.frozen(stage.project_id, preview.to_versions)
    rollout = Rollout.objects.create(
        project_id=stage.project_id,
        stage=stage,
        number=number,
        protocol=asking.protocol,
        kind=preview.kind,
        state=RolloutState.AWAITING_APPROVAL if needs else RolloutState.QUEUED,
        waiting=ahead is not None and not needs,
        strategy=way.strategy,
        leg=preview.leg,
        sequence=way.sequence,
        rollback=way.rollback,
        scenario=preview.scenario,
        scenario_copy=preview.scenario_copy,
        colour=preview.colour,
        from_set=preview.from_set,
        to_set=to_set,
        source_name=preview.source_name,
        request_key=asking.request_key,
        requested_by_kind=actor.kind,
        requested_by_id=actor.id,
        requested_by=actor.name,
        reason=asking.reason.strip()[:2000],
        undoes=preview.undoes,
        retry_of=preview.retry_of,
        steps_total=len(preview.steps),
        steps_done=sum(bool(plan.origin) for plan in preview.steps),
        changes_count=len(preview.effective),
    )
    write_plan(rollout, preview, lambda row, plan: _carry_over(row, plan, actor, asking))
    Stage.objects.filter(pk=stage.pk).update(revision=F("revision") + 1, updated_at=Now())
    record(
        actor=actor,
        action=action,
        obj=rollout,
        before={"stage": stage.name, "set": preview.from_set.number if preview.from_set else None},
        after={
            "set": to_set.number,
            "changes": [change.sentence for change in preview.effective][:200],
            **({"scenario": preview.scenario_copy["name"]} if preview.scenario_copy else {}),
            **({"retry_of": preview.retry_of.number} if preview.retry_of else {}),
            **({"undoes": preview.undoes.number} if preview.undoes else {}),
            **({"skipped": skipped} if (skipped := _skipped(preview, asking)) else {}),
            **({"in_spite_of": overridden} if overridden else {}),
            **({"needs": [one.words for one in needs]} if needs else {}),
        },
        reason=rollout.reason,
    )
    outbox.rollout_made(rollout)
    if preview.kind == Kind.ROLLBACK:
        _hold(stage, rollout)
    if asking.redo:
        journal.append(rollout.pk, stage.pk, _redone(rollout, preview, actor, asking))
    if needs:
        approvals.open_request(rollout, preview.digest, asked=asking.ask, override=bool(overridden), redo=asking.redo)
    elif ahead is not None:
        journal.append(rollout.pk, stage.pk, [journal.Line(f"Waits for its turn after rollout {ahead.number}.")])
    else:
        engine.wake(RUN, rollout.pk)
    return rollout


def _carry_over(row: Step, plan: StepPlan, actor: Actor, asking: Asking) -> None:
    """A step that another rollout had done already, or that is left out, is done from the beginning."""
    if plan.origin:
        row.state, row.memo, row.started_at, row.ended_at = StepState.SUCCEEDED, plan.memo, Now(), Now()
        row.summary = plan.note if plan.note != "skipped" else f"Skipped by {actor.name}: {asking.reason.strip()[:2000]}"


def _skipped(preview: Preview, asking: Asking) -> str:
    """The step that is left out this time, in words."""
    found = next((plan for plan in preview.steps if asking.redo == SKIP and plan.note == "skipped"), None)
    if found is None:
        return ""
    return f"{found.phase} of {found.microservice}" + (f" on {found.target_name}" if found.target_name else "")


def _redone(rollout: Rollout, preview: Preview, actor: Actor, asking: Asking) -> list[journal.Line]:
    done = sum(plan.origin == Origin.CARRIED for plan in preview.steps)
    steps = f"{done} step{' was' if done == 1 else 's were'} done there and {'is' if done == 1 else 'are'} not run again"
    found = [journal.Line(f"Goes on from rollout {rollout.retry_of.number}: {steps}.")]
    if preview.accepted:
        found.append(journal.Line("Its canary was accepted there, so it is neither made nor judged again."))
    if what := _skipped(preview, asking):
        found.append(journal.Line(f"{actor.name} has {what} left out: {asking.reason.strip()[:2000]}"))
    return found


def _hold(stage: Stage, rollback: Rollout) -> None:
    """A rollback began, which only somebody can ask for: no auto-promotion undoes it until somebody lets go."""
    said = f"{rollback.requested_by} rolled {stage.name} back with rollout {rollback.number}."
    AutoPromotion.objects.filter(stage=stage, enabled=True).update(
        held_at=Now(), held_by=rollback.requested_by, held_because=said[:300], sentence=f"Held: {said}"[:1000]
    )
