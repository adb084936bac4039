"""A mutex as a context manager: for a project's mutexes, and for work that must run on one host at a time."""
from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM, Actor
from gs2admin.lease import LeaseLost, Renewer
from locks import sql
from locks.models import LockNamespace
from locks.services.mutexes import lock
from locks.services.namespaces import server_namespace
from locks.states import ttl_ms

WHO = "server"


class Lease:
    """The lease of a mutex. fence: its revision, for the WHERE of a write; it rises with every holder."""

    def __init__(self, key: bytes, transaction_id: str, fence: int, ttl_s: int) -> None:
        self.fence = fence
        self._key, self._transaction_id, self._ttl_s = key, transaction_id, ttl_s
        self._renewer = Renewer(ttl_s / 3, self._extend)

    def tick(self) -> None:
        """Renew the lease when a third of ttl_s is over. Call it often. Raises LeaseLost."""
        self._renewer.tick()

    def renew(self) -> None:
        """Renew the lease now, for ttl_s seconds. Raises LeaseLost."""
        self._renewer.now()

    def _extend(self) -> None:
        if sql.extend(self._key, self._transaction_id, self.fence, ttl_ms(self._ttl_s)) is None:
            raise LeaseLost  # its time was over, or somebody released it by force


@contextmanager
def locked(
    property_id: str, *, namespace: LockNamespace | None = None, user_id: str = WHO, ttl_s: int = 30, wait_s: float = 0.0,
    actor: Actor = SYSTEM,
) -> Iterator[Lease]:
    """Hold a mutex for the length of the block; without a namespace, one of the server's own.

    ttl_s: the lease in seconds. wait_s: how many seconds to wait for another holder. Raises Conflict with code lock.mutex.locked
    when the mutex stays held, and what `lock` raises. A block that takes longer than ttl_s without `tick` goes on without the
    mutex: its writes should check the fence. Do not use it inside a transaction: others would see it free until the commit.
    """
    namespace = namespace or server_namespace()
    transaction_id, deadline = uuid4().hex, time.monotonic() + wait_s
    while True:
        try:
            state = lock(actor=actor, namespace=namespace, user_id=user_id, property_id=property_id,
                         transaction_id=transaction_id, ttl_s=ttl_s)  # fmt: skip
            break
        except Conflict as refusal:
            left_s = deadline - time.monotonic()
            if refusal.code != "lock.mutex.locked" or left_s <= 0:
                raise
            time.sleep(min(left_s, refusal.extra["retry_after_ms"] / 1000 * random.uniform(0.8, 1.2)))
    key = sql.key_of(namespace.pk, user_id, property_id)
    try:
        yield Lease(key, transaction_id, state.revision, ttl_s)
    finally:
        sql.unlock(key, transaction_id)  # changes nothing when the lease was lost: the next holder keeps it
