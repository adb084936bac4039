"""What a rollout does next: a function of its rows alone, which reads and changes nothing. The executor acts on it.

It decides all that a worker does: the legs base, canary and full, the undo of a failure, the withdrawal of a canary, and
the ends. What waits for a person or a clock is moved by canary.services.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from stages.core import failure
from stages.core.failure import INTERRUPTED, name_of, said
from stages.plan.steps import begun
from stages.states import Analysis, Cause, Leg, Phase, RolloutState, StepState, Strategy

# A step whose worker is lost this many times is not tried again: it may be what ends the workers.
MAX_STEP_ATTEMPTS = 5


class StepRow(failure.StepRow, Protocol):
    """What is read of a step."""

    attempt: int
    wave: int
    lane: int
    memo: Mapping[str, Any]


@dataclass(frozen=True)
class Course:
    """The facts of the rollout that a decision needs beside its state.

    cause, error: why a canary is withdrawn; error is a sentence, "" where the cause says it all.
    """

    leg: str = Leg.BASE
    strategy: str = Strategy.NORMAL
    analysis: str = Analysis.NONE
    rollback: bool = False
    cause: str = Cause.NONE
    error: str = ""


@dataclass(frozen=True)
class Begin:
    """Move from queued to running."""


@dataclass(frozen=True)
class RunLanes:
    """Run these lanes at the same time, of each its steps one after the other.

    lanes: of each lane the indexes in the list of steps. The first step of a lane may be one whose worker was lost.
    """

    lanes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Undo:
    """Move to rolling_back (R3) and take back what was done. sentence: the line of output; error: what the page shows."""

    sentence: str
    error: str


@dataclass(frozen=True)
class Withdraw:
    """Of a rollout that is canceled: take back the gray part, which would go on serving players. sentence: for the output."""

    sentence: str


@dataclass(frozen=True)
class CanaryUp:
    """The gray part is up: make this move, R6 to canary_analyzing or R7 to canary_hold."""

    move: str


@dataclass(frozen=True)
class Analyze:
    """Read the metrics that are due."""


@dataclass(frozen=True)
class Finish:
    """End the rollout by this move of the table.

    sentence: the last line of output. error: what the page shows as the reason, "" for none. consistent: whether all
    targets run what is pinned.
    """

    move: str
    sentence: str
    error: str = ""
    consistent: bool = True


Decision = Begin | RunLanes | Undo | Withdraw | CanaryUp | Analyze | Finish
PLAIN = Course()


def decide(
    state: str, steps: Sequence[StepRow], repeatable: Callable[[StepRow], bool], course: Course = PLAIN
) -> Decision:
    """The next thing to do.

    steps: all of the rollout, by position. repeatable(step): whether an interrupted step may be run again.
    Raises ValueError for a state in which a worker has nothing to do.
    """
    match state:
        case RolloutState.QUEUED:
            return Begin()
        case RolloutState.RUNNING:
            return _running(steps, repeatable, course)
        case RolloutState.CANARY_ANALYZING:
            return Analyze()
        case RolloutState.ROLLING_BACK:
            return _undoing(steps, repeatable, course)
        case RolloutState.CANARY_REJECTING:
            return _undoing(steps, repeatable, course, withdrawing=True)
        case RolloutState.CANCELING:
            return _canceling(steps, repeatable, course)
    raise ValueError(f"no worker drives a rollout that is {state}")


def _running(steps: Sequence[StepRow], repeatable: Callable[[StepRow], bool], course: Course) -> Decision:
    mine = [(index, step) for index, step in enumerate(steps) if step.leg == course.leg]
    for wave in sorted({step.wave for _, step in mine}):
        found = _wave([(index, step) for index, step in mine if step.wave == wave], repeatable)
        if isinstance(found, str):
            return errored(found, steps, RolloutState.RUNNING, course)
        if found is not None:
            return found
        rows = [step for _, step in mine if step.wave == wave]
        if any(step.state != StepState.SUCCEEDED for step in rows):
            bad = failure.first_failure(rows)
            error = said(bad) if bad is not None else "a step was not run"
            sentence = f"Failed. {error}." + _left(steps)
            if course.rollback:
                return Undo(f"{sentence} Now what was changed is put back.", error)
            return Finish("R2", sentence, error=error, consistent=not _touched(steps, course))
    if course.leg == Leg.CANARY:
        return CanaryUp("R6" if course.analysis == Analysis.AUTO else "R7")
    return Finish("R1", "Succeeded: every step is done and the versions are pinned.")


def _wave(pairs: Sequence[tuple[int, StepRow]], repeatable: Callable[[StepRow], bool]) -> Decision | str | None:
    """What is to be run of one wave; a sentence where the system is at fault; None when all its lanes have ended."""
    lanes = []
    for lane in sorted({step.lane for _, step in pairs}):
        rows = [(index, step) for index, step in pairs if step.lane == lane]
        left = [(index, step) for index, step in rows if step.state != StepState.SUCCEEDED]
        step = next((step for _, step in left), None)
        if step is None or step.state not in {StepState.PENDING, StepState.RUNNING}:
            continue
        if step.state == StepState.RUNNING:
            if step.attempt >= MAX_STEP_ATTEMPTS:
                return f"{name_of(step)} failed: {INTERRUPTED}, {step.attempt} times, so it is not tried again."
            if not repeatable(step):
                return (
                    f"{name_of(step)} failed: {INTERRUPTED}, and it may not be run twice. "
                    "Check on the target how far it came."
                )
        lanes.append(left)
    if not lanes:
        return None
    return RunLanes(tuple(tuple(index for index, _ in left) for left in lanes))


def _undoing(
    steps: Sequence[StepRow], repeatable: Callable[[StepRow], bool], course: Course, *, withdrawing: bool = False
) -> Decision:
    mine = [(index, step) for index, step in enumerate(steps) if step.leg == Leg.UNDO]
    found = _wave(mine, repeatable)
    state = RolloutState.CANARY_REJECTING if withdrawing else RolloutState.ROLLING_BACK
    if isinstance(found, str):
        return errored(found, steps, state, course)
    if found is not None:
        return found
    bad = next((step for _, step in mine if step.state != StepState.SUCCEEDED), None)
    if bad is not None:
        return errored(f"{said(bad)}.", steps, state, course)
    if withdrawing:
        move = "J2" if course.cause == Cause.TIMEOUT else "J1"
        why = f". {course.error}" if course.error else f": {WHY.get(course.cause, 'it was rejected')}."
        return Finish(move, f"The canary is withdrawn{why} The pins did not move.", error=course.error)
    broke = failure.first_failure(steps)
    error = said(broke) if broke else course.error
    return Finish("B1", "Failed, and what was changed is put back. The pins did not move.", error=error)


def _canceling(steps: Sequence[StepRow], repeatable: Callable[[StepRow], bool], course: Course) -> Decision:
    """Nothing is put back but a canary that nobody had accepted: no page would say that its gray part serves players."""
    undo = [(index, step) for index, step in enumerate(steps) if step.leg == Leg.UNDO]
    if not undo:
        gray = [step for step in steps if step.phase == Phase.CANARY and step.kind != "pin" and begun(step)]
        if gray and course.leg == Leg.CANARY:
            return Withdraw("Canceled: no further step starts, and the canary is withdrawn.")
        return Finish("X1", "Canceled." + _left(steps), consistent=not _touched(steps, course))
    found = _wave(undo, repeatable)
    if isinstance(found, str):
        return errored(found, steps, RolloutState.CANCELING, course)
    if found is not None:
        return found
    bad = next((step for _, step in undo if step.state != StepState.SUCCEEDED), None)
    if bad is not None:
        sentence = f"It was canceled, but withdrawing the canary broke: {said(bad)}."
        return errored(sentence, steps, RolloutState.CANCELING, course)
    return Finish("X1", "Canceled, and the canary is withdrawn. The pins did not move.")


WHY = {Cause.USER: "somebody rejected it", Cause.SCORE: "its score was too low", Cause.TIMEOUT: "its time ran out"}


def errored(sentence: str, steps: Sequence[StepRow], state: str, course: Course = PLAIN) -> Finish:
    """The end of a rollout that could not be carried on: by R4, B2, N4, J3 or X2, as its state allows.

    sentence: what went wrong. The error begins with what failed first; where that was a step of the game and this is its
    undo, what the undo did follows.
    """
    moves = {
        RolloutState.CANCELING: "X2", RolloutState.ROLLING_BACK: "B2", RolloutState.CANARY_ANALYZING: "N4",
        RolloutState.CANARY_REJECTING: "J3",
    }
    move = moves.get(RolloutState(state), "R4")
    consistent = not _touched(steps, course)
    if move == "J3":
        error = f"Withdrawing the canary broke: {sentence}{_undone(steps)}"
        if course.error:
            error += f" Why it was to be withdrawn: {course.error}"
        return Finish(move, f"{error}{_left(steps)}", error, consistent)
    first = failure.first_failure(steps)
    if move == "B2":
        before = f"{said(first)}." if first is not None else course.error
        error = f"{before} Then the undo broke: {sentence}{_undone(steps)}".strip()
        return Finish(move, f"Failed. {error}{_left(steps)}", error, consistent)
    error = f"{said(first)}. Then {sentence}" if first is not None and said(first) not in sentence else sentence
    error += _undone(steps)  # of a cancel that withdraws a canary
    return Finish(move, f"Failed. {error}{_left(steps)}", error, consistent)


def _undone(steps: Sequence[StepRow]) -> str:
    undo = [step for step in steps if step.leg == Leg.UNDO]
    done = sum(step.state == StepState.SUCCEEDED for step in undo)
    if not undo:
        return ""
    back = [name_of(step).removeprefix("undo of ") for step in undo if step.state != StepState.SUCCEEDED]
    named = ", ".join(back[: failure.NAMED]) + (f" and {len(back) - failure.NAMED} more" if len(back) > failure.NAMED else "")
    if len(undo) == 1:
        return f" Not put back: {named}."
    return f" {done} of {len(undo)} changes {'was' if done == 1 else 'were'} put back; not put back: {named}."


def _touched(steps: Sequence[StepRow], course: Course) -> bool:
    """Whether some target may run something else than what is pinned, because a real deploy was begun.

    Of blue/green only the switch counts: what was deployed is the colour that nobody uses.
    """
    phases = failure.phases_of(course.strategy)
    return any(step.phase in phases and step.kind != "pin" and begun(step) for step in steps)


def _left(steps: Sequence[StepRow]) -> str:
    left = sum(step.state == StepState.PENDING for step in steps)
    return f" {left} of {len(steps)} steps were not started; the pins did not move." if steps else " The pins did not move."
