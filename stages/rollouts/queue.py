"""Rollouts that wait for their turn behind another one of their stage; only SourceDeploy's deploy makes such.

Their versions are those of the request. Their steps are planned again when the turn comes, because the stage has moved
meanwhile; gates, the scenario, the requester's role and the need for approval are checked again too.
"""
from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from gs2admin.transitions import Move, apply, heard
from stages.approval.reads import lost_right, requirements_of
from stages.approval.voters import roles_of
from stages.core import journal, ledger
from stages.core.wake import RUN
from stages.gates.reads import blocking, closed
from stages.models import Rollout, RolloutCanary, Stage
from stages.plan.previews import preview_of, versions_of
from stages.plan.write import write_plan
from stages.states import BY_ID, FINAL, TIMED, Cause, StepState

# rollouts that wait on one stage
MOST = 10


def last_ahead(stage: Stage) -> Rollout | None:
    """The last live rollout of the stage, for whose end a new one waits; None: it may begin. The project's lock must be held.

    Raises Conflict when MOST rollouts wait already.
    """
    rows = Rollout.objects.live().filter(stage=stage)
    if rows.filter(waiting=True).count() >= MOST:
        raise Conflict(f"{MOST} rollouts wait for their turn on {stage.name} already. Cancel one of them first.",
                       component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.queueFull")
    return rows.order_by("-id").first()


def free() -> QuerySet[Rollout]:
    """Rollouts that wait on a stage where none runs; by an index, and mostly empty."""
    live = Rollout.objects.live().filter(stage=OuterRef("stage"), waiting=False)
    return Rollout.objects.filter(~Exists(live), waiting=True).order_by()


@heard(Rollout)
def rollout_moved(rows: QuerySet[Rollout], move: Move) -> None:
    """Called by transitions.apply: when a rollout ends, the next one on its stage may begin; a canary that is up has times."""
    if move.target in FINAL | TIMED:
        engine.wake_chores()


def free_stages() -> list[int]:
    """Ids of at most 100 stages where a rollout waits and none runs."""
    return list(free().values_list("stage_id", flat=True).distinct()[:100])


def start_next(stage_id: int) -> bool:
    """Let the first rollout that waits on a stage begin, if none runs there and no gate blocks it. True when it moved.

    Several hosts may call it at once. A rollout that may not begin any more is canceled with a sentence.
    """
    first = Rollout.objects.filter(stage_id=stage_id, waiting=True).order_by("id").first()
    if first is None or Rollout.objects.live().filter(stage_id=stage_id, waiting=False).exists():
        return False
    with transaction.atomic():
        ledger.lock(first.project_id)
        rows = Rollout.objects.select_related("stage__current_set", "stage__idle_set", "stage__scenario", "scenario", "to_set")
        row = rows.filter(pk=first.pk, waiting=True).first()
        if row is None or Rollout.objects.live().filter(stage_id=stage_id, waiting=False).exists():
            return False
        if blocking(closed(row.project_id), stage_id, row.kind):
            return False
        why = _void(row)
        if why:
            _cancel(row, why)
        else:
            _begin(row)
        return True


def _void(row: Rollout) -> str:
    """Why the rollout may not begin any more; empty when it may."""
    if row.scenario_copy and row.scenario is None:
        return "The scenario by which it was to proceed was deleted. Deploy again."
    requester = (row.requested_by_kind, row.requested_by_id)
    if lost := lost_right(row, roles_of(row.project_id, {requester}, lock=True)[requester]):
        return lost
    needs = requirements_of(row.stage, row.kind, row.scenario)
    if needs and not hasattr(row, "approval"):
        return f"{row.stage.name} needs approval now: {' and '.join(one.words for one in needs)}. Deploy again to request it."
    return ""


def _begin(row: Rollout) -> None:
    """Plan the rollout for the stage as it is now, and wake a worker."""
    preview = preview_of(row.stage, row.kind, versions_of(row.to_set), row.source_name, scenario=row.scenario)
    way = preview.way
    row.steps.all().delete()
    row.targets.all().delete()
    RolloutCanary.objects.filter(pk=row.pk).delete()
    write_plan(row, preview)
    Rollout.objects.filter(pk=row.pk).update(
        waiting=False,
        from_set=preview.from_set,
        scenario_copy=preview.scenario_copy,
        strategy=way.strategy,
        leg=preview.leg,
        sequence=way.sequence,
        rollback=way.rollback,
        colour=preview.colour,
        steps_total=len(preview.steps),
        steps_done=0,
        changes_count=len(preview.effective),
        revision=F("revision") + 1,
    )
    journal.append(row.pk, row.stage_id, [journal.Line("Its turn has come.")])
    _touch(row)
    engine.wake(RUN, row.pk)


def _cancel(row: Rollout, why: str) -> None:
    """End the rollout before it began, for that reason."""
    if not apply(Rollout.objects.filter(pk=row.pk), BY_ID["Q2"], ended_at=Now(), waiting=False, cause=Cause.SYSTEM, error=why,
                 steps_done=0, revision=F("revision") + 1):
        return
    row.steps.update(state=StepState.NO_PROGRESS)
    journal.append(row.pk, row.stage_id, [journal.Line(f"Canceled: {why}")])
    record(actor=SYSTEM, action="rollout.cancel", obj=row, before={"state": row.state},
           after={"state": BY_ID["Q2"].target, "because": why})
    _touch(row)


def _touch(row: Rollout) -> None:
    Stage.objects.filter(pk=row.stage_id).update(revision=F("revision") + 1, updated_at=Now())
