"""Previews of a rollout that exists already: of one that waits for approval, and of the retry of one that failed."""
from __future__ import annotations

from dataclasses import replace

from gs2admin.errors import Invalid
from stages.models import Rollout, Stage
from stages.plan.previews import Preview, preview_of, preview_promote, preview_rollback, versions_of
from stages.plan.redo import ALL, FAILED, SKIP, chances, redo, still_lacking
from stages.states import Kind, Leg, Strategy


def preview_again(rollout: Rollout, redo: str = "") -> Preview:
    """The preview of that rollout as if it were requested now; its digest shows whether anything has changed since.

    redo: how it repeats the one it retries (plan.redo). Raises Invalid when it could not be requested any more.
    """
    if rollout.retry_of_id:
        return preview_retry(rollout.stage, rollout.retry_of, redo)
    if rollout.kind == Kind.ROLLBACK:
        return preview_rollback(rollout.stage, to="previous" if rollout.undoes_id else "pinned")
    if rollout.scenario_copy and not rollout.scenario_id:
        raise _invalid("The scenario by which it was to proceed was deleted.")
    return preview_promote(rollout.stage, scenario=rollout.scenario, only=rollout.part or ())


def preview_retry(stage: Stage, rollout: Rollout, how: str = ALL) -> Preview:
    """The preview of a retry of that rollout now. how: ALL, FAILED or SKIP of stages.plan.redo.

    Raises Invalid when there is nothing to go back to, or when it cannot go on from its failed step.
    """
    if rollout.kind == Kind.ROLLBACK:
        preview = preview_rollback(stage, to="previous" if rollout.undoes_id else "pinned", retry_of=rollout)
    else:
        scenario = rollout.scenario if rollout.scenario_copy and rollout.scenario_id else stage.scenario
        preview = preview_of(
            stage, Kind.PROMOTE, versions_of(rollout.to_set), rollout.source_name, retry_of=rollout, scenario=scenario,
            part=tuple(rollout.part or ()),
        )
    return preview if how == ALL else _going_on(preview, rollout, how)


def _going_on(preview: Preview, rollout: Rollout, how: str) -> Preview:
    old = list(rollout.steps.order_by("position"))
    found = chances(rollout, old)
    if found.whole and (how == FAILED or found.failed is None):
        raise _invalid(found.whole)
    if how == SKIP and found.failed is None:
        raise _invalid("None of its steps failed, so there is none to leave out.")
    if moved := _moved(preview, rollout, accepted=found.accepted):
        raise _invalid(moved)
    plan = preview.steps
    if preview.way.strategy == Strategy.BLUE_GREEN:
        plan = still_lacking(plan, old)
    try:
        steps = redo(plan, old, how, rollout.number, found)
    except LookupError:
        gone = "The step that failed is no longer part of the plan: its target was changed. Retry it as a whole."
        raise _invalid(gone) from None
    if found.accepted and any(step.leg == Leg.CANARY and not step.origin for step in steps):
        raise _invalid("What its canary was made of was changed since it was accepted, so it is tried again as a whole.")
    return replace(preview, steps=steps, accepted=found.accepted)


def _moved(preview: Preview, rollout: Rollout, *, accepted: bool) -> str:
    """Why the steps that the rollout has done do not count for this preview, as a sentence; empty when they do."""
    name = preview.stage.name
    if preview.way.strategy != rollout.strategy:
        return f"{name} proceeds in another way now, so it is tried again as a whole."
    if preview.colour != rollout.colour or dict(preview.to_versions) != versions_of(rollout.to_set):
        return f"{name} goes elsewhere now, so it is tried again as a whole."
    if accepted and preview.scenario_copy.get("canary") != rollout.scenario_copy.get("canary"):
        return "Its canary was accepted by another plan than the present one, so it is tried again as a whole."
    return ""


def _invalid(sentence: str) -> Invalid:
    return Invalid(sentence, component="stage", message="freeze.stage.stage.error.invalid", code="freeze.stage.notResumable")
