"""Chores are called when they have something to do, at its time, and are asked for together."""
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from gs2admin import engine
from gs2admin.engine import due, registry, sweep
from gs2admin.engine.models import EngineChore
from jobqueue.chores import queues
from jobqueue.models import Job, Namespace, Queue
from stages.models.webhooks import DeliveryState, WebhookDelivery, WebhookEndpoint
from stages.webhooks.deliver import next_due
from tests.conditions import until

KINDS = ("TICKERS", "SWEEPERS", "CLEANERS", "DELIVERY_THREADS", "DUE")


@pytest.fixture
def only(monkeypatch):
    """The registers, emptied for this test."""
    for name in KINDS:
        monkeypatch.setattr(registry, name, {})
        monkeypatch.setattr(sweep, name, getattr(registry, name))


def moments():
    """A `due` of rows that the test writes."""
    return EngineChore.objects.filter(name__startswith="row").order_by("ran_at").values("ran_at")[:1]


def row(name: str, in_s: float) -> None:
    EngineChore.objects.update_or_create(name=f"row {name}", defaults={"ran_at": Now() + timedelta(seconds=in_s)})


def seconds(ask) -> float | None:
    """In how many seconds something is due."""
    return due.Question({"x": ask}).ask().get("x")


def test_all_that_chores_say_is_one_statement_and_nothing_is_due_in_an_empty_database(db):
    question = due.Question(registry.DUE)
    with CaptureQueriesContext(connection) as asked:
        assert question.ask() == {}
    assert len(asked) == 1
    assert {name for name in registry.SWEEPERS if name not in registry.DUE} == {"locks.chores.adopt_left_counts"}
    assert registry.TICKERS.keys() | registry.DELIVERY_THREADS.keys() <= registry.DUE.keys()


def test_a_ticker_is_called_at_its_time_and_at_once_when_an_earlier_one_is_written(transactional_db, only):
    called, ended = [], threading.Event()

    @engine.ticker(due=moments)
    def act() -> int:
        called.append(time.monotonic())
        return EngineChore.objects.filter(name__startswith="row", ran_at__lte=Now()).delete()[0]

    def run() -> None:
        sweep.tick_for_ever(ended, every_s=60)

    began = time.monotonic()
    row("first", 0.4)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: called, 10)
        assert 0.39 < called[0] - began < 2
        row("late", 60)
        engine.wake_chores()
        row("now", 0)
        engine.wake_chores()
        until(lambda: len(called) > 1, 10)
        assert EngineChore.objects.get().name == "row late"
    finally:
        ended.set()
        engine.wake_chores()
        thread.join(10)
    assert not thread.is_alive()


def test_what_stays_due_is_called_again_after_a_pause_and_what_ended_at_once(db, only, monkeypatch):
    called = []
    engine.ticker(due=moments)(lambda: called.append(1) or 0)
    ticker = sweep._Ticker(every_s=3)
    assert ticker.turn() == pytest.approx(3, abs=0.5) and not called
    row("open", 0)
    assert ticker.turn() == pytest.approx(sweep.TICK_S, abs=0.2)
    ticker.turn()
    assert len(called) == 1
    EngineChore.objects.all().delete()
    ticker.turn()
    row("next", 0)
    ticker.turn()
    assert len(called) == 2


def test_sweepers_deliveries_and_cleaners_are_told_by_name(db, only):
    called = []
    engine.sweeper(due=moments)(lambda: called.append("sweeper") or 0)
    engine.cleaner(every_s=60, due=moments)(lambda: called.append("cleaner") or 0)
    row("now", 0)
    due.sweepers.take(), due.cleaners.take()
    sweep._Ticker(every_s=3).turn()
    assert due.sweepers.news.is_set() and due.sweepers.take() == set(registry.SWEEPERS)
    cleaning, found = sweep._Cleaning(), due.cleaners.take()
    assert found == set(registry.CLEANERS)
    assert cleaning.once(set()) == 0 and called == [], "nothing was found for it"
    cleaning.once(found)
    assert called == ["cleaner"]
    assert not any(cleaning.is_due(cleaner, found) for cleaner in registry.CLEANERS.values())


def test_a_question_that_fails_does_not_stop_the_chores(db, only, caplog):
    called = []

    def broken():
        raise RuntimeError("as asked")

    engine.ticker(due=broken)(lambda: called.append(1) or 0)
    assert sweep._Ticker(every_s=3).turn() <= sweep.TICK_S
    assert called == [1]


def test_queues_say_when_they_are_due(project):
    auto = Namespace.objects.create(project=project, name="auto", enable_auto_run=True)
    hand = Namespace.objects.create(project=project, name="hand")
    for namespace in (auto, hand):
        queue = Queue.objects.create(namespace=namespace, user_id="u", waiting=1)
        Job.objects.create(queue=queue, script_id="s")
    rows = Queue.objects.filter(namespace=auto)
    assert seconds(queues._left_queues) == pytest.approx(0, abs=0.1)
    rows.update(draining=True, next_at=Now() + timedelta(seconds=30))
    assert seconds(queues._left_queues) is None and seconds(queues._lost_queues) is None
    assert seconds(queues._due_queues) == pytest.approx(30, abs=1)
    rows.update(next_at=None, woken_at=Now() - timedelta(seconds=5))
    assert seconds(queues._lost_queues) == pytest.approx(0, abs=0.1)
    rows.update(lease_until=Now() + timedelta(seconds=5))
    assert seconds(queues._lost_queues) is None


def test_an_endpoint_says_when_its_next_message_is_due(project):
    endpoint = WebhookEndpoint.objects.create(project=project, name="w", url="http://a.example")
    assert seconds(next_due) is None
    for state, in_s in ((DeliveryState.PENDING, 20), (DeliveryState.DELIVERED, -20)):
        WebhookDelivery.objects.create(endpoint=endpoint, event="test", body="{}", state=state, due_at=Now() + timedelta(seconds=in_s),
                                       ended_at=None if state == DeliveryState.PENDING else Now())
    assert seconds(next_due) == pytest.approx(20, abs=1)
    WebhookEndpoint.objects.update(busy_until=Now() + timedelta(seconds=40))
    assert seconds(next_due) == pytest.approx(40, abs=1)
    WebhookEndpoint.objects.update(active=False)
    assert seconds(next_due) is None
