"""Whether a rollout that waits for approval starts, goes on waiting, or ends: a pure function of what was read."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Requirement:
    """So many distinct approvals by these. roles, people: who may; whoever fits one of them. whose: for sentences."""

    needed: int
    roles: frozenset[str]
    people: frozenset[str] = frozenset()
    whose: str = ""

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
class Ballot:
    """One approval as it counts now. role: of this moment; None when the voter has none any more."""

    identity: str
    name: str
    role: str | None


@dataclass(frozen=True)
class Facts:
    """What is read of the world. ended: why it can never start any more, empty as a rule. moved: whether the preview is
    another one than was confirmed. live: the rollout that runs on the stage. gates: sentences of what is closed."""

    ended: str = ""
    moved: bool = False
    live: int | None = None
    gates: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True)
class Start:
    """Everything is there: move to queued (A1)."""

    sentence: str


@dataclass(frozen=True)
class Wait:
    """Not yet; the sentence says what for."""

    sentence: str


@dataclass(frozen=True)
class Void:
    """It can never start any more: move to canceled (A3)."""

    sentence: str


Verdict = Start | Wait | Void


def missing(requirements: Iterable[Requirement], ballots: Sequence[Ballot]) -> str:
    """What is still missing, as a sentence; empty when every requirement is met by ballots that count now."""
    said = []
    for one in requirements:
        counted = {ballot.identity for ballot in ballots if one.allows(ballot.role, ballot.name)}
        left = one.needed - len(counted)
        if left > 0:
            has = f"has {len(counted)} of " if counted else "needs "
            said.append(f"{has}{one.words}")
    return f"It {' and '.join(said)}." if said else ""


def judge(requirements: Sequence[Requirement], ballots: Sequence[Ballot], facts: Facts) -> Verdict:
    """The verdict of this moment; asked again whenever something changes, and by the sweep, so that nothing is stuck."""
    if facts.ended:
        return Void(facts.ended)
    if facts.moved:
        return Void("What it would change is no longer what was asked for, so the request ended. Look at the new preview "
                    "and ask again.")
    if left := missing(requirements, ballots):
        return Wait(left)
    if facts.live is not None:
        return Wait(f"Approved; it waits for the end of rollout {facts.live}.")
    if facts.gates:
        return Wait(f"Approved; it starts when nothing holds it back any more. {' '.join(facts.gates)}")
    names = [ballot.name for ballot in ballots if any(one.allows(ballot.role, ballot.name) for one in requirements)]
    return Start(f"Approved by {', '.join(names)}." if names else "No approval is needed any more.")
