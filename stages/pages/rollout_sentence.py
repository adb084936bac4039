"""What a rollout does now, or how it ended, as one sentence for its page."""
from __future__ import annotations

from stages.core.words import words_of
from stages.models import Rollout, Step
from stages.plan.steps import EVERYTHING
from stages.states import FINAL, TIMED, Phase, RolloutState, StepState

S = RolloutState
VERBS = {
    Phase.PRE: "Preparing", Phase.CANARY: "Making the canary of", Phase.DEPLOY: "Deploying", Phase.SWITCH: "Switching",
    Phase.POST: "Checking",
}


def current_sentence(rollout: Rollout, steps: list[Step]) -> str:
    """The sentence, without a full stop. rollout: with its stage loaded. steps: all of the rollout, in order."""
    state = S(rollout.state)
    if state in FINAL:
        return _ended(rollout, state, any_steps=bool(steps))
    if state in TIMED:
        decides = "; the metrics decide" if state == S.CANARY_ANALYZING else ""
        return f"{rollout.gray_weight} % of the players have the new versions{decides}"
    if state == S.QUEUED:
        return "Waiting until another rollout of the stage has ended" if rollout.waiting else "Waiting for a worker"
    running = next((step for step in steps if step.state == StepState.RUNNING), None)
    if state in {S.RUNNING, S.ROLLING_BACK, S.CANCELING}:
        return _with_step(state, running) if running else _between_steps(state)
    return words_of(state).label


def _ended(rollout: Rollout, state: RolloutState, *, any_steps: bool) -> str:
    if state == S.SUCCEEDED:
        return f"{rollout.stage.name} runs these versions now" if any_steps else "Nothing differed, so nothing had to be done"
    words = words_of(state)
    if state == S.REJECTED:
        return f"{words.label}; nothing was started"
    if state == S.CANCELED and not rollout.started_at:
        return f"{words.label} before it began; nothing was changed"
    # A withdrawn canary that has its reason in the row: the page shows that beneath.
    given = rollout.error and state in {S.CANARY_REJECTED, S.CANARY_TIMEOUT}
    why = f" because {words.reason}" if words.reason and not given else ""
    return f"{words.label}{why}; the pinned versions did not move"


def _with_step(state: RolloutState, step: Step) -> str:
    where = f" on {step.target_name}" if step.target_name else ""
    if state == S.CANCELING:
        return f"Stopping {step.phase} of {step.microservice}{where}"
    if state == S.ROLLING_BACK:
        return f"Putting {step.microservice} back{where}"
    what = "all players" if step.microservice == EVERYTHING else step.microservice
    return f"{VERBS[step.phase]} {what}{where}"


def _between_steps(state: RolloutState) -> str:
    return {S.CANCELING: "Stopping", S.ROLLING_BACK: "Putting back what was changed"}.get(state, "Starting")
