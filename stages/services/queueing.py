"""SourceDeploy's deploys that wait behind a live rollout of their stage, and whose turn it is."""
from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import Actor
from gs2admin.transitions import apply
from stages.governance import gates
from stages.models import Rollout, Stage
from stages.rollout import journal
from stages.services import ledger
from stages.services.previews import STAGE_S_OWN, preview_promote
from stages.states import BY_ID, LIVE, StepState

MOST = 20


def must_wait(stage: Stage) -> bool:
    """Whether a rollout of the stage is live or waits. Raises Conflict when too many wait; the project's lock is held."""
    live = Rollout.objects.live().filter(stage=stage)
    if live.filter(waiting=True).count() >= MOST:
        raise Conflict(
            f"{MOST} deploys of {stage.name} wait already. Cancel some, or wait.", component="stage",
            message="freeze.stage.stage.error.conflict", code="freeze.stage.queueFull",
        )
    return live.exists()


def stages_to_admit() -> list[int]:
    """Stages with a waiting rollout and no live one; one query by an index, mostly empty."""
    live = Rollout.objects.filter(stage=OuterRef("stage"), state__in=sorted(LIVE), waiting=False)
    return list(Rollout.objects.filter(~Exists(live), waiting=True).values_list("stage_id", flat=True).distinct()[:100])


def admit_next(stage_id: int) -> bool:
    """Let the rollout that has waited longest on the stage begin, with the versions and targets of now.

    While the line is stopped or a freeze window is on it goes on waiting. What can no longer be started is canceled,
    and says why. Safe to be called on several hosts at once. True when something moved.
    """
    from stages.services.births import RUN, Asking, add_plan  # births asks this file who must wait

    with transaction.atomic():
        stage = Stage.objects.filter(pk=stage_id).first()
        if stage is None:
            return False
        ledger.lock(stage.project_id)
        rows = Rollout.objects.select_related("scenario").filter(stage=stage, waiting=True)
        row = rows.order_by("id").first()
        if row is None or Rollout.objects.live().filter(stage=stage, waiting=False).exists():
            return False
        if gates.holding(gates.closed(stage.project_id), stage.pk, row.kind):
            return False
        try:
            preview = preview_promote(stage, scenario=row.scenario or STAGE_S_OWN)
        except Invalid as refusal:
            return _give_up(row, refusal.sentence)
        row.steps.all().delete()
        row.targets.all().delete()
        way = preview.way
        Rollout.objects.filter(pk=row.pk).update(
            waiting=False, from_set=preview.from_set, to_set=ledger.frozen(stage.project_id, preview.to_versions),
            source_name=preview.source_name, strategy=way.strategy, analysis=way.analysis, sequence=way.sequence,
            leg="canary" if any(step.leg == "canary" for step in preview.steps) else "base", rollback=way.rollback,
            scenario_copy=preview.scenario_copy, colour=preview.colour, steps_total=len(preview.steps), steps_done=0,
            changes_count=len(preview.effective), rung_at=Now(), revision=F("revision") + 1,
        )
        requester = Actor(row.requested_by_kind, row.requested_by_id, row.requested_by)
        add_plan(row, preview, requester, Asking(family=row.family))
        journal.append(row.pk, stage.pk, [journal.Line("Its turn has come.")])
        Stage.objects.filter(pk=stage.pk).update(revision=F("revision") + 1, updated_at=Now())
        engine.ring(RUN, row.pk)
        return True


def _give_up(row: Rollout, why: str) -> bool:
    changes = {"ended_at": Now(), "waiting": False, "cause": "system", "error": why, "revision": F("revision") + 1}
    if not apply(Rollout.objects.filter(pk=row.pk), BY_ID["Q2"], **changes):
        return False
    row.steps.update(state=StepState.NO_PROGRESS)
    journal.append(row.pk, row.stage_id, [journal.Line(f"It can no longer begin: {why}")])
    return True
