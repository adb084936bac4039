"""The duplication avoider on lock, unlock and delete: a repeat after a lost answer has no second effect."""
from __future__ import annotations

import pytest
from gs2 import core

from tests.wire.lockers import Lockers
from tests.wire.test_avoider import all_at_once, one_answer


@pytest.fixture(scope="module")
def lockers(server):
    found = Lockers(server)
    yield found
    found.close()


def test_fifty_equal_locks_count_once(lockers):
    path = f"/lock/{lockers.namespace}/user/user-0001/mutex/a-1/lock"
    answer = one_answer(all_at_once(lockers.server, "POST", path, "l-1", json={"transactionId": "t", "ttl": 60}))
    assert lockers.unlock("a-1", "t").revision == answer["item"]["revision"]
    with pytest.raises(core.NotFoundException):
        lockers.get("a-1")


def test_fifty_equal_unlocks_count_once(lockers):
    for _ in range(3):
        lockers.lock("a-2", "t")
    path = f"/lock/{lockers.namespace}/user/user-0001/mutex/a-2/unlock"
    one_answer(all_at_once(lockers.server, "POST", path, "u-1", json={"transactionId": "t"}))
    lockers.unlock("a-2", "t"), lockers.unlock("a-2", "t")
    with pytest.raises(core.NotFoundException):
        lockers.unlock("a-2", "t")


def test_fifty_equal_deletes_all_give_the_mutex_back(lockers):
    lockers.lock("a-3", "t")
    path = f"/lock/{lockers.namespace}/user/user-0001/mutex/a-3"
    assert one_answer(all_at_once(lockers.server, "DELETE", path, "d-1"))["item"]["transactionId"] == "t"


def test_the_same_avoider_is_for_one_request(lockers):
    lockers.lock("a-4", "t", avoider="x-1")
    assert lockers.lock("a-4", "t", avoider="x-1").transaction_id == "t"
    lockers.unlock("a-4", "t", avoider="x-1"), lockers.unlock("a-4", "t", avoider="x-1")
    with pytest.raises(core.NotFoundException):
        lockers.get("a-4")
    with pytest.raises(core.ConflictException) as refusal:
        lockers.lock("a-4", "t", ttl=7, avoider="x-1")
    assert refusal.value.errors[0].message == "lock.mutex.duplicationAvoider.error.duplicate"


def test_a_refusal_is_not_remembered(lockers):
    lockers.lock("a-5", "other")
    with pytest.raises(core.ConflictException):
        lockers.lock("a-5", "t", avoider="r-1")
    lockers.unlock("a-5", "other")
    assert lockers.lock("a-5", "t", avoider="r-1").transaction_id == "t"
