"""Writes the activity log. Called by services inside their transaction, so that a line exists exactly when its change does."""
from __future__ import annotations

from typing import Any

from django.db import connection, models

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import Actor


def record(
    *,
    actor: Actor,
    action: str,
    obj: models.Model,
    project_id: int | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    player: str = "",
) -> Activity:
    """Write one line. obj: the row that was changed; project_id: only where obj has none itself.

    object_type is the class's name in lower case, or its attribute `activity_type` where the class was renamed.

    player: whose row it was, where that is a user id of the game; rows with such a `user_id` say it themselves.

    before, after: what changed, as small JSON objects; no secrets.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("record() belongs into the transaction of the change that it records")
    return Activity.objects.create(
        project_id=project_id if project_id is not None else obj.project_id,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        object_type=getattr(obj, "activity_type", obj._meta.model_name),
        object_id=str(obj.pk),
        # Labels for people and filters, cut to their columns; object_id names the row exactly.
        object_name=str(obj)[:300],
        player=(player or _player_of(obj))[:128],
        before=before,
        after=after,
        reason=reason,
        door=actor.door,
        ip=actor.ip,
        request_id=actor.request_id,
    )


def _player_of(obj: models.Model) -> str:
    """A row's own player. Rows of people have a `user_id` too, but a number."""
    found = getattr(obj, "user_id", "")
    return found if isinstance(found, str) else ""
