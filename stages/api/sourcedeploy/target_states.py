"""Where each target of a rollout stands, in SourceDeploy's words: derived from the steps, so that it is never wrong.

Contract: rollout_states, section 5.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from stages.states import FINAL, PHASES, Leg, Phase, RolloutState, StepState

S = StepState


class TargetRow(Protocol):
    """What is read of a RolloutTarget."""

    name: str
    number: int
    undone: bool


class StepRow(Protocol):
    """What is read of a Step."""

    target_name: str
    phase: str
    leg: str
    state: str
    started_at: datetime | None


@dataclass(frozen=True)
class TargetState:
    """status: pending, standby, pre, deploy, post, success, fail or "no progress".

    steps and times have the same keys, a subset of pre, deploy, post: success, fail or inprogress, and when it began.
    """

    name: str
    number: int
    status: str
    steps: dict[str, str] = field(default_factory=dict)
    times: dict[str, datetime] = field(default_factory=dict)
    undone: bool = False


def target_states(
    state: str, leased: bool, targets: Iterable[TargetRow], steps: Iterable[StepRow], *, started: bool
) -> list[TargetState]:
    """One per target in order; none while the rollout has not begun to run.

    state: the rollout's. leased: a worker holds it, which is what "agent connected" means here. started: whether it
    ever reached running.
    """
    if not started:
        return []
    by_name: dict[str, list[StepRow]] = {}
    for step in steps:
        if step.leg != Leg.UNDO:
            by_name.setdefault(step.target_name, []).append(step)
    return [_of(row, by_name.get(row.name, []), state, leased) for row in targets]


def _of(row: TargetRow, steps: Sequence[StepRow], state: str, leased: bool) -> TargetState:
    over = state in FINAL
    words, times = {}, {}
    for name in PHASES:
        # What a canary prepares and judges is its pre; the switch of blue/green ends its deploy.
        phase = [step for step in steps if _phase(step) == name]
        word = _word(phase, over)
        if name == "pre" and word == "success" and _judged(steps):
            word = {True: "fail", False: "inprogress"}[over]
        if word is None:
            break
        words[name] = word
        moments = [step.started_at for step in phase if step.started_at]
        if moments:
            times[name] = min(moments)
        elif times:
            times[name] = max(times.values())  # a phase without steps passes when the one before it has
        if word != "success":
            break
    for name in words:
        if name not in times and any(PHASES.index(later) > PHASES.index(name) for later in times):
            times[name] = min(times.values())
    known = {name: word for name, word in words.items() if name in times}
    if not times:
        nothing = state == RolloutState.SUCCEEDED
        status = "success" if nothing else "no progress" if over else "standby" if leased else "pending"
    elif "fail" in known.values():
        status = "fail"
    elif "inprogress" in known.values():
        status = next(name for name, word in known.items() if word == "inprogress")
    elif len(known) == len(PHASES):
        status = "success"
    else:
        status = "no progress" if over else PHASES[len(known)]
    return TargetState(row.name, row.number, status, known, times, row.undone)


def _judged(steps: Sequence[StepRow]) -> bool:
    """Whether this is a canary that nobody has accepted: its gray part is up, the full leg has not begun."""
    full = [step for step in steps if step.leg == Leg.FULL]
    return bool(full) and not any(step.started_at for step in full)


def _phase(step: StepRow) -> str:
    if step.leg == Leg.CANARY:
        return "pre"
    return "deploy" if step.phase == Phase.SWITCH else step.phase


def _word(steps: Sequence[StepRow], over: bool) -> str | None:
    """success, fail, inprogress; None when nothing of the phase has begun."""
    states = {step.state for step in steps}
    if states & {S.FAILED, S.CANCELED} or (over and S.RUNNING in states):
        return "fail"
    if states <= {S.SUCCEEDED}:
        return "success"
    if S.RUNNING in states:
        return "inprogress"
    if S.SUCCEEDED in states:
        return "fail" if over else "inprogress"
    return None
