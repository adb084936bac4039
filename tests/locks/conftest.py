"""A namespace, short words for its moves, and a way to let time pass without waiting for it."""
from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.db.models import F

from gs2admin.errors import DomainError
from gs2admin.identity.actors import SYSTEM, Actor
from locks import reads, services
from locks.models import Holding, LockNamespace, Mutex
from locks.services.namespaces import create_namespace


@dataclass
class Mutexes:
    """Moves on the mutexes of one player; a refusal is its code, or its message where it has no code of its own."""

    namespace: LockNamespace
    actor: Actor = SYSTEM
    user: str = "u-1"

    def _of(self, move, property_id: str, **more):
        try:
            return move(actor=self.actor, namespace=self.namespace, user_id=self.user, property_id=property_id, **more)
        except DomainError as refusal:
            return refusal.code or refusal.message

    def lock(self, who: str, ttl_s: int = 60, *, of: str = "p"):
        return self._of(services.lock, of, transaction_id=who, ttl_s=ttl_s)

    def unlock(self, who: str, *, of: str = "p"):
        return self._of(services.unlock, of, transaction_id=who)

    def delete(self, *, of: str = "p"):
        return self._of(services.delete_mutex, of)

    def force(self, reason: str = "stuck", *, of: str = "p", revision: int = 0):
        try:
            return services.force_release(actor=self.actor, namespace=self.namespace, mutex=self.row(of), reason=reason,
                                          revision=revision)  # fmt: skip
        except DomainError as refusal:
            return refusal.code or refusal.message

    def row(self, of: str = "p") -> Mutex | None:
        return reads.mutex(self.namespace, self.user, of)

    def state(self, of: str = "p"):
        return reads.state(self.namespace, self.user, of)

    def age(self, seconds: float, *, of: str = "p") -> None:
        """So much time passes for this mutex: all its times move back."""
        ms = int(seconds * 1000)
        Mutex.objects.filter(pk=self.row(of).pk).update(
            until_ms=F("until_ms") - ms, acquired_ms=F("acquired_ms") - ms, ended_ms=F("ended_ms") - ms
        )
        Holding.objects.filter(mutex=self.row(of)).update(acquired_ms=F("acquired_ms") - ms, ended_ms=F("ended_ms") - ms)

    def history(self, of: str = "p") -> list[tuple[int, str, str]]:
        """(revision, transaction, how it ended), oldest first."""
        rows = Holding.objects.filter(mutex=self.row(of)).order_by("revision")
        return list(rows.values_list("revision", "transaction_id", "ended"))


@pytest.fixture
def namespace(project) -> LockNamespace:
    return create_namespace(actor=SYSTEM, project=project, name="trades")


@pytest.fixture
def mutexes(namespace) -> Mutexes:
    return Mutexes(namespace)


LOCKED = "lock.mutex.locked"
NOT_MATCH = "lock.mutex.transactionId.error.notMatch"
FREE = "lock.mutex.mutex.error.notFound"
