"""Mutexes: lock, unlock, get, delete, and the withdrawn lists of older SDKs."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gs2admin.wire.call import Call
from gs2admin.wire.paging import cut, key_of
from gs2admin.wire.table import Auth, Method
from locks import reads, services
from locks.api.namespaces import NAMESPACES, within
from locks.api.shapes import (
    LockRequest,
    MutexesRequest,
    MutexesResult,
    MutexRequest,
    MutexResult,
    NamespaceRequest,
    OwnLockRequest,
    OwnMutexesRequest,
    OwnMutexRequest,
    OwnUnlockRequest,
    UnlockRequest,
    UserRequest,
    mutex_item,
)
from locks.models import LockNamespace
from locks.sql import State


def lock(call: Call, request: OwnLockRequest | LockRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict while another transaction holds it."""
    return _mutex(call, request, lambda whose: services.lock(
        actor=call.actor, transaction_id=request.transaction_id, ttl_s=request.ttl, **whose
    ))


def unlock(call: Call, request: OwnUnlockRequest | UnlockRequest) -> dict[str, Any]:
    """As it was. Raises NotFound, Denied, Conflict when another transaction holds it."""
    return _mutex(call, request, lambda whose: services.unlock(
        actor=call.actor, transaction_id=request.transaction_id, **whose
    ))


def get_mutex(call: Call, request: OwnMutexRequest | MutexRequest) -> dict[str, Any]:
    """While it is held. Raises NotFound: component mutex while it is free."""
    def held(whose: dict[str, Any]) -> State:
        state = reads.state(**whose)
        if state is None or not state.held:
            raise services.no_mutex()
        return state

    return _mutex(call, request, held)


def delete_mutex(call: Call, request: MutexRequest) -> dict[str, Any]:
    """Released whatever its count, as it was. Raises NotFound, Denied."""
    return _mutex(call, request, lambda whose: services.delete_mutex(actor=call.actor, **whose))


def _mutex(call: Call, request: OwnMutexRequest | MutexRequest, act: Callable[[dict[str, Any]], State]) -> dict[str, Any]:
    """What became of one mutex. act: gets namespace, user_id and property_id."""
    user_id = _player(call, request)

    def item(namespace: LockNamespace) -> dict[str, Any]:
        state = act({"namespace": namespace, "user_id": user_id, "property_id": request.property_id})
        return {"item": mutex_item(call, namespace.name, user_id, request.property_id, state)}

    return within(call, request.namespace_name, item)


def _player(call: Call, request: NamespaceRequest) -> str:
    """Whom the request names; of a method that takes an access token, the token's player."""
    return request.user_id if isinstance(request, UserRequest) else call.user_id


def describe_mutexes(call: Call, request: OwnMutexesRequest | MutexesRequest) -> dict[str, Any]:
    """What a player holds. Raises NotFound, Invalid."""
    user_id = _player(call, request)
    after = key_of(request.page_token, "mutex", int, component="mutex", word="lock.mutex.pageToken")
    NAMESPACES.may_view(call)
    rows = reads.held_by(call.project, request.namespace_name, user_id, after=after or 0, limit=request.limit)
    if not rows:
        NAMESPACES.find(call, request.namespace_name)
    shown, token = cut(rows, by="id", limit=request.limit, kind="mutex")
    items = [mutex_item(call, request.namespace_name, user_id, row.property_id, row) for row in shown]
    return {"items": items, "nextPageToken": token}


def _method(
    function: str, verb: str, path: str, request: Any, result: Any, handler: Any, summary: str, *, idempotent: bool = False
) -> Method:
    me = "/user/me/" in path
    return Method(
        service="lock", component="mutex", function=function, verb=verb, path=path, request=request, result=result,
        handler=handler, summary=summary, auth=Auth.ACCESS if me else Auth.PROJECT, writes=verb != "GET",
        takes_duplication_avoider=idempotent, takes_time_offset=not me,
    )  # fmt: skip


_MINE = "/{namespaceName}/user/me/mutex"
_HIS = "/{namespaceName}/user/{userId}/mutex"
_ONE = "/{+propertyId}"
METHODS = [
    _method("lock", "POST", f"{_MINE}{_ONE}/lock", OwnLockRequest, MutexResult, lock, "Lock one's own", idempotent=True),
    _method(
        "lockByUserId", "POST", f"{_HIS}{_ONE}/lock", LockRequest, MutexResult, lock, "Lock", idempotent=True
    ),
    _method(
        "unlock", "POST", f"{_MINE}{_ONE}/unlock", OwnUnlockRequest, MutexResult, unlock, "Unlock one's own", idempotent=True
    ),
    _method(
        "unlockByUserId", "POST", f"{_HIS}{_ONE}/unlock", UnlockRequest, MutexResult, unlock, "Unlock",
        idempotent=True,
    ),
    _method("getMutex", "GET", _MINE + _ONE, OwnMutexRequest, MutexResult, get_mutex, "One's own mutex, while it is held"),
    _method(
        "getMutexByUserId", "GET", _HIS + _ONE, MutexRequest, MutexResult, get_mutex, "A mutex, while it is held"
    ),
    _method(
        "deleteMutexByUserId", "DELETE", _HIS + _ONE, MutexRequest, MutexResult, delete_mutex, "Release, whoever holds it",
        idempotent=True,
    ),
    _method("describeMutexes", "GET", _MINE, OwnMutexesRequest, MutexesResult, describe_mutexes, "What one holds"),
    _method(
        "describeMutexesByUserId", "GET", _HIS, MutexesRequest, MutexesResult, describe_mutexes,
        "What a player holds",
    ),
]  # fmt: skip
