"""The actions that are open for a rollout now, from its row; buttons, APIs and services all ask here."""
from __future__ import annotations

from stages.models import Rollout
from stages.states import user_actions


def actions_of(rollout: Rollout) -> tuple[str, ...]:
    """The names of the actions (states.user_actions). Who has the right to them is not looked at."""
    return user_actions(
        rollout.state, strategy=rollout.strategy, leg=rollout.leg, protocol=rollout.protocol,
        stage_type=rollout.scenario_copy.get("stage_type", ""),
    )
