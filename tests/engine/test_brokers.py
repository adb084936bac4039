"""The queue that wakes workers: taken once, by whoever can start at once, in the database or in Redis."""
import os

import pytest
import redis
from django.db import OperationalError
from django_q.models import OrmQ

from gs2admin import engine
from gs2admin.engine import brokers, inside, waking
from gs2admin.engine.lanes import Lane, Lanes, ready
from gs2admin.processes.lifeline import ChildEnd, Lifeline
from tests.conditions import stays, until
from tests.engine.proxy import Proxy

REDIS_PORT = 6379
DATABASE = 9


def redis_answers() -> bool:
    try:
        with redis.Redis(port=REDIS_PORT) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        if os.environ.get("REQUIRE_SERVICES") == "1":
            raise
        return False


with_redis = pytest.mark.skipif("not redis_answers()", reason="no Redis at 127.0.0.1:6379")


@pytest.fixture
def broker(monkeypatch):
    monkeypatch.setattr(brokers.Conf, "POLL", 0.001)
    monkeypatch.setattr(brokers, "LOOK_S", 0.01)
    made = brokers.DatabaseBroker("gs2admin")
    yield made
    made._stop()


@pytest.fixture
def slots(monkeypatch):
    """One idle worker."""
    made = Lanes([Lane("gs2admin", 1, "aa")])
    monkeypatch.setattr(inside, "_lanes", made)
    return made


def test_a_ring_carries_an_id_and_is_taken_once_in_order(db, broker):
    engine.wake("stages.worker.tasks.run_rollout", 1)
    engine.wake("stages.worker.tasks.run_rollout", 2)
    assert [(row.task["func"], row.task["args"]) for row in OrmQ.objects.order_by("pk")] == [
        ("stages.worker.tasks.run_rollout", (1,)), ("stages.worker.tasks.run_rollout", (2,))]
    payloads = [row.payload for row in OrmQ.objects.order_by("pk")]
    taken = [broker.dequeue(), broker.dequeue(), broker.dequeue()]
    assert taken == [[("gs2admin", payloads[0])], [("gs2admin", payloads[1])], None]
    assert not OrmQ.objects.exists()


def test_nothing_is_taken_while_no_worker_is_idle(db, broker, slots):
    engine.wake("a.b", 1)
    engine.wake("a.b", 2)
    assert broker.dequeue()
    assert broker.dequeue() is None
    inside.give_slot("gs2admin")
    assert broker.dequeue()


def test_looking_into_an_empty_queue_uses_up_no_worker(db, broker, slots):
    assert [broker.dequeue() for _ in range(3)] == [None] * 3
    engine.wake("a.b", 1)
    until(broker.dequeue, 5)


def test_an_unreadable_task_uses_up_no_worker(db, broker, slots):
    engine.wake("a.b", 1)
    assert broker.dequeue()
    broker.fail("gs2admin")
    engine.wake("a.b", 2)
    until(broker.dequeue, 5)


def test_a_flood_in_one_queue_and_long_work_of_another_keep_nobody_waiting(db, broker, monkeypatch):
    """Two lanes of one worker each: who has no idle worker is passed over, and both have their turn."""
    monkeypatch.setattr(inside, "_lanes", Lanes([Lane("gs2admin", 1, "aa"), Lane("jobs", 1, "bb")]))
    for number in range(3):
        engine.wake("a.b", number, queue="gs2admin")
        engine.wake("c.d", number, queue="jobs")
    assert {broker.dequeue()[0][0], broker.dequeue()[0][0]} == {"gs2admin", "jobs"}
    assert broker.dequeue() is None
    inside.give_slot("jobs")
    assert broker.dequeue()[0][0] == "jobs"


def test_the_pusher_is_woken_by_a_slot_that_it_was_refused_and_by_the_wish_to_drain(monkeypatch):
    lanes, line = Lanes([Lane("gs2admin", 1, "aa"), Lane("jobs", 1, "bb")]), Lifeline()
    monkeypatch.setattr(inside, "_lanes", lanes)
    monkeypatch.setattr(inside, "_lifeline", ChildEnd(line.read_fd))
    assert inside.take_slot("gs2admin", 0) and inside.take_slot("jobs", 0) and not inside.take_slot("jobs", 0)
    inside.give_slot("gs2admin")
    assert not ready(inside.interrupts(), 0), "nobody waits for that one"
    inside.give_slot("jobs")
    assert ready(inside.interrupts(), 0)
    assert inside.take_slot("jobs", 0) and not ready(inside.interrupts(), 0)
    line.drain()
    assert ready(inside.interrupts(), 0)
    line.cut()
    line.close_read()


def test_a_draining_cluster_takes_nothing(db, broker, monkeypatch):
    engine.wake("a.b", 1)
    monkeypatch.setattr(inside, "draining", lambda: True)
    assert broker.dequeue() is None
    assert OrmQ.objects.count() == 1


def test_a_database_that_is_away_does_not_end_the_pusher(db, broker, slots, monkeypatch):
    def away(free):
        raise OperationalError("away")

    monkeypatch.setattr(brokers, "AWAY_S", 0.001)
    with monkeypatch.context() as gone:
        gone.setattr(broker, "_take", away)
        assert broker.dequeue() is None
    engine.wake("a.b", 1)
    assert broker.dequeue()


def test_the_heartbeat_comes_before_waiting_work_and_only_to_its_own_cluster(db, broker, monkeypatch):
    engine.wake("a.b", 1)
    for cluster in ("aa", "bb"):
        waking.push("gs2admin.engine.tasks.heartbeat", 1.0, brokers.private_queue(cluster))
    monkeypatch.setattr(inside, "queues", lambda: [("gs2admin", "bb")])
    assert broker.dequeue()
    assert set(OrmQ.objects.values_list("key", flat=True)) == {"gs2admin", "beat:aa"}


def test_with_redis_a_ring_waits_for_the_commit_and_its_failure_is_not_the_callers(
    db, settings, monkeypatch, django_capture_on_commit_callbacks
):
    settings.BROKER = "redis"
    pushed = []

    def away(*arguments):
        pushed.append(arguments)
        raise redis.ConnectionError("away")

    monkeypatch.setattr(waking, "push", away)
    with django_capture_on_commit_callbacks(execute=True):
        engine.wake("a.b", 1)
        assert pushed == []
    assert pushed == [("a.b", 1, None)]


class RedisInMemory:
    """The lists of a Redis, as far as the broker asks for them."""

    def __init__(self) -> None:
        self.lists: dict[str, list[str]] = {}

    def llen(self, key: str) -> int:
        return len(self.lists.get(key, []))

    def rpush(self, key: str, value: str) -> int:
        self.lists.setdefault(key, []).append(value)
        return self.llen(key)


@pytest.fixture
def redis_lists(settings, monkeypatch):
    """What every broker takes for its Redis."""
    made = RedisInMemory()
    settings.BROKER = "redis"
    monkeypatch.setattr(brokers.RedisBroker, "get_connection", staticmethod(lambda list_key=None: made))
    monkeypatch.setattr("django_q.brokers.get_broker", lambda queue: brokers.RedisBroker(queue))
    waking.broker.cache_clear()
    yield made
    waking.broker.cache_clear()


def test_with_redis_only_a_few_wakes_of_job_workers_wait_and_of_other_tasks_all(
    db, redis_lists, settings, django_capture_on_commit_callbacks
):
    most = settings.TASK_BOUNDS["jobqueue.tasks.drain"]
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(most + 4):
            engine.wake("jobqueue.tasks.drain", number)
            engine.wake("stages.worker.tasks.run_rollout", number)
    assert {key: redis_lists.llen(f"django_q:{key}:q") for key in ("jobs", "gs2admin")} == {"jobs": most, "gs2admin": most + 4}
    assert not OrmQ.objects.exists()


def test_a_task_that_was_not_added_wakes_nobody(db, settings, django_capture_on_commit_callbacks):
    for number in range(settings.TASK_BOUNDS["jobqueue.tasks.drain"]):
        engine.wake("jobqueue.tasks.drain", number)
    with django_capture_on_commit_callbacks() as sent:
        engine.wake("jobqueue.tasks.drain", 99)
    assert sent == []


@with_redis
@pytest.mark.processes
def test_with_redis_the_work_goes_on_and_redis_may_be_away_for_a_while(new_host):
    proxy = Proxy(REDIS_PORT)
    try:
        host = new_host(GS2ADMIN_BROKER="redis", REDIS_URL=f"redis://127.0.0.1:{proxy.port}/{DATABASE}").start()
        main = host.ready()
        host.ring("first", 0, sweep_only=True)
        host.wait("first", "end", 8)
        until(lambda: engine.health().latency_ms is not None, 8)
        proxy.cut()
        stays(lambda: host.roles("qc-main") == [main], 5, every_s=0.2)
        proxy.open = True
        host.ring("second", 0, sweep_only=True)
        host.wait("second", "end", 8)
        assert host.roles("qc-main") == [main], host.log.read_text()[-3000:]
    finally:
        proxy.close()
