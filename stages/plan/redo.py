"""What the retry of a failed rollout need not do again: functions of their arguments alone, for preview, page and rollout.

No other rollout has run on the stage since (rollouts.services makes sure), so the effect of the failed one is still there,
unless its own undo took it back. A step with an effect that is still there and the same configuration is not run again.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stages.core.failure import NAMED, first_failure, name_of, not_put_back
from stages.core.versions import canonical
from stages.plan.steps import EVERYTHING, StepPlan
from stages.states import Leg, Origin, Phase, Protocol, StepState, Strategy

# How a rollout is tried again: everything anew, from the failed step on, or past the failed step.
ALL, FAILED, SKIP = "", "failed", "skip"


@dataclass(frozen=True)
class Chances:
    """How a rollout can be tried again.

    whole: empty when a retry can go on from the step that failed; else a sentence why it has to begin anew. failed: the
    step that failed, which may be left out; None when no step did, or none may be left out. accepted: its canary was
    accepted, so a retry that goes on neither makes nor analyzes it again. held: no step failed, the canary was up and
    nobody had decided on it.
    """

    whole: str = ""
    failed: Any = None
    accepted: bool = False
    held: bool = False


def chances(rollout: Any, steps: Iterable[Any]) -> Chances:
    """How that rollout can be tried again, by its strategy, leg and protocol, and its steps in the order of positions."""
    rows = list(steps)
    if rollout.protocol == Protocol.ASM:
        return Chances("A mesh release is tried again as a whole.")
    failed = first_failure(rows)
    if failed is None:
        gray = [step for step in rows if step.leg == Leg.CANARY]
        undo = [step for step in rows if step.leg == Leg.UNDO]
        if rollout.leg == Leg.CANARY and gray and undo:
            gone = all(step.state == StepState.SUCCEEDED for step in undo)
            return Chances(f"Its canary was {'' if gone else 'being '}withdrawn, so it is tried again as a whole.")
        if rollout.leg == Leg.CANARY and gray and all(step.state == StepState.SUCCEEDED for step in gray):
            return Chances(held=True)
        return Chances("None of its steps failed, so there is none to go on from.")
    if rollout.strategy != Strategy.BLUE_GREEN and any(step.leg == Leg.UNDO for step in rows):
        return Chances(f"{_put_back(rollout, rows)}, so it is tried again as a whole.", failed)
    return Chances(failed=failed, accepted=rollout.leg == Leg.FULL)


def _put_back(rollout: Any, rows: Sequence[Any]) -> str:
    """What became of its changes, without a full stop."""
    left = [name_of(step) for step in not_put_back(rows, rollout.strategy)]
    if not left:
        return "What it had done was put back"
    named = ", ".join(left[:NAMED]) + (f" and {len(left) - NAMED} more" if len(left) > NAMED else "")
    return f"Its undo did not end: {named} {'was' if len(left) == 1 else 'were'} not put back"


def _standing(old: Sequence[Any], found: Chances) -> list[Any]:
    """The steps of the old rollout whose effect is still there."""
    if found.whole:
        return []
    done = [step for step in old if step.leg != Leg.UNDO and step.state == StepState.SUCCEEDED]
    if any(step.leg == Leg.UNDO for step in old):
        # Blue/green's undo takes back the switch alone: the other colour is complete, but nobody has looked at it in use.
        return [step for step in done if step.phase in {Phase.PRE, Phase.DEPLOY}]
    return done


def _key(step: Any) -> tuple[str, ...]:
    return (step.microservice, step.target_name, step.phase, step.kind, step.new_version, canonical(step.config))


def redo(plan: Sequence[StepPlan], old: Sequence[Any], how: str, number: int, found: Chances) -> list[StepPlan]:
    """The plan, with those steps marked as done that the old rollout has done: origin, note and memo are set.

    old, number: the steps and the number of the old rollout. how: ALL, FAILED or SKIP. found: the result of `chances`.
    Two steps are the same when microservice, target, phase, kind, version and configuration are equal.
    Raises LookupError when the step to leave out is no longer part of the plan.
    """
    if how == ALL:
        return list(plan)
    done = defaultdict(list)
    for step in _standing(old, found):
        done[_key(step)].append(step)
    left_out = _key(found.failed) if how == SKIP else None
    marked = []
    for step in plan:
        same = done[_key(step)]
        if same:
            before = same.pop(0)
            note = before.summary if before.origin == Origin.SKIPPED else f"done by rollout {number}"
            origin = Origin.SKIPPED if before.origin == Origin.SKIPPED else Origin.CARRIED
            marked.append(replace(step, origin=origin, note=note, memo=dict(before.memo)))
        elif _key(step) == left_out:
            marked.append(replace(step, origin=Origin.SKIPPED, note="skipped"))
            left_out = None
        else:
            marked.append(step)
    if left_out is not None:
        raise LookupError
    return marked


def still_lacking(plan: Sequence[StepPlan], old: Sequence[Any]) -> list[StepPlan]:
    """The plan of blue/green without what the other colour had before the old rollout (its steps) began.

    That rollout cleared Stage.idle_set when it began, so the present plan deploys everything. Its own plan was what the
    colour lacked: what it did not touch on a target is there, unless the target deploys in another way now.
    """
    known = {(step.microservice, step.target_name) for step in old}
    ways = {_way(step) for step in old if step.phase == Phase.DEPLOY}
    anew = {
        (step.microservice, step.target_name) for step in plan if step.phase == Phase.DEPLOY and _way(step) not in ways
    }
    return [
        step for step in plan
        if step.microservice == EVERYTHING or (pair := (step.microservice, step.target_name)) in known or pair in anew
    ]


def _way(step: Any) -> tuple[str, ...]:
    return (step.target_name, step.kind, canonical(step.config))
