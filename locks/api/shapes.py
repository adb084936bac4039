"""Requests and results of mutexes, and how a mutex becomes the contract's Mutex."""
from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Integer, Result, Shape, Text, field
from locks.reads import HeldMutex
from locks.sql import State
from locks.states import FOREVER_MS, MAX_TTL_S


def _somebody(value: Any) -> Any:
    if value == "me":
        raise PydanticCustomError("not_user", "is reserved for the methods that take an access token")
    return value


UserId = Annotated[Text, BeforeValidator(_somebody)]


def _transaction() -> Any:
    return field("lock.mutex.transactionId", max_length=256, description="Who locks: the same one may lock again.")


def _ttl() -> Any:
    return field(
        "lock.mutex.ttl", ge=1, le=MAX_TTL_S, description="Seconds until it is free by itself; at the latest in the year 3000."
    )


class NamespaceRequest(Shape):
    """Fields of the methods that take an access token."""

    namespace_name: Text = field("lock.namespace.name", max_length=128, description="The namespace.")


class UserRequest(NamespaceRequest):
    """Fields of the ByUserId methods."""

    user_id: UserId = field("lock.mutex.userId", max_length=128, description="The player.")


class OwnMutexRequest(NamespaceRequest):
    """Fields of getMutex."""

    property_id: Text = field("lock.mutex.propertyId", max_length=1024, description="What is locked: any text.")


class OwnUnlockRequest(OwnMutexRequest):
    """Fields of unlock."""

    transaction_id: Text = _transaction()


class OwnLockRequest(OwnUnlockRequest):
    """Fields of lock."""

    ttl: Integer = _ttl()


class MutexRequest(UserRequest):
    """Fields of getMutexByUserId and deleteMutexByUserId."""

    property_id: Text = field("lock.mutex.propertyId", max_length=1024, description="What is locked: any text.")


class UnlockRequest(MutexRequest):
    """Fields of unlockByUserId."""

    transaction_id: Text = _transaction()


class LockRequest(UnlockRequest):
    """Fields of lockByUserId."""

    ttl: Integer = _ttl()


class OwnMutexesRequest(NamespaceRequest):
    """Fields of describeMutexes."""

    page_token: Text | None = field("lock.mutex.pageToken", None, max_length=1024)
    limit: Integer = field("lock.mutex.limit", 30, ge=1, le=1000)


class MutexesRequest(UserRequest):
    """Fields of describeMutexesByUserId."""

    page_token: Text | None = field("lock.mutex.pageToken", None, max_length=1024)
    limit: Integer = field("lock.mutex.limit", 30, ge=1, le=1000)


class MutexModel(Result):
    """A mutex and its holder. createdAt: when the holder acquired it. revision: the fencing token."""

    mutex_id: str
    user_id: str
    property_id: str
    transaction_id: str
    created_at: int
    ttl_at: int
    revision: int


class MutexResult(Result):
    """One mutex."""

    item: MutexModel


class MutexesResult(Result):
    """A page of what a player holds."""

    items: list[MutexModel]
    next_page_token: str | None = None


def mutex_item(call: Call, namespace: str, user_id: str, property_id: str, state: State | HeldMutex) -> dict[str, Any]:
    """The contract's Mutex. namespace: its name. Times are on the caller's clock, which a time offset moves; it ends by ours."""
    project, shift_ms = call.project, call.time_offset_s * 1000
    front = f"grn:gs2:{project.region}:{project.owner_id}:lock:{namespace}"
    return {
        "mutexId": f"{front}:user:{user_id}:property:{property_id}",
        "userId": user_id,
        "propertyId": property_id,
        "transactionId": state.transaction_id,
        "createdAt": state.acquired_ms + shift_ms,
        "ttlAt": min(state.until_ms + shift_ms, FOREVER_MS),
        "revision": state.revision,
    }
