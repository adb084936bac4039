"""Where each target of a rollout stands, in SourceDeploy's words, derived from its steps.

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
    """The fields of a RolloutTarget that are read here."""

    name: str
    number: int
    undone: bool


class StepRow(Protocol):
    """The fields of a Step that are read here."""

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
    words, times = _phases(steps, over=state in FINAL)
    known = {name: word for name, word in words.items() if name in times}
    return TargetState(row.name, row.number, _status(known, state, leased), known, times, row.undone)


def _phases(steps: Sequence[StepRow], *, over: bool) -> tuple[dict[str, str], dict[str, datetime]]:
    """The word of each phase up to the first that has not succeeded, and when phases began. over: the rollout has ended."""
    words: dict[str, str] = {}
    times: dict[str, datetime] = {}
    for name in PHASES:
        # What a canary prepares and what is decided about it is its pre; the switch of blue/green ends its deploy.
        phase = [step for step in steps if _phase(step) == name]
        word = _word(phase, over)
        if name == "pre" and word == "success" and _undecided(steps):
            word = "fail" if over else "inprogress"
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
    return words, times


def _status(words: dict[str, str], state: str, leased: bool) -> str:
    """TargetState.status of a target whose phases with a time have these words."""
    over = state in FINAL
    if not words:
        if state == RolloutState.SUCCEEDED:
            return "success"
        return "no progress" if over else "standby" if leased else "pending"
    if "fail" in words.values():
        return "fail"
    if "inprogress" in words.values():
        return next(name for name, word in words.items() if word == "inprogress")
    if len(words) == len(PHASES):
        return "success"
    return "no progress" if over else PHASES[len(words)]


def _undecided(steps: Sequence[StepRow]) -> bool:
    """Whether this is a canary that was not accepted: its full leg has not begun."""
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
