"""The rows that a call names, and the right of handlers that only read.

A folder of its own: all protocols import it, and the folder above imports all protocols.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from gs2admin.errors import NotFound
from gs2admin.identity.rights import require
from stages.models import Rollout, Stage

if TYPE_CHECKING:
    from gs2admin.wire.call import Call

H = TypeVar("H", bound=Callable[..., Any])


def viewing(handler: H) -> H:
    """For a handler that calls no service: ask for project.view before it reads a row.

    Its first argument has `actor` and `project` (wire.call.Call, wire.protocol.Request). Raises NotFound for an actor
    without a role in the project. Handlers that call a service are not decorated: the service asks.
    """

    @wraps(handler)
    def checked(call: Any, *more: Any) -> Any:
        require(call.actor, "project.view", call.project)
        return handler(call, *more)

    return checked


def find_stage(call: Call, name: str) -> Stage:
    """The stage of the caller's project, with what decides its status, its source and its versions. Raises NotFound."""
    rows = Stage.objects.existing(call.project.pk).with_last_rollout().select_related("source", "current_set")
    row = rows.filter(name=name).first()
    if row is None:
        raise no_stage(name)
    return row


def no_stage(name: str) -> NotFound:
    """The project has no stage of that name."""
    return NotFound(f"There is no stage {name}.", component="stage", message="freeze.stage.stage.error.notFound")


def find_rollout(call: Call, number: int) -> Rollout:
    """The rollout of the caller's project, with its stage and both version sets. Raises NotFound."""
    rows = Rollout.objects.of_project(call.project.pk).select_related("stage", "from_set", "to_set")
    row = rows.filter(number=number).first()
    if row is None:
        raise no_rollout(number)
    return row


def no_rollout(number: int) -> NotFound:
    """The project has no rollout of that number."""
    return NotFound(f"There is no rollout {number}.", component="rollout", message="freeze.rollout.rollout.error.notFound")
