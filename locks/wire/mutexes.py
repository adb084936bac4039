"""Mutexes: lock, unlock, get, delete, and the withdrawn lists of older SDKs."""
from __future__ import annotations

from typing import Any

from gs2admin.wire.dispatch import Call
from gs2admin.wire.paging import key_of, page
from gs2admin.wire.table import Auth, Method
from locks import reads, services
from locks.models import LockNamespace
from locks.wire.namespaces import within
from locks.wire.shapes import (
    LockRequest,
    MutexesRequest,
    MutexesResult,
    MutexRequest,
    MutexResult,
    OwnLockRequest,
    OwnMutexesRequest,
    OwnMutexRequest,
    OwnUnlockRequest,
    UnlockRequest,
    mutex_item,
)


def lock(call: Call, request: OwnLockRequest) -> dict[str, Any]:
    """By the access token's player. Raises NotFound, Denied, Conflict while another transaction holds it."""
    return _lock(call, request, call.user_id)


def lock_by_user_id(call: Call, request: LockRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict while another transaction holds it."""
    return _lock(call, request, request.user_id)


def _lock(call: Call, request: OwnLockRequest | LockRequest, user_id: str) -> dict[str, Any]:
    def act(namespace: LockNamespace) -> dict[str, Any]:
        state = services.lock(
            actor=call.actor, namespace=namespace, user_id=user_id, property_id=request.property_id,
            transaction_id=request.transaction_id, ttl_s=request.ttl,
        )  # fmt: skip
        return {"item": mutex_item(call, namespace, user_id, request.property_id, state)}

    return within(call, request.namespace_name, act)


def unlock(call: Call, request: OwnUnlockRequest) -> dict[str, Any]:
    """As it was, by the access token's player. Raises NotFound, Denied, Conflict when another transaction holds it."""
    return _unlock(call, request, call.user_id)


def unlock_by_user_id(call: Call, request: UnlockRequest) -> dict[str, Any]:
    """As it was. Raises NotFound, Denied, Conflict when another transaction holds it."""
    return _unlock(call, request, request.user_id)


def _unlock(call: Call, request: OwnUnlockRequest | UnlockRequest, user_id: str) -> dict[str, Any]:
    def act(namespace: LockNamespace) -> dict[str, Any]:
        state = services.unlock(
            actor=call.actor, namespace=namespace, user_id=user_id, property_id=request.property_id,
            transaction_id=request.transaction_id,
        )  # fmt: skip
        return {"item": mutex_item(call, namespace, user_id, request.property_id, state)}

    return within(call, request.namespace_name, act)


def get_mutex(call: Call, request: OwnMutexRequest) -> dict[str, Any]:
    """While it is held. Raises NotFound: component mutex while it is free."""
    return _get(call, request, call.user_id)


def get_mutex_by_user_id(call: Call, request: MutexRequest) -> dict[str, Any]:
    """While it is held. Raises NotFound: component mutex while it is free."""
    return _get(call, request, request.user_id)


def _get(call: Call, request: OwnMutexRequest | MutexRequest, user_id: str) -> dict[str, Any]:
    def act(namespace: LockNamespace) -> dict[str, Any]:
        state = reads.state(namespace, user_id, request.property_id)
        if state is None or not state.held:
            raise services.no_mutex()
        return {"item": mutex_item(call, namespace, user_id, request.property_id, state)}

    return within(call, request.namespace_name, act)


def delete_mutex(call: Call, request: MutexRequest) -> dict[str, Any]:
    """Released whatever its count, as it was. Raises NotFound, Denied."""

    def act(namespace: LockNamespace) -> dict[str, Any]:
        state = services.delete_mutex(
            actor=call.actor, namespace=namespace, user_id=request.user_id, property_id=request.property_id
        )
        return {"item": mutex_item(call, namespace, request.user_id, request.property_id, state)}

    return within(call, request.namespace_name, act)


def describe_mutexes(call: Call, request: OwnMutexesRequest) -> dict[str, Any]:
    """What the access token's player holds. Raises NotFound, Invalid."""
    return _describe(call, request, call.user_id)


def describe_mutexes_by_user_id(call: Call, request: MutexesRequest) -> dict[str, Any]:
    """What a player holds. Raises NotFound, Invalid."""
    return _describe(call, request, request.user_id)


def _describe(call: Call, request: OwnMutexesRequest | MutexesRequest, user_id: str) -> dict[str, Any]:
    after = key_of(request.page_token, "mutex", int, component="mutex", word="lock.mutex.pageToken")
    return within(
        call,
        request.namespace_name,
        lambda namespace: page(
            reads.held_by(namespace, user_id), by="id", after=after, limit=request.limit, kind="mutex",
            item=lambda row: mutex_item(call, namespace, user_id, row.property_id, row),
        ),
    )  # fmt: skip


def _method(
    function: str, verb: str, path: str, request: Any, result: Any, handler: Any, summary: str, *, avoider: bool = False
) -> Method:
    me = "/user/me/" in path
    return Method(
        service="lock", component="mutex", function=function, verb=verb, path=path, request=request, result=result,
        handler=handler, summary=summary, auth=Auth.ACCESS if me else Auth.PROJECT, writes=verb != "GET",
        takes_duplication_avoider=avoider, takes_time_offset=not me,
    )  # fmt: skip


_MINE = "/{namespaceName}/user/me/mutex"
_HIS = "/{namespaceName}/user/{userId}/mutex"
_ONE = "/{+propertyId}"
METHODS = [
    _method("lock", "POST", f"{_MINE}{_ONE}/lock", OwnLockRequest, MutexResult, lock, "Lock one's own", avoider=True),
    _method(
        "lockByUserId", "POST", f"{_HIS}{_ONE}/lock", LockRequest, MutexResult, lock_by_user_id, "Lock", avoider=True
    ),
    _method(
        "unlock", "POST", f"{_MINE}{_ONE}/unlock", OwnUnlockRequest, MutexResult, unlock, "Unlock one's own", avoider=True
    ),
    _method(
        "unlockByUserId", "POST", f"{_HIS}{_ONE}/unlock", UnlockRequest, MutexResult, unlock_by_user_id, "Unlock",
        avoider=True,
    ),
    _method("getMutex", "GET", _MINE + _ONE, OwnMutexRequest, MutexResult, get_mutex, "One's own mutex, while it is held"),
    _method(
        "getMutexByUserId", "GET", _HIS + _ONE, MutexRequest, MutexResult, get_mutex_by_user_id, "A mutex, while it is held"
    ),
    _method(
        "deleteMutexByUserId", "DELETE", _HIS + _ONE, MutexRequest, MutexResult, delete_mutex, "Release, whoever holds it",
        avoider=True,
    ),
    _method("describeMutexes", "GET", _MINE, OwnMutexesRequest, MutexesResult, describe_mutexes, "What one holds"),
    _method(
        "describeMutexesByUserId", "GET", _HIS, MutexesRequest, MutexesResult, describe_mutexes_by_user_id,
        "What a player holds",
    ),
]  # fmt: skip
