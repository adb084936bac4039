"""The context manager: alone in its block, told when it is lost, and out of every client's reach."""
from __future__ import annotations

import time
from importlib import import_module

import pytest
from django.db.models import F

import gs2admin.lease
from gs2admin.errors import Conflict, DomainError
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


class Clock:
    """Stands for the module time: sleeping takes no time, is noted, and then does what the test wants."""

    def __init__(self) -> None:
        self.now, self.pauses, self.then = 0.0, [], lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, pause: float) -> None:
        self.now += pause
        self.pauses.append(pause)
        self.then()


@pytest.fixture
def clock(monkeypatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(import_module("locks.services.locked"), "time", found)
    monkeypatch.setattr(gs2admin.lease, "time", found)
    return found


def test_it_waits_for_another_holder_as_long_as_it_is_said_to(clock):
    with locked("work") as first:
        with pytest.raises(Conflict) as refusal, locked("work", wait_s=1.0):
            raise AssertionError("both are in")
        assert clock.now == pytest.approx(1.0) and len(clock.pauses) > 1
        assert all(pause <= 3.6 for pause in clock.pauses) and refusal.value.extra["retry_after_ms"] >= 1
        row = Mutex.objects.get()
        clock.then = lambda: force_release(actor=SYSTEM, namespace=row.namespace, mutex=row, reason="r")
        clock.pauses.clear()
        with locked("work", wait_s=1.0) as second:
            assert second.fence == first.fence + 1 and len(clock.pauses) == 1


def test_it_sleeps_about_as_long_as_the_refusal_says(clock, monkeypatch):
    busy = Conflict("busy", code="lock.mutex.locked", extra={"retry_after_ms": 500})

    def refuse(**_):
        raise busy

    monkeypatch.setattr(import_module("locks.services.locked"), "lock", refuse)
    for _ in range(20):
        with pytest.raises(Conflict), locked("work", wait_s=100.0):
            raise AssertionError("it is in")
    most = [pause for pause in clock.pauses if pause >= 0.4]
    assert max(clock.pauses) <= 0.6 and min(most) < 0.42 and max(most) > 0.58


def test_another_refusal_is_raised_at_once(clock, namespace):
    LockNamespace.objects.filter(pk=namespace.pk).update(status="DELETING")
    with pytest.raises(DomainError) as refusal, locked("work", namespace=namespace, wait_s=5):
        raise AssertionError("it is in")
    assert getattr(refusal.value, "code", "") != "lock.mutex.locked" and clock.pauses == []


def test_a_lease_lasts_ttl_s_and_is_renewed_when_a_third_is_over(clock):
    def left_s() -> float:
        return Mutex.objects.get().until_ms / 1000 - time.time()

    with locked("work"):
        row = Mutex.objects.get()
        assert row.until_ms - row.acquired_ms == 30_000
        with pytest.raises(Conflict), locked("work"):
            raise AssertionError("both are in")
        assert clock.pauses == [], "it does not wait without wait_s"
    with locked("work", ttl_s=60) as lease:
        assert 58 < left_s() <= 60
        Mutex.objects.update(until_ms=F("until_ms") - 50_000)
        clock.now += 19.9
        lease.tick()
        assert left_s() < 11
        clock.now += 0.1
        lease.tick()
        assert 58 < left_s() <= 60
        Mutex.objects.update(until_ms=F("until_ms") - 50_000)
        lease.renew()
        assert 58 < left_s() <= 60
        lease.tick()


def test_it_is_locked_in_the_name_of_its_actor(namespace, stranger, actor_of):
    with pytest.raises(DomainError), locked("work", namespace=namespace, user_id="u", actor=actor_of(stranger)):
        raise AssertionError("it is in")
    with locked("work", namespace=namespace):
        assert Mutex.objects.values_list("user_id", "property_id").get() == ("server", "work")
