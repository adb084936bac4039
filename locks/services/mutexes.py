"""Lock, unlock, delete and release mutexes. One statement decides each (locks/sql.py)."""
from __future__ import annotations

from functools import partial

from django.db import IntegrityError, transaction

from gs2admin.audit.services import record
from gs2admin.cache import Cache
from gs2admin.db.raw import vendor
from gs2admin.errors import Conflict, Invalid, NotFound, Unavailable
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from gs2admin.namespaces.status import NamespaceStatus
from locks import sql, stats
from locks.models import LockNamespace, Mutex
from locks.services.namespaces import LOCKS
from locks.sql import State
from locks.states import Ended, ttl_ms, wait_for

# Programs and their scripts lock and unlock too often for a line each; the history has them all.
LOGGED_MOVES = frozenset({"person"})
LOGGED_ENDS = frozenset({"person", "script"})
TRIES = 8
# Keys of mutexes that this process has refused: others want them too. What it says decides nothing.
_lately_taken: Cache[bytes, bool] = Cache(ttl_s=2.0, entries=1_000, max_bytes=500_000)


def lock(
    *, actor: Actor, namespace: LockNamespace, user_id: str, property_id: str, transaction_id: str, ttl_s: int
) -> State:
    """Acquire the mutex for ttl_s seconds, or lock it once more by the same transaction, with the later of both ends.

    Raises NotFound, Denied, Invalid (ttl below 1), Conflict with code lock.mutex.locked while another transaction holds
    it; its extra has retry_after_ms and retry_after_s.
    """
    require(actor, "lock.use", namespace)
    if ttl_s < 1:
        raise Invalid("The time to live is at least one second.", component="mutex", message="lock.mutex.ttl.error.invalid")
    key = sql.key_of(namespace.pk, user_id, property_id)
    if actor.kind not in LOGGED_MOVES:
        return _lock(namespace, key, user_id, property_id, transaction_id, ttl_s)
    with transaction.atomic():
        state = _lock(namespace, key, user_id, property_id, transaction_id, ttl_s)
        _record(actor, "mutex.lock", namespace, state, user_id, property_id)
    return state


def _lock(namespace: LockNamespace, key: bytes, user_id: str, property_id: str, transaction_id: str, ttl_s: int) -> State:
    # SQLite takes its one write lock also for an UPDATE that finds nothing to do; PostgreSQL takes none then.
    look_first = vendor() == "sqlite" and _lately_taken.get(key, False)
    seen = None
    for _ in range(TRIES):
        seen = sql.read(key) if look_first else None
        if _taken(seen, transaction_id):
            raise _locked(namespace, key, seen)
        state = sql.lock(key, transaction_id, ttl_ms(ttl_s))
        if state is not None:
            if state.counter == 1:
                # A dry run takes it all back, and then nothing has happened.
                lost = state.ended == Ended.EXPIRED
                transaction.on_commit(partial(stats.acquired, namespace.pk, lost=lost))
            return state
        seen = seen or sql.read(key)
        if _taken(seen, transaction_id):
            raise _locked(namespace, key, seen)
        if seen is None:
            _make(namespace, key, user_id, property_id)
        else:
            _refuse_if_closed(namespace)
    if seen is not None:
        raise _locked(namespace, key, seen)  # free at every look, and held at every try: others are quicker
    raise _busy()


def _taken(seen: State | None, transaction_id: str) -> bool:
    return seen is not None and seen.held and seen.transaction_id != transaction_id


def _make(namespace: LockNamespace, key: bytes, user_id: str, property_id: str) -> None:
    _refuse_if_closed(namespace)
    try:
        with transaction.atomic():
            sql.make(namespace.pk, key, user_id, property_id)
    except IntegrityError:
        raise LOCKS.gone() from None


def _refuse_if_closed(namespace: LockNamespace) -> None:
    status = LockNamespace.objects.filter(pk=namespace.pk).values_list("status", flat=True).first()
    if status is None:
        raise LOCKS.gone()
    if status != NamespaceStatus.ACTIVE:
        raise LOCKS.closing(namespace.name)


def _locked(namespace: LockNamespace, key: bytes, seen: State) -> Conflict:
    _lately_taken.put(key, True)
    left_ms, held_ms = seen.until_ms - seen.now_ms, seen.now_ms - seen.acquired_ms
    wait = wait_for(left_ms=left_ms, held_ms=held_ms, crowd=stats.crowd(seen.id))
    stats.denied(namespace.pk, seen.id, wait_ms=wait.ms)
    return Conflict(
        "Another transaction holds this mutex.", component="mutex", message="lock.mutex.mutex.error.conflict",
        code="lock.mutex.locked", extra={"retry_after_ms": wait.ms, "retry_after_s": wait.s},
    )  # fmt: skip


def unlock(*, actor: Actor, namespace: LockNamespace, user_id: str, property_id: str, transaction_id: str) -> State:
    """Undo one lock; the last one frees the mutex. Returns it as it was.

    Raises NotFound (it is free, or has expired), Denied, Conflict (another transaction holds it); neither releases anything.
    """
    require(actor, "lock.use", namespace)
    key = sql.key_of(namespace.pk, user_id, property_id)
    if actor.kind not in LOGGED_MOVES:
        return _unlock(key, transaction_id)
    with transaction.atomic():
        state = _unlock(key, transaction_id)
        _record(actor, "mutex.unlock", namespace, state, user_id, property_id)
    return state


def _unlock(key: bytes, transaction_id: str) -> State:
    for _ in range(TRIES):
        state = sql.unlock(key, transaction_id)
        if state is not None:
            return state
        seen = sql.read(key)
        if seen is None or not seen.held:
            raise no_mutex()
        if seen.transaction_id != transaction_id:
            raise Conflict(
                "Another transaction holds this mutex.", component="mutex",
                message="lock.mutex.transactionId.error.notMatch",
            )  # fmt: skip
    raise _busy()


def _busy() -> Unavailable:
    return Unavailable(
        "This mutex changes hands too quickly; try again.", component="mutex", message="lock.mutex.mutex.error.busy"
    )


def delete_mutex(*, actor: Actor, namespace: LockNamespace, user_id: str, property_id: str, reason: str = "") -> State:
    """Release it whatever its count. Raises NotFound (it is free, or has expired), Denied."""
    require(actor, "lock.release", namespace)
    key = sql.key_of(namespace.pk, user_id, property_id)
    with transaction.atomic():
        state = sql.free(key, Ended.DELETED)
        if state is None:
            raise no_mutex()
        if actor.kind in LOGGED_ENDS:
            _record(actor, "mutex.delete", namespace, state, user_id, property_id, reason)
    return state


def force_release(*, actor: Actor, namespace: LockNamespace, mutex: Mutex, revision: int = 0, reason: str) -> State:
    """Take the mutex from its holder, whose unlock is refused from then on; the next holder's revision is higher.

    revision: of the holding that the person saw; 0 takes whichever there is. Raises NotFound (it is free, or has
    expired), Denied, Invalid (no reason), Conflict (somebody else holds it by now).
    """
    require(actor, "lock.release", namespace)
    if not reason.strip():
        raise Invalid("Say why: the holder's player or developer will ask.", component="mutex",
                      message="lock.mutex.reason.error.require", extra={"field": "reason"})  # fmt: skip
    key = bytes(mutex.key)
    with transaction.atomic():
        state = sql.free(key, Ended.FORCED, by=actor.name, revision=revision)
        if state is None:
            seen = sql.read(key)
            if seen is None or not seen.held:
                raise no_mutex()
            raise Conflict(
                "Somebody else holds this mutex by now. Look again before you release it.", component="mutex",
                message="lock.mutex.revision.error.notMatch",
            )  # fmt: skip
        _record(actor, "mutex.force_release", namespace, state, mutex.user_id, mutex.property_id, reason)
    return state


def no_mutex() -> NotFound:
    """The mutex is free, has expired, or never was."""
    return NotFound(
        "This mutex is free: it was unlocked, or its time was over.", component="mutex",
        message="lock.mutex.mutex.error.notFound",
    )  # fmt: skip


def _record(
    actor: Actor, action: str, namespace: LockNamespace, state: State, user_id: str, property_id: str, reason: str = ""
) -> None:
    row = Mutex(pk=state.id, namespace=namespace, user_id=user_id, property_id=property_id)
    facts = {
        "namespace": namespace.name, "user": user_id, "property": property_id, "transaction": state.transaction_id,
        "revision": state.revision, "counter": state.counter,
    }  # fmt: skip
    record(actor=actor, action=action, obj=row, after=facts, reason=reason)
