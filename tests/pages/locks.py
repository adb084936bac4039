"""Mutexes with everything a page can show: held twice and contended, expired without unlock, unlocked in order."""
from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.test import TestCase

from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from locks import chores, stats
from locks.models import Mutex
from locks.services import lock, unlock
from locks.services.namespaces import create_namespace
from tests.replaying import Replay

GRN = "grn:gs2:ap-northeast-1:isles:inventory:main:user:9223372036854775807:item/<b>%2F日本"


def hold(namespace, property_id="gacha", transaction="tx-1", user="u-1", ttl=600) -> Mutex:
    """Lock it as a client does; the row."""
    lock(actor=SYSTEM, namespace=namespace, user_id=user, property_id=property_id, transaction_id=transaction, ttl_s=ttl)
    return Mutex.objects.get(namespace=namespace, user_id=user, property_id=property_id)


def let_go(namespace, property_id="gacha", transaction="tx-1", user="u-1") -> None:
    """Unlock it as a client does."""
    unlock(actor=SYSTEM, namespace=namespace, user_id=user, property_id=property_id, transaction_id=transaction)


def run_out(mutex: Mutex) -> Mutex:
    """Its time is over, and no cleaner has been here yet."""
    Mutex.objects.filter(pk=mutex.pk).update(acquired_ms=mutex.acquired_ms - 2_000_000, until_ms=mutex.until_ms - 1_000_000)
    mutex.refresh_from_db()
    return mutex


MADE = Replay()


@pytest.fixture
def lock_world(project):
    """inventory: u-1 holds .mutex (gacha) twice after tx-0, three were denied; .gone has run out; .free was unlocked."""
    return MADE.get(project.pk, lambda: _locks(project))


def _locks(project) -> SimpleNamespace:
    namespace = create_namespace(actor=SYSTEM, project=project, name="inventory", description="What must not be spent twice.")
    with TestCase.captureOnCommitCallbacks(execute=True):  # they count what was acquired
        hold(namespace, transaction="tx-0"), let_go(namespace, transaction="tx-0")
        hold(namespace)
        mutex = hold(namespace)
    for _ in range(3):
        with pytest.raises(Conflict):
            hold(namespace, transaction="tx-9")
    gone = run_out(hold(namespace, GRN, "tx-2"))
    free = hold(namespace, "gate", "tx-3")
    let_go(namespace, "gate", "tx-3")
    stats.flush(), chores.note_held()
    mutex.refresh_from_db(), free.refresh_from_db()
    return SimpleNamespace(namespace=namespace, mutex=mutex, gone=gone, free=free)
