"""How guesses are counted: per client id and address, up to ten in a minute; a cache that is away counts none."""
from __future__ import annotations

import logging

import pytest
from django.core.cache import cache
from django.core.cache.backends import base, locmem

from gs2admin.identity import throttle


@pytest.fixture(autouse=True)
def _empty():
    cache.clear()
    yield
    cache.clear()


def fail(count: int, client_id: str = "id", ip: str = "10.0.0.1") -> None:
    for _ in range(count):
        throttle.note_failure(client_id, ip)


def test_the_tenth_failure_is_the_last():
    assert not throttle.exhausted("id", "10.0.0.1")
    fail(9)
    assert not throttle.exhausted("id", "10.0.0.1")
    fail(1)
    assert throttle.exhausted("id", "10.0.0.1")
    fail(1)
    assert throttle.exhausted("id", "10.0.0.1")


@pytest.mark.parametrize(("client_id", "ip"), [("id", "10.0.0.2"), ("other", "10.0.0.1"), ("d", "10.0.0.1i"), ("", "")])
def test_others_are_not_slowed(client_id, ip):
    fail(10)
    assert not throttle.exhausted(client_id, ip)


def test_an_id_that_is_no_text_is_counted_too():
    fail(10, "\ud800")
    assert throttle.exhausted("\ud800", "10.0.0.1")


def test_a_minute_after_the_first_failure_it_is_forgotten(monkeypatch):
    clock = [1_000_000.0]
    for module in (base, locmem):
        monkeypatch.setattr(module, "time", type("Clock", (), {"time": staticmethod(lambda: clock[0])}))
    fail(10)
    clock[0] += 59.9
    assert throttle.exhausted("id", "10.0.0.1")
    clock[0] += 0.2
    assert not throttle.exhausted("id", "10.0.0.1")


def away(*_, **__):
    raise ConnectionError("no cache")


def test_a_cache_that_is_away_lets_everybody_in_and_the_log_says_so(monkeypatch, caplog):
    fail(10)
    monkeypatch.setattr(cache, "get", away)
    monkeypatch.setattr(cache, "add", away)
    with caplog.at_level(logging.WARNING, throttle.__name__):
        assert throttle.exhausted("id", "10.0.0.1") is False
        throttle.note_failure("id", "10.0.0.1")
    assert [bool(line.exc_info) for line in caplog.records] == [True, True]


def test_a_count_that_expires_between_two_calls_is_no_fault(monkeypatch, caplog):
    def expired(*_, **__):
        raise ValueError("Key not found")

    fail(1)
    monkeypatch.setattr(cache, "incr", expired)
    with caplog.at_level(logging.WARNING, throttle.__name__):
        fail(1)
    assert caplog.records == []
