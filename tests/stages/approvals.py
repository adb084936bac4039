"""What tests of approvals share."""
from __future__ import annotations

from stages.models import Rollout

BOTH = ["producer", "admin"]


def fresh(rollout) -> Rollout:
    return Rollout.objects.select_related("approval", "stage").get(pk=rollout.pk)
