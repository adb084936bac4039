"""Whether a stage promotes itself now: a pure function of what was read."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from stages.states import Kind, RolloutState


@dataclass(frozen=True)
class SourceFacts:
    """The rollout that last ran on the source, or runs there. None everywhere: none ever did."""

    rollout_id: int | None = None
    kind: str = ""
    state: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Promote:
    """Promote now, because of that rollout of the source."""

    because: int


@dataclass(frozen=True)
class Rest:
    """Do nothing. until: when to look again, where that is known. sentence: what it waits for; empty: for nothing."""

    sentence: str = ""
    until: datetime | None = None


def decide(source: SourceFacts, source_name: str, seen: int | None, held: str, soak_s: int, now: datetime) -> Promote | Rest:
    """source: what last ran there. seen: the rollout that was acted on. held: why it is held, empty when it is not."""
    if source.rollout_id is None or source.rollout_id == seen:
        return Rest()
    if held:
        return Rest(f"Held: {held}")
    if source.state != RolloutState.SUCCEEDED:
        return Rest(f"{source_name} is not Active.")
    if source.kind == Kind.ROLLBACK:
        return Rest(f"{source_name} was rolled back; a stage follows only what is promoted.")
    ready = source.ended_at + timedelta(seconds=soak_s)
    if now < ready:
        return Rest(f"{source_name} has to stay Active until {ready:%Y-%m-%d %H:%M:%S} UTC.", ready)
    return Promote(source.rollout_id)
