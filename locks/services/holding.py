"""A mutex as a Python context manager: for a project's mutexes, and for what must run on one host at a time."""
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


class Held:
    """The right to work alone. fence: the revision, for a WHERE of what is written; it rises with every holder."""

    def __init__(self, key: bytes, transaction_id: str, fence: int, ttl_s: int) -> None:
        self.fence = fence
        self._key, self._transaction_id, self._ttl_s = key, transaction_id, ttl_s
        self._lease = Renewer(ttl_s / 3, self._extend)

    def tick(self) -> None:
        """Call often while working; renews when a third of the time is over. Raises LeaseLost."""
        self._lease.tick()

    def renew(self) -> None:
        """Hold it for its whole time from now on. Raises LeaseLost."""
        self._lease.now()

    def _extend(self) -> None:
        if sql.extend(self._key, self._transaction_id, self.fence, ttl_ms(self._ttl_s)) is None:
            raise LeaseLost  # its time was over, or somebody released it by force


@contextmanager
def holding(
    property_id: str, *, namespace: LockNamespace | None = None, user_id: str = WHO, ttl_s: int = 30, wait_s: float = 0.0,
    actor: Actor = SYSTEM,
) -> Iterator[Held]:
    """Hold a mutex for the length of the block; without a namespace, one of the server's own.

    wait_s: how long to wait for another holder. Raises Conflict with code lock.mutex.locked when it stays held, and what
    `lock` raises. A block that outlives ttl_s without `tick` goes on without the mutex: what it writes should name the fence.
    Not inside a transaction: others would see the mutex free until it commits.
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
        yield Held(key, transaction_id, state.revision, ttl_s)
    finally:
        sql.unlock(key, transaction_id)  # finds nothing when it was lost: whoever has it now keeps it
