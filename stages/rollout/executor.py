"""Carries a rollout as far as it goes: claim, decide, act, until it ends, is taken away, or the worker must stop."""
from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from gs2admin import engine
from stages.models import Rollout, Step
from stages.rollout import journal
from stages.rollout.journal import Claim, Line
from stages.rollout.orchestrator import Begin, Finish, RunStep, decide, errored
from stages.rollout.steps import KINDS
from stages.rollout.steps.base import LeaseLost, StepBroken, StepCanceled, StepFailed
from stages.states import RolloutState, StepState
from stages.versions import differences, effective

log = logging.getLogger(__name__)
FLUSH_S = 0.1
FLUSH_CHARS = 64 * 1024
LOOK_S = 0.5


def run(rollout_id: int) -> None:
    """Claim the rollout and carry it on; returns at once when there is nothing to do here."""
    claim = journal.claim(rollout_id, engine.worker_label())
    if claim is None:
        return
    try:
        _carry(claim)
    except LeaseLost:
        log.warning("rollout taken over by another worker", extra={"rollout_id": rollout_id, "attempt": claim.attempt})


def _carry(claim: Claim) -> None:
    rollout = Rollout.objects.select_related("stage", "project", "from_set", "to_set").get(pk=claim.rollout_id)
    steps = list(rollout.steps.order_by("position"))
    if claim.attempt > 1 and rollout.state != RolloutState.QUEUED:
        journal.write(claim, [Line(f"Taken over by another worker (attempt {claim.attempt}).")])
    fault = ""
    while True:
        state = patiently(lambda: journal.renew(claim))
        try:
            # Only what runs can err, so a queued one begins first.
            ending = fault and state != RolloutState.QUEUED
            decision = errored(fault, steps, state) if ending else decide(state, steps, _repeatable)
            match decision:
                case Begin():
                    lines = [] if fault else _opening(rollout)
                    patiently(lambda lines=lines: journal.start(claim, lines))
                case RunStep(index=index, again=again):
                    fault = _run_step(claim, rollout, steps[index], again)
                    if not fault and engine.beat():
                        _hand_over(claim)
                        return
                case Finish():
                    _finish(claim, decision)
                    return
        except journal.MoveRefused:
            continue
        except (LeaseLost, OperationalError, InterfaceError):
            raise
        except Exception:
            if fault:
                raise
            log.exception("rollout hit an internal fault", extra={"rollout_id": claim.rollout_id})
            fault = f"gs2admin hit an internal fault; its log names rollout {rollout.number}."


def _opening(rollout: Rollout) -> list[Line]:
    before = dict(rollout.from_set.versions) if rollout.from_set else {}
    redone = set(rollout.steps.values_list("microservice", flat=True))
    changes = effective(differences(before, rollout.to_set.versions, redone))
    verb = f"Promote {rollout.stage.name}" if rollout.kind == "promote" else f"Roll back {rollout.stage.name}"
    sets = f"set {rollout.from_set.number if rollout.from_set else 'none'} to set {rollout.to_set.number}"
    count = f"{len(changes)} change{'' if len(changes) == 1 else 's'}" if changes else "nothing differs"
    first = f"{verb} by {rollout.requested_by}: {sets}, strategy {rollout.strategy}, {count}."
    return [Line(first), *(Line(change.sentence, change.name) for change in changes)]


def _repeatable(step: Step) -> bool:
    return KINDS[step.kind].repeatable(step.config, step.memo)


def _finish(claim: Claim, end: Finish) -> None:
    patiently(
        lambda: journal.finish(
            claim, end.move, error=end.error, consistent=end.consistent, lines=[Line(end.sentence)]
        )
    )


def _hand_over(claim: Claim) -> None:
    journal.write(claim, [Line("This worker is stopping; another one goes on.")])
    journal.release(claim)
    engine.ring("stages.tasks.run_rollout", claim.rollout_id)


def _run_step(claim: Claim, rollout: Rollout, step: Step, again: bool) -> str:
    """Run one step and write down how it ended; `step` is kept true in memory, as this worker is its only writer.

    Returns a sentence where the system is at fault and the rollout cannot go on, else an empty text.
    """
    where = f" on {step.target_name}" if step.target_name else ""
    line = lambda text: Line(text, step.microservice, step.position)  # noqa: E731
    verb = "started again" if again else "started"
    patiently(lambda: journal.start_step(claim, step, [line(f"{step.phase} {verb}{where}")]))
    step.state = StepState.RUNNING
    step.attempt += 1
    began = time.monotonic()
    context = Context(claim, rollout, step)
    try:
        if step.kind not in KINDS:
            raise StepBroken(f"this server knows no step of kind {step.kind}.")
        summary, to = KINDS[step.kind].run(context), StepState.SUCCEEDED
    except StepFailed as refusal:
        summary, to = str(refusal), StepState.FAILED
    except StepCanceled:
        summary, to = "stopped, because the rollout was canceled", StepState.CANCELED
    except StepBroken as fault:
        context.flush()
        return f"{step.phase} of {step.microservice}{where}: {fault}"
    context.flush()
    word = {StepState.SUCCEEDED: "done", StepState.FAILED: "failed", StepState.CANCELED: "stopped"}[to]
    text = f"{step.phase} {word}{where} in {time.monotonic() - began:.1f} s"
    if summary and to != StepState.SUCCEEDED:
        text = f"{text}: {summary}"
    patiently(lambda: journal.finish_step(claim, step, to, summary, [line(text)]))
    step.state, step.summary = to, summary
    return ""


class Context:
    """What a step may know and do (steps.base.StepContext)."""

    def __init__(self, claim: Claim, rollout: Rollout, step: Step) -> None:
        self._claim, self._step = claim, step
        self._lines: list[Line] = []
        self._chars = 0
        self._flushed = self._looked = self._renewed = time.monotonic()
        self.project, self.stage = rollout.project.name, rollout.stage.name
        self.rollout_number, self.attempt = rollout.number, step.attempt
        self.microservice, self.target, self.phase = step.microservice, step.target_name, step.phase
        self.old_version, self.new_version = step.old_version, step.new_version
        self.key = f"{self.project}/{rollout.number}/{step.position}"
        self.config, self.memo = dict(step.config), dict(step.memo)

    def emit(self, text: str, stream: str = "stdout") -> None:
        """Buffer a line of output; a large buffer is written at once."""
        self._lines.append(Line(text, self._step.microservice, self._step.position, stream))
        self._chars += len(text)
        if self._chars >= FLUSH_CHARS:
            self.flush()

    def flush(self) -> None:
        """Write the buffer; kept when the database is away, until the lease is."""
        if self._lines:
            lines, self._lines, self._chars = self._lines, [], 0
            patiently(lambda: journal.write(self._claim, lines))
        self._flushed = time.monotonic()

    def tick(self) -> None:
        """Flush, renew the lease, see a cancel. Raises StepCanceled or LeaseLost."""
        now = time.monotonic()
        if self._lines and now - self._flushed >= FLUSH_S:
            self.flush()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        if now - self._renewed >= settings.LEASE_S / 4:
            state = patiently(lambda: journal.renew(self._claim))
            self._renewed = now
        else:
            state = patiently(lambda: journal.state(self._claim))
        engine.beat()
        if state == RolloutState.CANCELING:
            raise StepCanceled
        if state != RolloutState.RUNNING:
            raise LeaseLost

    def remember(self, **memo: Any) -> None:
        """Keep something for another attempt, at once."""
        self.memo |= memo
        self._step.memo = dict(self.memo)
        patiently(lambda: journal.remember(self._claim, self._step, self.memo))


def patiently(act: Callable[[], Any]) -> Any:
    """Do a write again while the database is away, as long as the lease could still be ours.

    The writes are fenced or conditional. One whose answer was lost may have happened: an output piece could then be
    there twice, a state move is refused the second time and looked at anew by the next claim.
    """
    deadline = time.monotonic() + settings.LEASE_S * 0.75
    pause = 0.05
    while True:
        try:
            return act()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() + pause > deadline:
                raise
            connection.close()
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
