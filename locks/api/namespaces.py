"""The seven namespace methods of GS2-Lock, and a quick way to the namespace of a mutex."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gs2admin.cache import Cache
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.namespaces.api import NamespaceModel, Namespaces
from gs2admin.namespaces.setting_shapes import LogSettingModel, log_setting, setting_field
from gs2admin.wire.call import Call
from locks.models import LockNamespace
from locks.services import namespaces as services

T = TypeVar("T")
KEEP_S = 30.0
_kept: Cache[tuple[int, str], LockNamespace] = Cache(ttl_s=KEEP_S, entries=2_000)


class LockNamespaceModel(NamespaceModel):
    """A namespace of mutexes."""

    log_setting: LogSettingModel | None = None


def _item(project: Project, row: LockNamespace) -> dict[str, Any]:
    return {"logSetting": row.log_setting}


NAMESPACES = Namespaces(
    service="lock",
    words="lock",
    grn="lock",
    model=LockNamespace,
    settings={"log_setting": setting_field("lock.namespace.logSetting", log_setting("lock"))},
    result=LockNamespaceModel,
    item=_item,
    create=services.create_namespace,
    update=services.update_namespace,
    delete=services.delete_namespace,
)
METHODS = NAMESPACES.methods()


def within(call: Call, name: str, act: Callable[[LockNamespace], T]) -> T:
    """act(namespace), without asking for the namespace each time.

    One that is remembered decides nothing: the statement that moves a mutex looks at the namespace's row itself, and what
    is not found is looked for again in the namespace that has the name now. So `act` must raise NotFound where the
    namespace may be another one by now. Raises NotFound, and what `act` raises.
    """
    require(call.actor, "project.view", call.project)
    key = call.project.pk, name
    kept = _kept.get(key)
    if kept is None:
        return act(_find(call, name))
    kept.project = call.project
    try:
        return act(kept)
    except NotFound:
        _kept.pop(key)
        fresh = _find(call, name)
        if fresh.pk == kept.pk:
            raise
        return act(fresh)


def _find(call: Call, name: str) -> LockNamespace:
    return _kept.put((call.project.pk, name), NAMESPACES.find(call, name))
