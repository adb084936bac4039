"""The preview of a rollout that exists already: of one that waits for approval, and of another try at one that failed."""
from __future__ import annotations

from gs2admin.errors import Invalid
from stages.models import Rollout, Stage
from stages.services.previews import Preview, preview_of, preview_promote, preview_rollback, versions_of
from stages.states import Kind


def preview_again(rollout: Rollout, redo: str = "") -> Preview:
    """What that rollout would be if it were asked for now; its digest tells whether anything moved since.

    redo: how it repeats the one it retries (preview_retry). Raises Invalid when it could not be asked for any more.
    """
    if rollout.retry_of_id:
        return preview_retry(rollout.stage, rollout.retry_of, redo)
    if rollout.kind == Kind.ROLLBACK:
        return preview_rollback(rollout.stage, to="previous" if rollout.undoes_id else "pinned")
    if rollout.scenario_copy and not rollout.scenario_id:
        raise Invalid("The scenario by which it was to proceed was deleted.", component="stage",
                      message="freeze.stage.stage.error.invalid")
    return preview_promote(rollout.stage, scenario=rollout.scenario)


def preview_retry(stage: Stage, rollout: Rollout, redo: str = "") -> Preview:
    """What trying that rollout once more would do now. Raises Invalid when there is nothing to go back to."""
    if rollout.kind == Kind.ROLLBACK:
        return preview_rollback(stage, to="previous" if rollout.undoes_id else "pinned", retry_of=rollout)
    scenario = rollout.scenario if rollout.scenario_copy and rollout.scenario_id else stage.scenario
    return preview_of(
        stage, Kind.PROMOTE, versions_of(rollout.to_set), rollout.source_name, retry_of=rollout, scenario=scenario
    )
