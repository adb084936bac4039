"""Reads what the account of a rollout that did not end well needs (core.failure)."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from stages.core.failure import TOUCHING, Account, Place, account_of, key_of, places_of, touched
from stages.models import Rollout, Step
from stages.states import FINAL, Leg, RolloutState

# So many rollouts before it are looked at for what they left.
EARLIER = 20
# The ends that have an account.
BAD = frozenset({RolloutState.FAILED, RolloutState.ERRORED, RolloutState.CANCELED})


def account(rollout: Rollout, steps: Sequence[Step] | None = None) -> Account | None:
    """The account of a rollout with its stage; None where it did not end badly, or before it began.

    steps: all of it in order, where the caller has them; else they are read. Two more queries.
    """
    if rollout.state not in BAD or rollout.started_at is None:
        return None
    if steps is None:
        steps = list(rollout.steps.order_by("position").defer("config", "memo"))
    return account_of(rollout, steps, left_by_earlier(rollout))


def left_by_earlier(rollout: Rollout) -> list[Place]:
    """The places that the rollouts since the last one that succeeded left otherwise than pinned; at most EARLIER are read.

    Of a place the newest rollout that touched it counts.
    """
    before = Rollout.objects.filter(stage_id=rollout.stage_id, id__lt=rollout.pk, started_at__isnull=False).order_by("-id")
    found: dict[int, tuple[int, str, list[Any]]] = {}
    for pk, number, strategy, state in before.values_list("pk", "number", "strategy", "state")[:EARLIER]:
        if state == RolloutState.SUCCEEDED:
            break
        if state in FINAL:
            found[pk] = (number, strategy, [])
    if not found:
        return []
    wanted = Q(phase__in=sorted(TOUCHING)) | Q(leg=Leg.UNDO)
    for step in Step.objects.filter(wanted, rollout__in=found).order_by("position").defer("config", "memo"):
        found[step.rollout_id][2].append(step)
    left: list[Place] = []
    seen: set[tuple[str, str, str]] = set()
    for number, strategy, steps in found.values():  # the newest first
        left += [place for place in places_of(steps, strategy, earlier=number) if place.key not in seen]
        seen |= {key_of(step) for step in touched(steps, strategy)}
    return left
