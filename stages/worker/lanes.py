"""Several steps at the same time: each lane has a thread of its own, and only the worker's thread talks to the database.

A step's thread buffers its words and asks for what it wants remembered; the worker's loop writes, renews the lease,
sees a cancel, and starts the next step of a lane when one has ended well.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from gs2admin import engine
from gs2admin.lease import LeaseLost, Renewer
from stages.core import journal
from stages.core.journal import Claim, Line, MoveRefused
from stages.models import Rollout, Step
from stages.states import RolloutState, StepState
from stages.steps.base import StepCanceled
from stages.worker.context import FLUSH_S, LOOK_S, RUN_IN, Facts, patiently
from stages.worker.outcome import Outcome, carry_out, closing_line, opening_line

TURN_S = 0.05
# How long stopped steps get to end; a command's grace time is 3 s, and its process is ended by its launcher anyway.
STOP_S = 12.0
# A lane that has printed this much waits until it is written, so that memory stays bounded.
BUFFER_LINES = 2_000


class LaneContext(Facts):
    """What a step in a lane's thread speaks to; every method may wait for the worker's loop."""

    def __init__(self, rollout: Rollout, step: Step) -> None:
        super().__init__(rollout, step)
        self._step = step
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._wanted: dict[str, Any] | None = None
        self._kept = threading.Event()
        self.stop: BaseException | None = None

    def emit(self, text: str, stream: str = "stdout") -> None:
        """Buffer a line; waits while the buffer is full."""
        while len(self._lines) >= BUFFER_LINES and self.stop is None:
            time.sleep(TURN_S)
        with self._lock:
            self._lines.append(Line(text, self._step.microservice, self._step.position, stream))

    def tick(self) -> None:
        """Raises what the worker's loop has said: StepCanceled or LeaseLost."""
        if self.stop is not None:
            raise self.stop

    def remember(self, **memo: Any) -> None:
        """Returns when it is written."""
        self._kept.clear()
        self._wanted = {**self.memo, **memo}
        while not self._kept.wait(TURN_S):
            if isinstance(self.stop, LeaseLost):
                raise self.stop
        self.memo |= memo

    def taken(self) -> list[Line]:
        """The lines since the last call, for the loop to write."""
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def write_memo(self, claim: Claim) -> None:
        """Write what the step wants remembered, if anything."""
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            self._step.memo = wanted
            patiently(lambda: journal.remember(claim, self._step, wanted))
            self._kept.set()


@dataclass
class Lane:
    """The steps of one lane that are left, and the one that runs."""

    left: list[Step]
    step: Step | None = None
    context: LaneContext | None = None
    thread: threading.Thread | None = None
    began: float = 0.0
    outcome: list[Outcome] = field(default_factory=list)

    def begin(self, claim: Claim, rollout: Rollout, news: threading.Event) -> None:
        """Mark the next step running and let it run. Raises MoveRefused when the rollout is being canceled."""
        step = self.left[0]
        again = step.state == StepState.RUNNING
        patiently(lambda: journal.start_step(claim, step, [opening_line(step, again)]))
        del self.left[0]
        step.state, step.attempt = StepState.RUNNING, step.attempt + 1
        self.step, self.context, self.outcome, self.began = step, LaneContext(rollout, step), [], time.monotonic()
        out, context = self.outcome, self.context

        def work() -> None:
            out.append(carry_out(step, context))
            news.set()

        self.thread = threading.Thread(target=work, name=f"lane-{step.position}", daemon=True)
        self.thread.start()

    @property
    def running(self) -> bool:
        """Whether its thread is at work."""
        return self.thread is not None and self.thread.is_alive() and not self.outcome


def run_lanes(claim: Claim, rollout: Rollout, lanes: Sequence[Sequence[Step]]) -> tuple[str, bool]:
    """Run the lanes until none moves; each step's end is written as it comes.

    Returns (a sentence where the system is at fault, whether this worker is asked to stop). Raises LeaseLost when
    another worker has taken over; everything that ran is stopped then.
    """
    mine = [Lane(list(steps)) for steps in lanes]
    try:
        return _follow(claim, rollout, mine)
    except BaseException:
        _stop(mine, LeaseLost())
        raise


def _follow(claim: Claim, rollout: Rollout, lanes: list[Lane]) -> tuple[str, bool]:
    fault, leaving, stopping = "", False, False
    flushed = looked = time.monotonic()
    lease = Renewer(settings.LEASE_S / 4, lambda: patiently(lambda: journal.renew(claim)))
    news = threading.Event()
    while True:
        news.clear()
        for lane in lanes:
            if lane.step is not None and not lane.running:
                fault = _close(claim, lane) or fault
            if lane.step is None and lane.left and not (fault or leaving or stopping):
                try:
                    lane.begin(claim, rollout, news)
                except MoveRefused:
                    stopping = True
        if all(lane.step is None for lane in lanes) and (fault or leaving or stopping or not any(x.left for x in lanes)):
            return fault, leaving
        news.wait(TURN_S)
        now = time.monotonic()
        for lane in lanes:
            if lane.context is not None:
                lane.context.write_memo(claim)
        if now - flushed >= FLUSH_S:
            flushed = now
            _flush(claim, lanes)
        if now - looked >= LOOK_S:
            looked = now
            state = lease.tick() or patiently(lambda: journal.state(claim))
            leaving = engine.beat() or leaving
            if state == RolloutState.CANCELING:
                stopping = True
                _tell(lanes, StepCanceled())
            elif state not in RUN_IN:
                raise LeaseLost


def _flush(claim: Claim, lanes: list[Lane]) -> None:
    lines = [line for lane in lanes if lane.context for line in lane.context.taken()]
    if lines:
        patiently(lambda: journal.write(claim, lines))


def _close(claim: Claim, lane: Lane) -> str:
    """Write how the lane's step ended; returns the system's fault, if that is how."""
    step, context = lane.step, lane.context
    lane.step = lane.context = lane.thread = None
    lines = context.taken()
    outcome = lane.outcome[0] if lane.outcome else Outcome(None, "", "its thread ended without an answer.")
    if outcome.state is None:
        lane.left.clear()
        if lines:
            patiently(lambda: journal.write(claim, lines))
        return outcome.fault
    end = closing_line(step, outcome, time.monotonic() - lane.began)
    patiently(lambda: journal.finish_step(claim, step, outcome.state, outcome.summary, [*lines, end]))
    step.state, step.summary = outcome.state, outcome.summary
    if outcome.state != StepState.SUCCEEDED:
        lane.left.clear()
    return ""


def _tell(lanes: list[Lane], stop: BaseException) -> None:
    for lane in lanes:
        if lane.context is not None:
            lane.context.stop = stop


def _stop(lanes: list[Lane], stop: BaseException) -> None:
    """Stop what runs and wait for it, so that nothing of ours goes on while another worker has the rollout."""
    _tell(lanes, stop)
    deadline = time.monotonic() + STOP_S
    for lane in lanes:
        if lane.thread is not None:
            lane.thread.join(max(0.0, deadline - time.monotonic()))
