"""Wake-ups: after the commit, from any process of the machine and any host; a lost one costs a second and never work."""
import os
import socket
import threading
import time

import pytest
from django.conf import settings
from django.db import connection, transaction
from django_q.models import OrmQ

from gs2admin import engine
from gs2admin.engine import brokers, hosts, inside, wakeup
from gs2admin.engine.lanes import Lane, Lanes
from gs2admin.engine.wakeup import TASKS, Listener
from tests.conditions import until

on_postgres = pytest.mark.skipif("settings.ON_SQLITE", reason="about PostgreSQL")


@pytest.fixture
def directory(settings, tmp_path):
    """A data directory of this test, with a path that is too long for a socket."""
    settings.DATA_DIR = tmp_path / ("long-" * 25)
    settings.DATA_DIR.mkdir()
    return settings.DATA_DIR


@pytest.fixture
def listener(directory):
    made = Listener(TASKS)
    yield made
    made.close()


def test_a_wake_up_of_another_process_ends_the_wait_and_a_burst_is_one(listener):
    child = os.fork()
    if not child:
        told = [wakeup.here(TASKS), wakeup.here(TASKS), wakeup.here("other")]
        os._exit(0 if told == [1, 1, 0] else 1)
    assert listener.wait(10) and listener.local
    assert os.waitpid(child, 0)[1] == 0
    listener.wait(0)
    assert not listener.wait(0), "two wake-ups are one, or at most two that came apart"


def test_it_is_sent_once_after_the_commit_and_not_after_a_rollback(db, listener, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True) as sent:
        engine.wake("a.b", 1)
        engine.wake("a.b", 2)
        with transaction.atomic():
            engine.wake("a.b", 3)
        assert not listener.wait(0)
    assert len(sent) == 1 and listener.wait(0)
    with django_capture_on_commit_callbacks(execute=True) as sent, pytest.raises(KeyError), transaction.atomic():
        engine.wake("a.b", 4)
        raise KeyError
    assert sent == [] and not listener.wait(0)
    assert OrmQ.objects.count() == 3


def test_who_sends_fails_never_and_leaves_no_socket_of_a_dead_process(db, directory, listener, monkeypatch):
    dead = directory / "wakeup" / listener._name.replace(TASKS, TASKS + "-dead")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        folder = os.open(dead.parent, os.O_RDONLY)
        left.bind(f"/proc/self/fd/{folder}/{dead.name}")
        os.close(folder)
    assert wakeup.here(TASKS) == 1 and not dead.exists()

    def fails(topic):
        raise OSError("as asked")

    monkeypatch.setattr(wakeup, "here", fails)
    wakeup._senders[TASKS]()


def test_a_socket_that_was_cleared_away_is_made_anew(directory, listener):
    for path in (directory / "wakeup").iterdir():
        path.unlink()
    assert wakeup.here(TASKS) == 0
    assert not listener.wait(0)
    assert wakeup.here(TASKS) == 1 and listener.wait(0)


def test_where_no_socket_can_be_made_it_is_said_once_and_the_queue_is_asked_often(db, directory, monkeypatch, caplog):
    (directory / "wakeup").write_text("in the way")
    broker = brokers.DatabaseBroker("gs2admin")
    assert broker.dequeue() is None
    engine.wake("a.b", 1)
    began = time.monotonic()
    until(broker.dequeue, 5)
    assert time.monotonic() - began < brokers.LOOK_S / 2
    assert caplog.text.count("there is no socket for wake-ups") == 1


def test_a_lost_wake_up_costs_a_second_and_no_work(db, listener):
    broker = brokers.DatabaseBroker("gs2admin")
    rest = broker._rest

    def late(any_free: bool) -> None:
        engine.wake("a.b", 1)  # not committed, so nobody is woken
        broker._rest = rest
        rest(any_free)

    broker._rest = late
    try:
        began = time.monotonic()
        assert broker.dequeue() is None
        until(broker.dequeue, 5)
        assert 0.5 < time.monotonic() - began < brokers.LOOK_S + 0.5
    finally:
        broker._stop()


def test_a_pusher_without_an_idle_worker_tells_other_hosts_once(db, directory, monkeypatch):
    told = []
    monkeypatch.setattr(brokers, "tell_hosts", told.append)
    monkeypatch.setattr(brokers, "LOOK_S", 0.01)
    monkeypatch.setattr(inside, "_lanes", Lanes([Lane("gs2admin", 1, "aa")]))
    broker = brokers.DatabaseBroker("gs2admin")
    try:
        assert broker.dequeue() is None
        engine.wake("a.b", 1)
        engine.wake("a.b", 2)
        wakeup.here(TASKS)
        assert broker.dequeue()[0].queue == "gs2admin"
        assert [broker.dequeue(), broker.dequeue()] == [None, None]
        assert told == [TASKS]
        inside.give_slot("gs2admin")
        assert broker.dequeue() and told == [TASKS]
    finally:
        broker._stop()


@on_postgres
def test_a_wake_up_reaches_other_hosts_and_not_its_own_sender(transactional_db, directory, tmp_path, monkeypatch):
    here_not = tmp_path / "other"
    here_not.mkdir()
    listener = Listener(TASKS)
    try:
        listener.attend()

        def elsewhere():
            with monkeypatch.context() as host:
                host.setattr(settings, "DATA_DIR", here_not)
                engine.wake("a.b", 1)
            connection.close()

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert listener.wait(10) and not listener.local
        hosts.tell_hosts(TASKS)
        assert not listener.wait(0.05)
    finally:
        listener.close()
