"""Where exactly the versions of a preview have been used before, in sentences for the one who confirms."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from stages.core.versions import digest
from stages.models import Rollout
from stages.plan.previews import Preview
from stages.states import RolloutState

# Rollouts to these versions that are looked at.
RECENT = 50


@dataclass(frozen=True)
class Proven:
    """A stage that has run exactly these versions. since: when its rollout, by number, succeeded; now: it still runs them."""

    stage: str
    rollout: int
    since: datetime
    now: bool


def proven(preview: Preview) -> Proven | None:
    """The source stage where it runs these versions, else the stage that used them last; None when none ever did.

    One query. The stage itself does not count.
    """
    stage = preview.stage
    ran = list(
        Rollout.objects.filter(
            project_id=stage.project_id, to_set__digest=digest(dict(preview.to_versions)), state=RolloutState.SUCCEEDED,
            stage__deleted_at=None,
        )
        .exclude(stage=stage).order_by("-id").select_related("stage")[:RECENT]
    )
    if not ran:
        return None
    best = max(ran, key=lambda row: (_runs_it(row) and row.stage_id == stage.source_id, _runs_it(row), row.pk))
    return Proven(best.stage.name, best.number, best.ended_at, _runs_it(best))


def _runs_it(row: Rollout) -> bool:
    return row.stage.current_set_id == row.to_set_id
