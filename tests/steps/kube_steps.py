"""What the tests of the kubernetes kind share: a target's settings, and steps that are run by them."""
from __future__ import annotations

from stages.steps import KINDS
from tests.steps.helpers import Context

KIND = KINDS["kubernetes"]
CONFIG = {"kubeconfig": "tokyo", "namespace": "game", "image": "registry.example.com/game/{service}"}
IMAGE = "registry.example.com/game/lottery"


def context(phase="deploy", config=None, **more) -> Context:
    """A step of that phase; config: settings beside CONFIG."""
    return Context(KIND.validate(CONFIG | (config or {})) | more.pop("facts", {}), phase=phase, **more)


def run(phase="deploy", config=None, **more) -> Context:
    """Run it; the context has its summary."""
    ctx = context(phase, config, **more)
    ctx.summary = KIND.run(ctx)
    return ctx


def undo(done: Context, **more) -> Context:
    """Take back what a step did."""
    more = {"old_version": "1.5.0", "new_version": "1.4.0"} | more
    return run(done.phase, undo=True, memo={"done": done.memo}, **more)
