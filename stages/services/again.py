"""The preview of a rollout that exists already: of one that waits for approval, and of another try at one that failed."""
from __future__ import annotations

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
    return preview_promote(rollout.stage)


def preview_retry(stage: Stage, rollout: Rollout, redo: str = "") -> Preview:
    """What trying that rollout once more would do now. Raises Invalid when there is nothing to go back to."""
    if rollout.kind == Kind.ROLLBACK:
        return preview_rollback(stage, to="previous" if rollout.undoes_id else "pinned", retry_of=rollout)
    return preview_of(stage, Kind.PROMOTE, versions_of(rollout.to_set), rollout.source_name, retry_of=rollout)
