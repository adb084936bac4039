"""Which steps a rollout takes: pure, so that the preview and the rollout cannot differ."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stages.states import PHASES
from stages.versions import Change


@dataclass(frozen=True)
class TargetPlan:
    """A target as the plan needs it; config maps a phase to its configuration or None."""

    name: str
    kind: str
    config: dict[str, Any]
    uid: str = ""
    rotation: int = 1


@dataclass(frozen=True)
class StepPlan:
    """One phase of one microservice on one target."""

    microservice: str
    old_version: str
    new_version: str
    target_name: str
    phase: str
    kind: str
    config: dict[str, Any] = field(default_factory=dict)


NO_TARGET = TargetPlan(name="", kind="pin", config={})


def steps_of(changes: Iterable[Change], targets: Sequence[TargetPlan]) -> list[StepPlan]:
    """All steps in order: per microservice, per target, pre, deploy, post.

    A phase without configuration is a `pin` step: it is listed and passes at once. No target means pins only.
    """
    found = []
    for change in changes:
        for target in targets or [NO_TARGET]:
            for phase in PHASES:
                config = target.config.get(phase)
                kind = target.kind if config is not None else "pin"
                config = dict(config or {})
                if kind == "http":
                    config["signing"] = {"target_uid": target.uid, "rotation": target.rotation}
                found.append(StepPlan(change.name, change.old, change.new, target.name, phase, kind, config))
    return found
