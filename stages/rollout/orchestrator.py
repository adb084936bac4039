"""What a rollout does next: a pure function of its rows. Acting on it is the executor's matter.

Drives kind promote and rollback with strategy normal: queued, running, canceling and their ends.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from stages.states import RolloutState, StepState

# A step that takes its worker down each time must not take one down for ever.
MAX_STEP_ATTEMPTS = 5


class StepRow(Protocol):
    """What is read of a step."""

    position: int
    microservice: str
    target_name: str
    phase: str
    kind: str
    state: str
    attempt: int
    summary: str


@dataclass(frozen=True)
class Begin:
    """Move from queued to running."""


@dataclass(frozen=True)
class RunStep:
    """Run the step with this index in the list; again: an earlier attempt was interrupted."""

    index: int
    again: bool = False


@dataclass(frozen=True)
class Finish:
    """End the rollout by this move of the table. sentence: the last line; error: what the page shows, if anything."""

    move: str
    sentence: str
    error: str = ""
    consistent: bool = True


Decision = Begin | RunStep | Finish


def decide(state: str, steps: Sequence[StepRow], repeatable: Callable[[StepRow], bool]) -> Decision:
    """The next thing to do. repeatable: whether an interrupted step may be run again.

    state: queued, running or canceling; anything else is a ValueError, because no worker has business there.
    """
    if state == RolloutState.QUEUED:
        return Begin()
    if state == RolloutState.CANCELING:
        return Finish("X1", "Canceled." + _left(steps), consistent=not _touched(steps))
    if state != RolloutState.RUNNING:
        raise ValueError(f"no worker drives a rollout that is {state}")
    for index, step in enumerate(steps):
        if step.state == StepState.SUCCEEDED:
            continue
        if step.state == StepState.PENDING:
            return RunStep(index)
        if step.state == StepState.RUNNING:
            if step.attempt >= MAX_STEP_ATTEMPTS:
                return _errored(f"{_name(step)} lost its worker {step.attempt} times, so it is not tried again.", steps)
            if repeatable(step):
                return RunStep(index, again=True)
            return _errored(
                f"{_name(step)} was interrupted when its worker stopped, and it may not be run twice. "
                "Check on the target how far it came, then retry or roll back.",
                steps,
            )
        sentence = f"{_name(step)} failed: {step.summary}"
        return Finish("R2", f"Failed. {sentence}" + _left(steps), error=sentence, consistent=not _touched(steps))
    return Finish("R1", "Succeeded: every step is done and the versions are pinned.")


def errored(sentence: str, steps: Sequence[StepRow], state: str) -> Finish:
    """The end for a fault of the system, from running (R4) or canceling (X2)."""
    found = _errored(sentence, steps)
    return found if state != RolloutState.CANCELING else Finish("X2", found.sentence, found.error, found.consistent)


def _errored(sentence: str, steps: Sequence[StepRow]) -> Finish:
    return Finish("R4", f"Errored. {sentence}" + _left(steps), error=sentence, consistent=not _touched(steps))


def _name(step: StepRow) -> str:
    where = f" on {step.target_name}" if step.target_name else ""
    return f"{step.phase} of {step.microservice}{where}"


def _touched(steps: Sequence[StepRow]) -> bool:
    """Whether some target may run something else than what is pinned: a real deploy was begun and the pins do not move."""
    return any(step.phase == "deploy" and step.kind != "pin" and step.state != StepState.PENDING for step in steps)


def _left(steps: Sequence[StepRow]) -> str:
    left = sum(step.state == StepState.PENDING for step in steps)
    return f" {left} of {len(steps)} steps were not started; the pins did not move." if steps else " The pins did not move."
