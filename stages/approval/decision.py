"""Whether a rollout that waits for approval starts, goes on waiting, or ends: a pure function of what was read."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Requirement:
    """A number of approvals by distinct voters. A vote counts when its role is in roles or its name in people."""

    needed: int
    roles: frozenset[str]
    people: frozenset[str] = frozenset()

    def allows(self, role: str | None, name: str) -> bool:
        """Whether an approval by somebody with that role (None: no role any more) counts for this."""
        return role is not None and (role in self.roles or name in self.people)

    @property
    def words(self) -> str:
        """`2 approvals by admin, mika or producer`."""
        *most, last = [*sorted(self.people), *sorted(self.roles)]
        who = f"{', '.join(most)} or {last}" if most else last
        return f"{self.needed} approval{'' if self.needed == 1 else 's'} by {who}"


@dataclass(frozen=True)
class CountedVote:
    """One approval. identity: whom it counts for (voters.identity_of). role: of this moment; None when there is none any more."""

    identity: str
    name: str
    role: str | None


@dataclass(frozen=True)
class Facts:
    """What was read beside votes and requirements.

    ended: why the rollout can never start, or empty. moved: whether its preview differs from the confirmed one. live: the
    number of the rollout that runs on the stage. gates: sentences of the closed gates that block it.
    """

    ended: str = ""
    moved: bool = False
    live: int | None = None
    gates: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Start:
    """Nothing is missing: move to queued (A1)."""

    sentence: str


@dataclass(frozen=True)
class Wait:
    """Not yet; the sentence says for what."""

    sentence: str


@dataclass(frozen=True)
class Void:
    """It can never start: move to canceled (A3)."""

    sentence: str


Decision = Start | Wait | Void


def missing(requirements: Iterable[Requirement], votes: Sequence[CountedVote]) -> str:
    """The approvals that are still missing, as a sentence; empty when each requirement is met by votes that count now."""
    parts = []
    for one in requirements:
        counted = {vote.identity for vote in votes if one.allows(vote.role, vote.name)}
        if len(counted) < one.needed:
            has = f"has {len(counted)} of " if counted else "needs "
            parts.append(f"{has}{one.words}")
    return f"It {' and '.join(parts)}." if parts else ""


def decide(requirements: Sequence[Requirement], votes: Sequence[CountedVote], facts: Facts) -> Decision:
    """The decision of this moment. It is made again after each change that may matter, and by the sweep."""
    if facts.ended:
        return Void(facts.ended)
    if facts.moved:
        return Void("What it would change is no longer what was requested, so the request ended. Look at the new preview "
                    "and request it again.")
    if left := missing(requirements, votes):
        return Wait(left)
    if facts.live is not None:
        return Wait(f"Approved; it waits for the end of rollout {facts.live}.")
    if facts.gates:
        return Wait(f"Approved; it starts when no gate blocks it any more. {' '.join(facts.gates)}")
    names = [vote.name for vote in votes if any(one.allows(vote.role, vote.name) for one in requirements)]
    return Start(f"Approved by {', '.join(names)}." if names else "No approval is needed any more.")
