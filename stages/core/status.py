"""A stage's status, derived from its rollouts and never stored."""
from __future__ import annotations

from stages.models import Stage
from stages.states import StageStatus, stage_status


def status_of(stage: Stage) -> StageStatus:
    """One stage's status: one query, none when the stage came with `with_last_rollout`."""
    if not hasattr(stage, "last_state"):
        stage = Stage.objects.with_last_rollout().only("id").get(pk=stage.pk)
    return stage_status(stage.last_state, stage.last_consistent is not False)
