"""What helps after a rollout that did not end well, as sentences: what a retry and a rollback would do."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stages.core.failure import INTERRUPTED, Account, name_of
from stages.plan.redo import Chances, chances
from stages.states import Leg, Protocol, StepState


def helps_of(rollout: Any, steps: Sequence[Any], account: Account, *, newer: int | None = None) -> list[str]:
    """The sentences. newer: the number of a later rollout of the stage, after which this one cannot be retried."""
    if newer:
        return [f"Rollout {newer} was started on {rollout.stage.name} since, so this one can no longer be retried."]
    found = []
    lost = [step for step in steps if step.summary.startswith(INTERRUPTED)]
    if lost:
        found.append(f"Look first how far {name_of(lost[0])} came: nobody knows.")
    found.append(_retry(rollout, steps, account, chances(rollout, steps)))
    if rollout.stage.current_set_id is None:
        found.append("Nothing was pinned before, so there is nothing to roll back to.")
    elif not rollout.consistent and rollout.protocol != Protocol.ASM:
        count = len({(place.microservice, place.target) for place in account.places})
        if count:
            found.append(f"Roll back puts {'the one place' if count == 1 else f'the {count} places'} right.")
    return found


def _retry(rollout: Any, steps: Sequence[Any], account: Account, chance: Chances) -> str:
    own = [step for step in steps if step.leg != Leg.UNDO]
    if chance.held:
        return "Retry keeps the canary that is up and begins its analysis anew."
    if chance.whole or chance.failed is None:
        there = ", also where something was not put back" if account.places else ""
        return f"Retry runs all {len(own)} steps again{there}." if len(own) != 1 else f"Retry runs the one step again{there}."
    left = sum(step.state != StepState.SUCCEEDED for step in own)
    return f"Retry runs the {left} step{'' if left == 1 else 's'} that {'is' if left == 1 else 'are'} left, from " \
           f"{name_of(chance.failed)} on."
