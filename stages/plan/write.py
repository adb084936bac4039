"""Writes the rows of what a rollout will do, from a preview: its steps, its targets, its canary."""
from __future__ import annotations

from collections.abc import Callable

from stages.models import Rollout, RolloutCanary, RolloutTarget, Step
from stages.plan.previews import Preview
from stages.plan.steps import StepPlan, batches_of
from stages.states import Strategy


def write_plan(rollout: Rollout, preview: Preview, finish: Callable[[Step, StepPlan], None] | None = None) -> None:
    """Make the rows of a rollout that has none yet. finish(step, plan): called for each step before it is written."""
    if preview.way.strategy == Strategy.CANARY:
        RolloutCanary.objects.create(rollout=rollout, analysis=preview.way.analysis)
    rows = []
    for position, plan in enumerate(preview.steps, start=1):
        row = Step(
            rollout=rollout, position=position, microservice=plan.microservice, old_version=plan.old_version,
            new_version=plan.new_version, target_name=plan.target_name, phase=plan.phase, kind=plan.kind, config=plan.config,
            leg=plan.leg, wave=plan.wave, lane=plan.lane, origin=plan.origin,
        )
        if finish is not None:
            finish(row, plan)
        rows.append(row)
    Step.objects.bulk_create(rows)
    batches = batches_of(len(preview.targets), preview.way)
    RolloutTarget.objects.bulk_create(
        RolloutTarget(
            rollout=rollout, position=position, target_id=place.pk, number=place.pk, name=place.name, kind=place.kind,
            batch=batch,
        )
        for position, (place, batch) in enumerate(zip(preview.targets, batches, strict=True), start=1)
    )
