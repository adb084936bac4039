"""Runs the steps of a wave: lanes side by side, the steps of a lane in order.

One loop, in the worker's own thread, talks to the database: it writes output and memos, renews the lease, sees a cancel,
and starts the next step of a lane when one has ended well. A lane alone runs its steps in this thread, and each tick of a
step is a turn of the loop. Of several lanes each has a thread, and the loop runs beside them.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from django.db import DatabaseError

from gs2admin import engine
from gs2admin.db import clock
from gs2admin.identity.server_keys import signing_root
from gs2admin.lease import LeaseLost
from stages.core import journal
from stages.core.failure import name_of
from stages.core.journal import Claim, MoveRefused
from stages.models import Rollout, Step
from stages.states import STEP_IN, UNDO_IN, Leg, RolloutState, StepState
from stages.steps.base import StepCanceled
from stages.worker.context import FLUSH_S, TURN_S, Context, Watch, patiently
from stages.worker.outcome import Outcome, carry_out, closing_line, opening_line

# How long stopped steps get to end; a command's grace time is 3 s, and its process is ended by its launcher anyway. s.
STOP_S = 12.0


class Ran(NamedTuple):
    """How a run of lanes ended. fault: a sentence where the system is at fault, else ""; leaving: this worker is to stop."""

    fault: str
    leaving: bool


@dataclass
class Lane:
    """The steps of one lane that are left, and the one that runs, if any."""

    left: list[Step]
    step: Step | None = None
    context: Context | None = None
    thread: threading.Thread | None = None
    outcome: Outcome | None = None
    began: float = 0.0
    ended: float = 0.0

    @property
    def running(self) -> bool:
        """Whether its thread is at work."""
        return self.thread is not None and self.thread.is_alive() and self.outcome is None


def run_lanes(claim: Claim, rollout: Rollout, lanes: Sequence[Sequence[Step]]) -> Ran:
    """Run the lanes until none moves; the end of each step is written at once, and `lanes` keep their rows' new state.

    A lane ends with a step that does not succeed; a fault, a cancel or a worker that is to stop starts no further step.
    Raises LeaseLost when another worker has claimed the rollout; everything that ran is stopped then.
    """
    clock.now()  # here, in the thread that may ask the database; the steps' own go on from it
    with suppress(DatabaseError):
        signing_root()  # read here once, for the lanes' threads, which must not ask the database
    loop = _Loop(claim, rollout, [Lane(list(steps)) for steps in lanes])
    try:
        return loop.run()
    except BaseException:
        loop.stop_all()
        raise


class _Loop:
    def __init__(self, claim: Claim, rollout: Rollout, lanes: list[Lane]) -> None:
        self._claim, self._rollout, self._lanes = claim, rollout, lanes
        self._threaded = len(lanes) > 1
        # The steps of a wave are of one leg. A cancel stops all but those that take something back.
        undo = any(step.leg == Leg.UNDO for lane in lanes for step in lane.left)
        self._run_in = UNDO_IN if undo else STEP_IN
        self._news, self._watch = threading.Event(), Watch(claim)
        self._flushed = time.monotonic()
        self._fault, self._leaving, self._canceled = "", False, False
        # What a turn raised while a step in this thread had called it; the step may have hidden it.
        self._error: BaseException | None = None

    def run(self) -> Ran:
        while True:
            self._news.clear()
            # What ended first is written first, so that the first of several failures is known.
            for lane in sorted(self._lanes, key=lambda lane: lane.ended):
                if lane.step is not None and not lane.running:
                    self._close(lane)
            for lane in self._lanes:
                if lane.step is None and lane.left and not self._ending:
                    self._begin(lane)
            if all(lane.step is None for lane in self._lanes) and (self._ending or not any(lane.left for lane in self._lanes)):
                return Ran(self._fault, self._leaving)
            self._news.wait(TURN_S)
            self._turn()

    @property
    def _ending(self) -> bool:
        return bool(self._fault) or self._leaving or self._canceled

    def _begin(self, lane: Lane) -> None:
        """Mark the lane's next step running and run it: to its end in this thread, or in one of its own."""
        step = lane.left[0]
        opening = opening_line(step, again=step.state == StepState.RUNNING)
        try:
            patiently(lambda: journal.start_step(self._claim, step, [opening]))
        except MoveRefused:
            self._canceled = True
            return
        del lane.left[0]
        step.state, step.attempt = StepState.RUNNING, step.attempt + 1
        context = Context(
            self._rollout, step, self._news.set if self._threaded else self._turn_in_step, threaded=self._threaded
        )
        lane.step, lane.context, lane.outcome, lane.began = step, context, None, time.monotonic()

        def work() -> None:
            found = carry_out(step, context)
            lane.ended, lane.outcome = time.monotonic(), found
            self._news.set()

        if self._threaded:
            lane.thread = threading.Thread(target=work, name=f"lane-{step.position}", daemon=True)
            lane.thread.start()
            return
        work()
        if self._error is not None:
            raise self._error

    def _turn_in_step(self) -> None:
        try:
            self._turn()
        except BaseException as error:
            self._error = error
            raise

    def _turn(self) -> None:
        """Write what the steps want written, and look at the rollout when it is time. Raises LeaseLost."""
        contexts = [lane.context for lane in self._lanes if lane.context is not None]
        for context in contexts:
            context.write_memo(self._claim)
        now = time.monotonic()
        ripe = now - self._flushed >= FLUSH_S or any(context.full for context in contexts)
        # After a pause the first line is written at once; those that follow it wait for each other.
        if ripe and (lines := [line for context in contexts for line in context.take()]):
            self._flushed = now
            patiently(lambda: journal.write(self._claim, lines))
        state = self._watch.look()
        if state is None:
            return
        self._leaving = engine.beat() or self._leaving
        if state in self._run_in:
            return
        if state != RolloutState.CANCELING:
            raise LeaseLost
        self._canceled = True
        self._tell(StepCanceled)

    def _close(self, lane: Lane) -> None:
        """Write how the lane's step ended, with the rest of its output."""
        step, outcome, lines = lane.step, lane.outcome, lane.context.take()
        lane.step = lane.context = lane.thread = None
        if outcome is None:
            why = "its thread ended without an answer."
            outcome = Outcome(None, summary=why, fault=f"{name_of(step)} failed: {why}")
        if outcome.state is None:
            self._fault = self._fault or outcome.fault
            patiently(lambda: journal.note_fault(self._claim, step, outcome.summary, lines))
        else:
            lines.append(closing_line(step, outcome, time.monotonic() - lane.began))
            patiently(lambda: journal.finish_step(self._claim, step, outcome.state, outcome.summary, lines))
            step.state, step.summary, step.ended_at = outcome.state, outcome.summary, clock.now()
        if outcome.state != StepState.SUCCEEDED:
            lane.left.clear()
        self._leaving = engine.beat() or self._leaving

    def _tell(self, stop: type[BaseException]) -> None:
        for lane in self._lanes:
            if lane.context is not None:
                lane.context.stop = stop

    def stop_all(self) -> None:
        """Stop what runs and wait for it, so that it does not go on while another worker has the rollout."""
        self._tell(LeaseLost)
        deadline = time.monotonic() + STOP_S
        for lane in self._lanes:
            if lane.thread is not None:
                lane.thread.join(max(0.0, deadline - time.monotonic()))
