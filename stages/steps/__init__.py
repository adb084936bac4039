"""What a step of a rollout can do, one kind per file. Needs no database."""

from . import command, http, kube, pin, storage
from .base import LeaseLost, StepBroken, StepCanceled, StepContext, StepFailed, StepKind

#: Every kind by its name, in the order in which a form offers them.
KINDS: dict[str, StepKind] = {kind.name: kind for kind in (
    pin.KIND, command.KIND, http.KIND, storage.KIND, kube.KIND,
)}

__all__ = ["KINDS", "LeaseLost", "StepBroken", "StepCanceled", "StepContext", "StepFailed", "StepKind"]
