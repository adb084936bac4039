"""The context manager: alone in its block, told when it is lost, and out of every client's reach."""
from __future__ import annotations

import pytest

from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from gs2admin.lease import LeaseLost
from locks import reads
from locks.models import LockNamespace, Mutex
from locks.services import force_release, locked
from locks.services.namespaces import delete_namespace, server_namespace

pytestmark = pytest.mark.django_db


def test_the_block_is_alone_and_its_fence_rises(namespace):
    fences = []
    for where in ({}, {"namespace": namespace, "user_id": "u-1"}):
        with locked("work", ttl_s=5, **where) as lease:
            fences.append(lease.fence)
            lease.tick(), lease.renew()
            with pytest.raises(Conflict) as refusal, locked("work", ttl_s=5, wait_s=0.05, **where):
                raise AssertionError("both are in")
            assert refusal.value.code == "lock.mutex.locked"
        with locked("work", **where) as lease:
            fences.append(lease.fence)
    assert fences == [1, 2, 1, 2]


def test_it_is_released_when_the_block_fails():
    with pytest.raises(KeyError), locked("work"):
        raise KeyError
    with locked("work") as lease:
        assert lease.fence == 2


def test_whoever_lost_it_is_told_and_releases_nobody_elses():
    with locked("work", ttl_s=5) as lease:
        row = Mutex.objects.get()
        force_release(actor=SYSTEM, namespace=row.namespace, mutex=row, reason="r")
        with locked("work") as other:
            assert other.fence == lease.fence + 1
            with pytest.raises(LeaseLost):
                lease.renew()
        lease._renewer._renewed_at -= 2
        with pytest.raises(LeaseLost):
            lease.tick()
    assert not reads.live(Mutex.objects.all()).exists()


def test_the_servers_own_namespace_belongs_to_no_project_and_stays():
    namespace = server_namespace()
    assert namespace.project is None and server_namespace().pk == namespace.pk
    with pytest.raises(Conflict):
        delete_namespace(actor=SYSTEM, namespace=namespace)
    assert LockNamespace.objects.get(pk=namespace.pk).status == "ACTIVE"
