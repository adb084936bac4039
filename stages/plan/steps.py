"""The steps of a rollout: functions of their arguments alone, so that the preview and the rollout are the same."""
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.core.scenarios import Way
from stages.core.versions import Change
from stages.states import PHASES, Leg, Origin, Phase, StepState, Strategy

NOT_BEGUN = {StepState.PENDING, StepState.NO_PROGRESS}
# The microservice of a step that concerns all of them: the switch of blue/green.
EVERYTHING = "*"


@dataclass(frozen=True)
class TargetPlan:
    """A target, for the plan. config: {phase: configuration or None}; uid, rotation: of its signing key; pk: of its row."""

    name: str
    kind: str
    config: dict[str, Any]
    uid: str = ""
    rotation: int = 1
    pk: int = 0


@dataclass(frozen=True)
class StepPlan:
    """One phase of one microservice on one target. wave, lane, leg and origin: see models.Step.

    note: why it is not run; memo: of the step that did it, where origin is set.
    """

    microservice: str
    old_version: str
    new_version: str
    target_name: str
    phase: str
    kind: str
    config: dict[str, Any] = field(default_factory=dict)
    leg: str = Leg.BASE
    wave: int = 0
    lane: int = 0
    origin: str = Origin.RUN
    note: str = ""
    memo: dict[str, Any] = field(default_factory=dict)


NO_TARGET = TargetPlan(name="", kind="pin", config={})
PLAIN = Way()


def begun(step: Any) -> bool:
    """Whether it may have changed something outside. One that is to be run anew (canary.services.remake_canary) has a memo."""
    return step.state not in NOT_BEGUN or bool(step.memo)


def steps_of(
    changes: Iterable[Change], targets: Sequence[TargetPlan], way: Way = PLAIN, *, switch: Mapping[str, Any] | None = None
) -> list[StepPlan]:
    """All steps in order. A phase without configuration is a `pin` step: it is listed and passes at once.

    Without a scenario: per microservice, per target, pre, deploy, post. With one: targets in batches; on each target
    a phase for all microservices before the next phase, so that a target is in one phase at a time.
    switch: of blue/green, the facts of the switch step: {"from": colour, "to": colour, "services": [name, …]}.
    Without targets there are steps of kind pin alone.
    """
    wanted, places = list(changes), list(targets) or [NO_TARGET]
    if way.plain:
        return [step for change in wanted for place in places for phase in PHASES for step in _phase(change, place, phase, way)]
    if way.strategy == Strategy.CANARY:
        first = list(_waves(wanted, places, way, (Phase.PRE, Phase.CANARY), leg=Leg.CANARY, wave=0))
        wave = first[-1].wave + 1 if first else 0
        return first + list(_waves(wanted, places, way, (Phase.DEPLOY, Phase.POST), leg=Leg.FULL, wave=wave))
    if way.strategy == Strategy.BLUE_GREEN and switch is not None:
        found = list(_waves(wanted, places, way, (Phase.PRE, Phase.DEPLOY), wave=0))
        wave = found[-1].wave + 1 if found else 0
        whole = Change(EVERYTHING, switch["from"], switch["to"], "changed")
        for lane, place in enumerate(places):
            found += _placed(_phase(whole, place, Phase.SWITCH, way, services=switch["services"]), wave, lane)
        # When the other colour had everything already there is nothing new to check.
        return found + list(_waves(wanted, places, way, (Phase.POST,), wave=wave + 1))
    return list(_waves(wanted, places, way, PHASES, wave=0))


def batches_of(count: int, way: Way) -> list[int]:
    """The batch of each of `count` targets, from 0: targets of a batch go at the same time."""
    if way.strategy == Strategy.ROLLING:
        return [index // way.batch_size for index in range(count)]
    return list(range(count)) if way.sequence else [0] * count


def _waves(
    changes: Sequence[Change], places: Sequence[TargetPlan], way: Way, phases: Sequence[str], *, wave: int, leg: str = Leg.BASE
) -> Iterator[StepPlan]:
    batches = batches_of(len(places), way)
    for index, (place, batch) in enumerate(zip(places, batches, strict=True)):
        lane = index - batches.index(batch)
        for phase in phases:
            for change in changes:
                yield from _placed(_phase(change, place, phase, way), wave + batch, lane, leg)


def _placed(steps: Iterable[StepPlan], wave: int, lane: int, leg: str = Leg.BASE) -> list[StepPlan]:
    return [StepPlan(**{**vars(step), "wave": wave, "lane": lane, "leg": leg}) for step in steps]


def _phase(change: Change, place: TargetPlan, phase: str, way: Way, **more: Any) -> list[StepPlan]:
    """The steps of one phase: the scenario's commands when it names the phase, else what the target has for it."""
    own = place.config.get(phase)
    wanted = way.commands.get(phase) if place is not NO_TARGET else None
    if wanted:
        parts = [(part["kind"], part["config"]) for part in wanted]
    else:
        parts = [(place.kind, own)] if own is not None else [("pin", {})]
    found = []
    for kind, config in parts:
        config = dict(config or {}) | (more if kind != "pin" else {})
        if kind == "http":
            config["signing"] = {"target_uid": place.uid, "rotation": place.rotation}
        found.append(StepPlan(change.name, change.old, change.new, place.name, phase, kind, config))
    return found


def undo_of(steps: Iterable[Any], *, strategy: str, only_leg: str = "") -> list[Any]:
    """The steps that an undo takes back, last first: those that were begun and may have changed something outside.

    Of blue/green that is the switch alone: the other colour is not in use. only_leg: of that leg alone.
    """
    phases = {Phase.SWITCH} if strategy == Strategy.BLUE_GREEN else {Phase.CANARY, Phase.DEPLOY, Phase.SWITCH}
    found = [
        step for step in steps
        if step.phase in phases and step.kind != "pin" and step.leg != Leg.UNDO and begun(step)
        and (not only_leg or step.leg == only_leg)
    ]
    return sorted(found, key=lambda step: step.position, reverse=True)
