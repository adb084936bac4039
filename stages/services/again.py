"""The preview of a rollout that exists already: of one that waits for approval, and of another try at one that failed."""
from __future__ import annotations

from dataclasses import replace

from gs2admin.errors import Invalid
from stages.models import Rollout, Stage
from stages.rollout.redo import ALL, redo, why_not_resumable
from stages.services.previews import Preview, preview_of, preview_promote, preview_rollback, versions_of
from stages.states import Kind, StepState


def preview_again(rollout: Rollout, redo: str = "") -> Preview:
    """What that rollout would be if it were asked for now; its digest tells whether anything moved since.

    redo: how it repeats the one it retries (preview_retry). Raises Invalid when it could not be asked for any more.
    """
    if rollout.retry_of_id:
        return preview_retry(rollout.stage, rollout.retry_of, redo)
    if rollout.kind == Kind.ROLLBACK:
        return preview_rollback(rollout.stage, to="previous" if rollout.undoes_id else "pinned")
    if rollout.scenario_copy and not rollout.scenario_id:
        raise _invalid("The scenario by which it was to proceed was deleted.")
    return preview_promote(rollout.stage, scenario=rollout.scenario)


def preview_retry(stage: Stage, rollout: Rollout, how: str = ALL) -> Preview:
    """What trying that rollout once more would do now, how: stages.rollout.redo.

    Raises Invalid when there is nothing to go back to, or when it cannot go on from its failed step.
    """
    if rollout.kind == Kind.ROLLBACK:
        preview = preview_rollback(stage, to="previous" if rollout.undoes_id else "pinned", retry_of=rollout)
    else:
        scenario = rollout.scenario if rollout.scenario_copy and rollout.scenario_id else stage.scenario
        preview = preview_of(
            stage, Kind.PROMOTE, versions_of(rollout.to_set), rollout.source_name, retry_of=rollout, scenario=scenario
        )
    return preview if how == ALL else _going_on(preview, rollout, how)


def _going_on(preview: Preview, rollout: Rollout, how: str) -> Preview:
    old = list(rollout.steps.order_by("position"))
    if why := why_not_resumable(rollout.strategy, old):
        raise _invalid(why)
    if preview.way.strategy != rollout.strategy:
        raise _invalid(f"{preview.stage.name} proceeds in another way now, so it is tried again as a whole.")
    failed = next(step for step in old if step.state in {StepState.FAILED, StepState.CANCELED})
    try:
        return replace(preview, steps=redo(preview.steps, old, how, rollout.number, failed))
    except LookupError:
        gone = "The step that failed is no longer part of the plan: its target was changed. Retry it as a whole."
        raise _invalid(gone) from None


def _invalid(sentence: str) -> Invalid:
    return Invalid(sentence, component="stage", message="freeze.stage.stage.error.invalid", code="freeze.stage.notResumable")
