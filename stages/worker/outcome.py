"""How one step ends, as a value, and the lines of output that open and close it."""
from __future__ import annotations

import logging
from dataclasses import dataclass

from gs2admin import outage
from stages.core.failure import name_of
from stages.core.journal import Line
from stages.models import Step
from stages.states import Leg, StepState
from stages.steps import KINDS
from stages.steps.base import LeaseLost, StepBroken, StepCanceled, StepContext, StepFailed

log = logging.getLogger(__name__)
WORDS = {StepState.SUCCEEDED: "done", StepState.FAILED: "failed", StepState.CANCELED: "stopped"}


@dataclass(frozen=True)
class Outcome:
    """state: final; None where the system is at fault, then `fault` is a sentence about it. summary: how or why it ended."""

    state: StepState | None
    summary: str = ""
    fault: str = ""


def carry_out(step: Step, context: StepContext) -> Outcome:
    """Run the step by its kind; each way in which it can end becomes an Outcome, unexpected exceptions included."""
    try:
        if step.kind not in KINDS:
            raise StepBroken(f"this server knows no step of kind {step.kind}.")
        return Outcome(StepState.SUCCEEDED, KINDS[step.kind].run(context))
    except StepFailed as refusal:
        return Outcome(StepState.FAILED, str(refusal))
    except StepCanceled:
        return Outcome(StepState.CANCELED, "stopped, because the rollout was canceled")
    except StepBroken as fault:
        return _fault(step, str(fault))
    except LeaseLost:
        return _fault(step, "this worker lost the rollout.")
    except Exception as problem:
        if (found := outage.of(problem)) is not None:
            log.warning("a step was interrupted", extra={"step": step.pk, "problem": str(problem), "reason": found.kind})
            return _fault(step, f"it was interrupted. {found.sentence}")
        log.exception("a step hit an internal fault", extra={"step": step.pk})
        return _fault(step, "gs2admin hit an internal fault; its log has the details.")


def _fault(step: Step, why: str) -> Outcome:
    return Outcome(None, summary=why, fault=f"{name_of(step)} failed: {why}")


def where(step: Step) -> str:
    """" on target", or nothing."""
    return f" on {step.target_name}" if step.target_name else ""


def verb(step: Step) -> str:
    """What the step's phase is called in the output."""
    return f"undo of {step.phase}" if step.leg == Leg.UNDO else step.phase


def opening_line(step: Step, again: bool) -> Line:
    """ "deploy started on cluster"."""
    return Line(f"{verb(step)} {'started again' if again else 'started'}{where(step)}", step.microservice, step.position)


def closing_line(step: Step, outcome: Outcome, seconds: float) -> Line:
    """ "deploy failed on cluster in 1.2 s: why"."""
    text = f"{verb(step)} {WORDS[outcome.state]}{where(step)} in {seconds:.1f} s"
    if outcome.summary and outcome.state != StepState.SUCCEEDED:
        text = f"{text}: {outcome.summary}"
    return Line(text, step.microservice, step.position)
