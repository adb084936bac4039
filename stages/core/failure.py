"""What a rollout that did not end well left: what failed first, what its undo did, and what runs where now.

One account for everybody: page, retry, activity, webhooks and JSON take it from here. It is made of the rows of the steps, so
it is as true as what the steps reported; gs2admin does not look at targets by itself.
"""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from stages.states import Cause, Leg, Origin, Phase, RolloutState, StepState, Strategy

# What a step of these phases changes on a target.
TOUCHING = frozenset({Phase.CANARY, Phase.DEPLOY, Phase.SWITCH})
NOT_BEGUN = frozenset({StepState.PENDING, StepState.NO_PROGRESS})
BROKEN = frozenset({StepState.FAILED, StepState.CANCELED})
#: The summary of a step whose worker was lost in its middle.
INTERRUPTED = "interrupted when its worker stopped"
# So many places are named within a sentence; the others are counted.
NAMED = 10


class StepRow(Protocol):
    """What is read of a step."""

    position: int
    microservice: str
    old_version: str
    new_version: str
    target_name: str
    phase: str
    kind: str
    state: str
    summary: str
    leg: str
    ended_at: datetime | None


@dataclass(frozen=True)
class Place:
    """A microservice on a target that does not run what is pinned, or may not. sure: it does not.

    microservice "*" stands for all of them: there the versions are colours. earlier: the number of the rollout that left it
    so, where it was not this one.
    """

    microservice: str
    target: str
    phase: str
    pinned: str
    runs: str
    sure: bool
    earlier: int | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """As key_of a step."""
        return self.microservice, self.target, self.phase

    @property
    def sentence(self) -> str:
        """ "mail on stg-tokyo may run 3.2.12, pinned is 3.1.4"."""
        where = f" on {self.target}" if self.target else ""
        left = f" (left by rollout {self.earlier})" if self.earlier else ""
        if self.phase == Phase.SWITCH:
            return f"players{where} {'use' if self.sure else 'may use'} {self.runs}, pinned is {self.pinned}{left}"
        if self.phase == Phase.CANARY:
            there = "is still there" if self.sure else "may still be there"
            return f"the canary of {self.microservice}{where} with {self.runs} {there}{left}"
        if self.runs == self.pinned:
            return f"{self.microservice}{where} may run something other than {self.pinned}, which is pinned{left}"
        runs = f"{'runs' if self.sure else 'may run'} {self.runs}" if self.runs else f"{'is' if self.sure else 'may be'} removed"
        return f"{self.microservice}{where} {runs}, pinned is {self.pinned or 'none'}{left}"


@dataclass(frozen=True)
class Account:
    """first: what failed first, without a full stop; step: the step that did, if one did. more: how many failed after it.

    undo, pins: sentences. places: what does not run what is pinned, or may not; of: how many places this rollout was about.
    """

    first: str
    undo: str
    pins: str
    step: Any = None
    more: int = 0
    places: tuple[Place, ...] = ()
    of: int = 0

    @property
    def now(self) -> str:
        """What is true now, with the first NAMED places."""
        if not self.places:
            return self.pins
        rest = f"; and {len(self.places) - NAMED} more" if len(self.places) > NAMED else ""
        named = "; ".join(place.sentence for place in self.places[:NAMED])
        return f"{self.pins} {named[0].upper()}{named[1:]}{rest}."


def key_of(step: StepRow) -> tuple[str, str, str]:
    """Where the step works, and on what there."""
    return step.microservice, step.target_name, step.phase


def name_of(step: StepRow) -> str:
    """ "undo of deploy of mail on stg-tokyo"."""
    where = f" on {step.target_name}" if step.target_name else ""
    what = "all services" if step.microservice == "*" else step.microservice
    return f"{'undo of ' if step.leg == Leg.UNDO else ''}{step.phase} of {what}{where}"


def said(step: StepRow) -> str:
    """How a step failed, without a full stop: "deploy of mail on stg-tokyo failed: exit code 3"."""
    return f"{name_of(step)} failed{': ' + step.summary.rstrip('.') if step.summary else ''}"


def first_failure(steps: Iterable[StepRow]) -> StepRow | None:
    """The step that failed first by the clock; steps of an undo do not count. None when none did."""
    bad = [step for step in steps if step.leg != Leg.UNDO and step.state in BROKEN]
    return min(bad, key=_when, default=None)


def _when(step: StepRow) -> tuple[bool, Any, int]:
    ended = step.ended_at
    return ended is None, ended if ended is not None else 0, step.position


def undo_broke(steps: Iterable[StepRow]) -> StepRow | None:
    """The first step of the undo that was begun and did not end well."""
    return next((s for s in steps if s.leg == Leg.UNDO and s.state not in NOT_BEGUN | {StepState.SUCCEEDED}), None)


def phases_of(strategy: str) -> frozenset[str]:
    """The phases that change what players get; of blue/green that is the switch alone."""
    return frozenset({Phase.SWITCH}) if strategy == Strategy.BLUE_GREEN else TOUCHING


def touched(steps: Iterable[Any], strategy: str) -> list[Any]:
    """The steps that were begun and may have changed what players get; of blue/green that is the switch alone."""
    phases = phases_of(strategy)
    return [
        step for step in steps
        if step.phase in phases and step.kind != "pin" and step.leg != Leg.UNDO and step.state not in NOT_BEGUN
    ]


def not_put_back(steps: Sequence[Any], strategy: str) -> list[Any]:
    """Those of `touched` that no step of an undo has taken back."""
    back = {step.undoes_id for step in steps if step.leg == Leg.UNDO and step.state == StepState.SUCCEEDED}
    return [step for step in touched(steps, strategy) if step.pk not in back]


def places_of(steps: Sequence[Any], strategy: str, *, earlier: int | None = None) -> list[Place]:
    """The places that do not run what is pinned, or may not, each once per phase."""
    found: dict[tuple[str, str, str], list[Any]] = {}
    for step in not_put_back(steps, strategy):
        found.setdefault(key_of(step), []).append(step)
    every = Counter(key_of(step) for step in steps if step.kind != "pin" and step.leg != Leg.UNDO)
    tried = {step.undoes_id for step in steps if step.leg == Leg.UNDO and step.state not in NOT_BEGUN}
    places = []
    for key, rows in found.items():
        sure = len(rows) == every[key] and all(_sure(step) and step.pk not in tried for step in rows)
        if sure and rows[0].old_version == rows[0].new_version:
            continue  # deployed again, and well: it runs what is pinned
        places.append(Place(key[0], key[1], key[2], rows[0].old_version, rows[0].new_version, sure, earlier))
    return places


def _sure(step: Any) -> bool:
    """Whether a step that was begun did what it was to do; nobody knows of one that a person left out."""
    return step.state == StepState.SUCCEEDED and step.origin != Origin.SKIPPED


def account_of(rollout: Any, steps: Sequence[Any], earlier: Sequence[Place] = ()) -> Account:
    """The account of a rollout that failed or was canceled. earlier: what rollouts before it left otherwise than pinned."""
    canceled = rollout.state == RolloutState.CANCELED
    bad = first_failure(step for step in steps if step.state == StepState.FAILED or not canceled)
    begun = {key_of(step) for step in touched(steps, rollout.strategy)}
    places = (*places_of(steps, rollout.strategy), *(e for e in earlier if e.key not in begun))
    of = len({(s.microservice, s.target_name) for s in steps if s.kind != "pin" and s.phase in phases_of(rollout.strategy)})
    more = sum(1 for s in steps if s.leg != Leg.UNDO and s.state == StepState.FAILED and s is not bad) if bad else 0
    return Account(
        first=_first(rollout, steps, bad), undo=_undo(rollout, steps), pins=_pins(rollout, places, of), step=bad, more=more,
        places=places, of=of,
    )


def _first(rollout: Any, steps: Sequence[Any], bad: Any) -> str:
    by = f" by {rollout.cancel_requested_by}" if rollout.cancel_requested_by else ""
    if bad is not None:
        return f"{said(bad)}; then it was canceled{by}" if rollout.state == RolloutState.CANCELED else said(bad)
    if rollout.state == RolloutState.CANCELED:
        stopped = first_failure(steps)
        return f"Canceled{by}{f' during {name_of(stopped)}' if stopped else ''}"
    broke = undo_broke(steps)
    if broke is not None and rollout.cause in {Cause.USER, Cause.SCORE, Cause.TIMEOUT}:
        return withdrawal_broke(broke)
    return rollout.error.rstrip(".") or "It failed without a reason"


def withdrawal_broke(step: StepRow) -> str:
    """That a canary could not be withdrawn, without a full stop."""
    return f"Withdrawing the canary broke: {said(step)}"


def _undo(rollout: Any, steps: Sequence[Any]) -> str:
    undo = [step for step in steps if step.leg == Leg.UNDO]
    if undo:
        return undo_sentence(undo)
    if not touched(steps, rollout.strategy):
        return "Nothing had to be put back."
    if rollout.state == RolloutState.CANCELED:
        return "Nothing was put back: a cancel leaves what is there."
    if rollout.rollback:
        return "Nothing was put back: only a step that reports its failure starts the undo."
    return "Nothing was put back: this rollout does not undo failures."


def undo_sentence(undo: Sequence[StepRow]) -> str:
    """What an undo did, of its steps: "20 of 21 changes were put back. undo of … failed: …. 2 were not tried after that."."""
    done = sum(step.state == StepState.SUCCEEDED for step in undo)
    if done == len(undo):
        return "The one change was put back." if done == 1 else f"All {done} changes were put back."
    count = f"{done or 'None'} of {len(undo)} changes {'was' if done == 1 else 'were'} put back."
    if len(undo) == 1:
        count = "The one change was not put back."
    broke = [f"{said(step)[0].upper()}{said(step)[1:]}." for step in undo if step.state in BROKEN | {StepState.RUNNING}]
    left = sum(step.state in NOT_BEGUN for step in undo)
    after = f"{left} {'was' if left == 1 else 'were'} not tried after that." if left else ""
    return " ".join(part for part in (count, *broke, after) if part)


def _pins(rollout: Any, places: Sequence[Place], of: int) -> str:
    pins = f"The pins of {rollout.stage.name} did not move."
    if not places:
        return f"{pins} {'Every place runs' if of else 'There is no target, so nothing else runs than'} what is pinned."
    every = {(place.microservice, place.target) for place in places}
    sure = len({(place.microservice, place.target) for place in places if place.sure})
    most, may = _many(max(of, len(every)), "place"), len(every) - sure
    if max(of, len(every)) == 1:
        return f"{pins} The one place {'runs' if sure else 'may run'} something else."
    if not sure:
        return f"{pins} {may} of {most} may run something else."
    return f"{pins} {sure} of {most} {'runs' if sure == 1 else 'run'} something else{f', and {may} may' if may else ''}."


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
