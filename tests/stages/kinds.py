"""A step kind whose behaviour a test sets, and targets that use it."""
from __future__ import annotations

import threading

from gs2admin.identity.actors import SYSTEM
from stages.setup.scenarios import create_scenario
from stages.setup.stages import set_targets
from stages.steps.base import StepBroken, StepFailed


class Kind:
    """acts maps (microservice or target, phase) to what happens; ran lists what was run, in order of starting."""

    name = label = "fake"

    def __init__(self) -> None:
        self.acts, self.ran, self.may_repeat = {}, [], True
        self.together, self.most = 0, 0
        self._lock = threading.Lock()

    def validate(self, config):
        return dict(config or {})

    def repeatable(self, config, memo):
        return self.may_repeat

    def made(self, config, memo):
        return memo.get("made")

    def run(self, ctx):
        with self._lock:
            self.ran.append(("undo " if ctx.undo else "") + f"{ctx.phase} {ctx.microservice} {ctx.target}")
            self.together += 1
            self.most = max(self.most, self.together)
        try:
            for key in ((ctx.target, ctx.phase), (ctx.microservice, ctx.phase), ("undo", ctx.phase)):
                act = self.acts.get(key)
                if act and (key[0] == "undo") == ctx.undo:
                    return act(ctx) or "well"
            return "well"
        finally:
            with self._lock:
                self.together -= 1


def fails(ctx):
    raise StepFailed("the game said no")


def breaks(ctx):
    raise StepBroken("the executable is gone")


def scenario(stage, *, targets=("a",), phases=("pre", "deploy"), **facts):
    """Targets of the fake kind with these phases, and the stage's own scenario."""
    config = {phase: {} for phase in phases}
    set_targets(actor=SYSTEM, stage=stage, targets=[{"name": name, "kind": "fake", "config": config} for name in targets])
    made = create_scenario(actor=SYSTEM, stage=stage, name=facts.pop("name", "careful"), use=True, **facts)
    stage.refresh_from_db()
    return made
