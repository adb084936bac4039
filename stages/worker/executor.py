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
from stages.models import Rollout, Step
from stages.states import Leg, RolloutState, StepState, Strategy
from stages.steps import KINDS
from stages.steps.base import LeaseLost
from stages.worker import analysis, begin
from stages.worker.context import patiently
from stages.worker.lanes import run_lanes
from stages.worker.orchestrator import Analyze, Begin, CanaryUp, Course, Finish, RunLanes, Undo, decide, errored

log = logging.getLogger(__name__)


def run(rollout_id: int) -> None:
    """Claim the rollout and carry it on; returns at once when no worker is needed or another one has it.

    Raises OperationalError or InterfaceError when the database is away for too long; the lease then runs out.
    """
    claim = journal.claim(rollout_id, engine.worker_label())
    if claim is None:
        return
    try:
        _carry(claim)
    except LeaseLost:
        log.warning("rollout taken over by another worker", extra={"rollout_id": rollout_id, "attempt": claim.attempt})


def _carry(claim: Claim) -> None:
    rollout, steps, course = _read(claim)
    if claim.attempt > 1 and _interrupted(rollout, steps):
        journal.write(claim, [Line(f"Taken over by another worker (attempt {claim.attempt}).")])
    fault = ""
    while True:
        state = patiently(lambda: journal.renew(claim))
        try:
            # A queued rollout has no move to errored, so it begins first.
            ending = fault and state != RolloutState.QUEUED
            decision = errored(fault, steps, state, course) if ending else decide(state, steps, _repeatable, course)
            match decision:
                case Begin():
                    lines = [] if fault else _opening(rollout)
                    patiently(lambda lines=lines: begin.start(claim, lines))
                case RunLanes(lanes=lanes):
                    fault, leaving = run_lanes(claim, rollout, [[steps[index] for index in lane] for lane in lanes])
                    if leaving and not fault:
                        _hand_over(claim)
                        return
                case Undo(sentence=sentence, error=error):
                    patiently(lambda s=sentence, e=error: moves.begin_undo(claim, sentence=s, error=e))
                    rollout, steps, course = _read(claim)
                case CanaryUp(move=move):
                    patiently(lambda move=move: moves.canary_up(claim, move))
                    return
                case Analyze():
                    fault = analysis.analyze(claim, rollout)
                    if not fault:
                        rollout, steps, course = _read(claim)
                        if rollout.state == RolloutState.CANARY_ANALYZING:
                            return
                case Finish():
                    _finish(claim, decision)
                    return
        except journal.MoveRefused:
            rollout, steps, course = _read(claim)
            if rollout.lease_until is None:  # it waits for a person or the clock now
                return
        except (LeaseLost, OperationalError, InterfaceError):
            raise
        except Exception:
            if fault:
                raise
            log.exception("rollout hit an internal fault", extra={"rollout_id": claim.rollout_id})
            fault = f"gs2admin hit an internal fault; its log names rollout {rollout.number}."


def _read(claim: Claim) -> tuple[Rollout, list[Step], Course]:
    rollout = Rollout.objects.select_related("stage", "project", "from_set", "to_set", "canary").get(pk=claim.rollout_id)
    way = way_of(rollout.scenario_copy)
    course = Course(rollout.leg, way.strategy, way.analysis, rollout.rollback, rollout.cause)
    return rollout, list(rollout.steps.select_related("undoes").order_by("position")), course


def _interrupted(rollout: Rollout, steps: list[Step]) -> bool:
    """Whether another worker was in the middle of it. A canary that goes on after its wait was not interrupted."""
    if rollout.state in {RolloutState.QUEUED, RolloutState.CANARY_ANALYZING}:
        return False
    waits = any(step.leg == Leg.CANARY for step in steps)
    return not waits or any(step.state == StepState.RUNNING for step in steps)


def _opening(rollout: Rollout) -> list[Line]:
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


def _finish(claim: Claim, end: Finish) -> None:
    patiently(
        lambda: journal.finish(
            claim, end.move, error=end.error, consistent=end.consistent, lines=[Line(end.sentence)]
        )
    )


def _hand_over(claim: Claim) -> None:
    journal.write(claim, [Line("This worker is stopping; another one goes on.")])
    journal.release(claim)
    engine.wake("stages.worker.tasks.run_rollout", claim.rollout_id)
