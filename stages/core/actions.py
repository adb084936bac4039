"""What may be done to a rollout now, read from its row: the one question of buttons, doors and services."""
from __future__ import annotations

from stages.models import Rollout
from stages.states import user_actions


def actions_of(rollout: Rollout) -> tuple[str, ...]:
    """The actions by the table of states (states.user_actions); who may is another question."""
    return user_actions(
        rollout.state, strategy=rollout.strategy, leg=rollout.leg, protocol=rollout.protocol,
        stage_type=rollout.scenario_copy.get("stage_type", ""),
    )
