"""The seven namespace methods of GS2-Lock, and the cached namespace of a mutex."""
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
CACHE_S = 30.0
_cached: Cache[tuple[int, str], LockNamespace] = Cache(ttl_s=CACHE_S, entries=2_000, max_bytes=3_000_000)


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
    """Returns act(namespace), without a query for the namespace each time.

    A cached namespace decides nothing: the statement that changes a mutex reads the namespace's row itself, and after a
    NotFound `act` is tried again with the namespace that has the name now. So `act` must raise NotFound where the namespace
    may be another one by now. Raises NotFound, and what `act` raises.
    """
    key = call.project.pk, name
    cached = _cached.get(key)
    if cached is None:
        return act(_find(call, name))
    require(call.actor, "project.view", call.project)  # as _find does
    try:
        return act(cached)
    except NotFound:
        _cached.pop(key)
        fresh = _find(call, name)
        if fresh.pk == cached.pk:
            raise
        return act(fresh)


def _find(call: Call, name: str) -> LockNamespace:
    return _cached.put((call.project.pk, name), NAMESPACES.find(call, name))
