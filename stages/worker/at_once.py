"""Carries a rollout whose steps only pin from queued to its end in a few statements, where nobody is to watch it: the demo's.

The rows are those that the executor leaves; tests/stages/test_demo.py compares them.
"""
from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from stages.core import journal
from stages.core.journal import Line
from stages.models import Rollout, Step
from stages.states import RolloutState, StepState
from stages.steps.pin import KIND
from stages.worker import begin
from stages.worker.executor import opening
from stages.worker.orchestrator import Finish, decide
from stages.worker.outcome import Outcome, closing_line, opening_line


def run(rollout_id: int) -> None:
    """Claim the rollout and end it well. Raises ValueError where it is not free, or a step does more than to pin."""
    rollout = Rollout.objects.select_related("stage", "from_set", "to_set").get(pk=rollout_id)
    steps = list(rollout.steps.order_by("position"))
    with transaction.atomic():
        claim = journal.claim(rollout_id, engine.worker_label())
        if claim is None or any(step.kind != KIND.name for step in steps):
            raise ValueError(f"rollout {rollout.number} cannot be ended at once")
        begin.start(claim, opening(rollout))
        outcome = Outcome(StepState.SUCCEEDED, KIND.run(None))
        journal.append_claimed(claim, [line for step in steps for line in _lines(step, outcome)])
        Step.objects.filter(rollout=rollout_id).update(
            state=outcome.state, summary=outcome.summary, attempt=F("attempt") + 1, started_at=Now(), ended_at=Now()
        )
        claim.rows.update(steps_done=len(steps))
        for step in steps:
            step.state = outcome.state
        match decide(RolloutState.RUNNING, steps, lambda step: True):
            case Finish(move=move, sentence=sentence, error=error, consistent=consistent):
                journal.finish(claim, move, error=error, consistent=consistent, lines=[Line(sentence)])


def _lines(step: Step, outcome: Outcome) -> list[Line]:
    return [opening_line(step, again=False), closing_line(step, outcome, 0.0)]
