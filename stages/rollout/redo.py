"""Which steps of a failed rollout another try need not run again: pure, so that the preview and the rollout agree."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from stages.models_scenarios import Strategy
from stages.rollout.plan import StepPlan
from stages.states import StepState
from stages.versions import canonical

# How a rollout is tried again: everything anew, from the failed step on, or past the failed step.
ALL, FAILED, SKIP = "", "failed", "skip"
CARRIED, SKIPPED = "carried", "skipped"
STEADY = {Strategy.NORMAL, Strategy.ROLLING}


def why_not_resumable(strategy: str, steps: Iterable[Any]) -> str:
    """Empty when a try can go on from the failed step; else why it has to begin anew, as a sentence."""
    rows = list(steps)
    if strategy not in STEADY or any(step.leg not in {"base", "undo"} for step in rows):
        return "Canaries and blue/green rollouts are tried again as a whole."
    if any(step.leg == "undo" for step in rows):
        return "What it had done was put back, so it is tried again as a whole."
    if not any(step.state in {StepState.FAILED, StepState.CANCELED} for step in rows):
        return "None of its steps failed, so there is none to go on from."
    return ""


def _key(step: Any) -> tuple[str, ...]:
    return (step.microservice, step.target_name, step.phase, step.kind, step.new_version, canonical(step.config))


def redo(plan: Sequence[StepPlan], old: Sequence[Any], how: str, number: int, skipped: Any = None) -> list[StepPlan]:
    """The plan with what the old rollout (its steps, its number) has done marked as done.

    A step counts as the same when microservice, target, phase, version and configuration are: what was configured anew
    runs anew. skipped: the step to leave out. Raises LookupError when it is no longer part of the plan.
    """
    if how == ALL:
        return list(plan)
    done = defaultdict(list)
    for step in old:
        if step.state == StepState.SUCCEEDED and step.leg == "base":
            done[_key(step)].append(step)
    left_out = _key(skipped) if how == SKIP else None
    found = []
    for step in plan:
        same = done[_key(step)]
        if same:
            before = same.pop(0)
            note = before.summary if before.origin == SKIPPED else f"done by rollout {number}"
            origin = SKIPPED if before.origin == SKIPPED else CARRIED
            found.append(replace(step, origin=origin, note=note, memo=dict(before.memo)))
        elif _key(step) == left_out:
            found.append(replace(step, origin=SKIPPED, note="skipped"))
            left_out = None
        else:
            found.append(step)
    if left_out is not None:
        raise LookupError
    return found
