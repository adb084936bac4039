"""Carries a rollout on: claim, decide, act, until it ends or waits, another worker has claimed it, or this one must stop."""
from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError

from gs2admin import engine
from stages.canary import moves
from stages.core import journal
from stages.core.journal import Claim, Line
from stages.core.scenarios import way_of
from stages.core.versions import differences, effective
from stages.core.wake import RUN
from stages.models import Rollout, Step
from stages.states import Leg, RolloutState, StepState, Strategy
from stages.steps import KINDS
from stages.steps.base import LeaseLost
from stages.worker import analysis, begin
from stages.worker.context import patiently
from stages.worker.lanes import run_lanes
from stages.worker.orchestrator import (
    Analyze,
    Begin,
    CanaryUp,
    Course,
    Decision,
    Finish,
    RunLanes,
    Undo,
    Withdraw,
    decide,
    errored,
)

log = logging.getLogger(__name__)


def run(rollout_id: int) -> None:
    """Claim the rollout and carry it on; returns at once when no worker is needed or another one has it.

    Raises OperationalError or InterfaceError when the database is away for too long; the lease then runs out.
    """
    claim = journal.claim(rollout_id, engine.worker_label())
    if claim is None:
        return
    try:
        _Carrier(claim).run()
    except LeaseLost:
        log.warning("rollout taken over by another worker", extra={"rollout_id": rollout_id, "attempt": claim.attempt})


class _Carrier:
    """Carries one claimed rollout on: the rows as they were read last, and the fault of the system, if there is one."""

    def __init__(self, claim: Claim) -> None:
        self.claim, self.fault = claim, ""
        self.read()

    def read(self) -> None:
        rows = Rollout.objects.select_related("stage", "project", "from_set", "to_set", "canary")
        self.rollout = rollout = rows.get(pk=self.claim.rollout_id)
        self.steps = list(rollout.steps.select_related("undoes").order_by("position"))
        way = way_of(rollout.scenario_copy)
        self.course = Course(rollout.leg, way.strategy, way.analysis, rollout.rollback, rollout.cause, rollout.error)

    def run(self) -> None:
        """Decide and act until there is nothing more to do here."""
        if self.claim.attempt > 1 and _interrupted(self.rollout, self.steps):
            journal.write(self.claim, [Line(f"Taken over by another worker (attempt {self.claim.attempt}).")])
        while True:
            state = patiently(lambda: journal.renew(self.claim))
            try:
                if not self.act(self.decide(state)):
                    return
            except journal.MoveRefused:
                self.read()
                if self.rollout.lease_until is None:  # it waits for a person or the clock now
                    return
            except (LeaseLost, OperationalError, InterfaceError):
                raise
            except Exception:
                if self.fault:
                    raise
                log.exception("rollout hit an internal fault", extra={"rollout_id": self.claim.rollout_id})
                self.fault = f"gs2admin hit an internal fault; its log names rollout {self.rollout.number}."

    def decide(self, state: str) -> Decision:
        # A queued rollout has no move to errored, so it begins first.
        if self.fault and state != RolloutState.QUEUED:
            return errored(self.fault, self.steps, state, self.course)
        return decide(state, self.steps, _repeatable, self.course)

    def act(self, decision: Decision) -> bool:
        """Do it; False when this worker is done with the rollout. Raises MoveRefused, LeaseLost."""
        claim = self.claim
        match decision:
            case Begin():
                lines = [] if self.fault else opening(self.rollout)
                patiently(lambda: begin.start(claim, lines))
            case RunLanes(lanes=lanes):
                chosen = [[self.steps[index] for index in lane] for lane in lanes]
                self.fault, leaving = run_lanes(claim, self.rollout, chosen)
                if leaving and not self.fault:
                    _hand_over(claim)
                    return False
            case Undo(sentence=sentence, error=error):
                patiently(lambda: moves.begin_undo(claim, sentence=sentence, error=error))
                self.read()
            case Withdraw(sentence=sentence):
                patiently(lambda: moves.begin_withdrawal(claim, sentence=sentence))
                self.read()
            case CanaryUp(move=move):
                patiently(lambda: moves.canary_up(claim, move))
                return False
            case Analyze():
                self.fault = analysis.analyze(claim, self.rollout)
                if not self.fault:
                    self.read()
                    return self.rollout.state != RolloutState.CANARY_ANALYZING
            case Finish(move=move, sentence=sentence, error=error, consistent=consistent):
                end = [Line(sentence)]
                patiently(lambda: journal.finish(claim, move, error=error, consistent=consistent, lines=end))
                return False
        return True


def _interrupted(rollout: Rollout, steps: list[Step]) -> bool:
    """Whether another worker was in the middle of it. A canary that goes on after its wait was not interrupted."""
    if rollout.state in {RolloutState.QUEUED, RolloutState.CANARY_ANALYZING}:
        return False
    waits = any(step.leg == Leg.CANARY for step in steps)
    return not waits or any(step.state == StepState.RUNNING for step in steps)


def opening(rollout: Rollout) -> list[Line]:
    """What the output begins with: what is requested, and a line for each change. rollout: with its stage and sets."""
    before = dict(rollout.from_set.versions) if rollout.from_set else {}
    redone: set[str] = set()
    if rollout.strategy != Strategy.BLUE_GREEN:  # there the steps are what the other colour lacks
        redone = set(rollout.steps.values_list("microservice", flat=True))
    changes = effective(differences(before, rollout.to_set.versions, redone))
    verb = f"{rollout.get_kind_display()} {rollout.stage.name}"
    sets = f"set {rollout.from_set.number if rollout.from_set else 'none'} to set {rollout.to_set.number}"
    count = f"{len(changes)} change{'' if len(changes) == 1 else 's'}" if changes else "nothing differs"
    named = f" of scenario {rollout.scenario_copy['name']}" if rollout.scenario_copy else ""
    first = f"{verb} by {rollout.requested_by}: {sets}, strategy {rollout.strategy}{named}, {count}."
    return [Line(first), *(Line(change.sentence, change.name) for change in changes)]


def _repeatable(step: Step) -> bool:
    return KINDS[step.kind].repeatable(step.config, step.memo)


def _hand_over(claim: Claim) -> None:
    journal.write(claim, [Line("This worker is stopping; another one goes on.")])
    journal.release(claim)
    engine.wake(RUN, claim.rollout_id)
