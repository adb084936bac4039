"""Writes down what a rollout is going to do: its steps and its targets, from a preview."""
from __future__ import annotations

from stages.models import Rollout, RolloutTarget, Step
from stages.rollout.plan import batches_of
from stages.services.previews import Preview


def write_plan(rollout: Rollout, preview: Preview) -> None:
    """Make the rows of the rollout's steps and targets, in place of any that there were."""
    rollout.steps.all().delete()
    rollout.targets.all().delete()
    Step.objects.bulk_create(
        Step(
            rollout=rollout,
            position=position,
            microservice=plan.microservice,
            old_version=plan.old_version,
            new_version=plan.new_version,
            target_name=plan.target_name,
            phase=plan.phase,
            kind=plan.kind,
            config=plan.config,
            leg=plan.leg,
            wave=plan.wave,
            lane=plan.lane,
        )
        for position, plan in enumerate(preview.steps, start=1)
    )
    batches = batches_of(len(preview.targets), preview.way)
    RolloutTarget.objects.bulk_create(
        RolloutTarget(
            rollout=rollout, position=position, target_id=place.pk, number=place.pk, name=place.name, kind=place.kind,
            batch=batch,
        )
        for position, (place, batch) in enumerate(zip(preview.targets, batches, strict=True), start=1)
    )
