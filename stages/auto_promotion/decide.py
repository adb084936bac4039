"""Whether a stage promotes itself now: a pure function of what was read."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from stages.states import Kind, RolloutState


@dataclass(frozen=True)
class SourceFacts:
    """The rollout that last ran on the source, or runs there; the defaults mean that none ever did."""

    rollout_id: int | None = None
    kind: str = ""
    state: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Promote:
    """Promote now. because: id of the rollout of the source."""

    because: int


@dataclass(frozen=True)
class Rest:
    """Do nothing. sentence: what it waits for, or empty."""

    sentence: str = ""


def decide(source: SourceFacts, source_name: str, seen: int | None, held: str, soak_s: int, now: datetime) -> Promote | Rest:
    """What to do now. seen: the rollout of the source that it last acted on. held: why it is held, or empty.

    soak_s: seconds. now: aware.
    """
    if source.rollout_id is None or source.rollout_id == seen:
        return Rest()
    if held:
        return Rest(f"Held: {held}")
    if source.state != RolloutState.SUCCEEDED:
        return Rest(f"{source_name} is not Active.")
    if source.kind == Kind.ROLLBACK:
        return Rest(f"{source_name} was rolled back; a stage follows promotes only.")
    ready = source.ended_at + timedelta(seconds=soak_s)
    if now < ready:
        return Rest(f"{source_name} has to stay Active until {ready:%Y-%m-%d %H:%M:%S} UTC.")
    return Promote(source.rollout_id)
