"""The database's time, carried on by this host's count of seconds."""
from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC
from types import SimpleNamespace

import pytest
from django.conf import settings
from django.db import OperationalError
from django.utils import timezone

from gs2admin.db import clock

START = 1_800_000_000.0


class Host:
    """A host whose count, date and database the test moves: pass(s) moves all three."""

    def __init__(self) -> None:
        self.count, self.date, self.database, self.asked, self.takes = 1000.0, START, START - 3600, 0, [0.002]

    def passes(self, seconds: float) -> None:
        """All clocks move on."""
        self.count, self.date, self.database = self.count + seconds, self.date + seconds, self.database + seconds

    @contextmanager
    def cursor(self):
        """Where the question is asked; half of its time passes before the answer is made, half after."""
        def execute(_):
            took = self.takes[min(self.asked, len(self.takes) - 1)]
            self.asked += 1
            self.passes(took / 2)
            found = self.database
            self.passes(took / 2)
            return SimpleNamespace(fetchone=lambda: (found,))

        yield SimpleNamespace(execute=execute)


@pytest.fixture
def host(monkeypatch):
    found = Host()
    monkeypatch.setattr(clock, "time", SimpleNamespace(
        time=lambda: found.date, clock_gettime=lambda _: found.count, CLOCK_BOOTTIME=time.CLOCK_BOOTTIME))
    monkeypatch.setattr(clock, "vendor", lambda: "postgresql")
    monkeypatch.setattr(clock, "raw_cursor", found.cursor)
    clock.forget()
    yield found
    clock.forget()


def test_the_time_is_the_databases_and_is_asked_for_once_in_a_while(host):
    assert clock.about() == START, "the host's own, before anything is measured"
    assert clock.seconds() == pytest.approx(host.database) and clock.now().tzinfo is UTC
    host.passes(clock.AGE_S - 0.1)
    assert clock.seconds() == pytest.approx(host.database) and host.asked == 1
    host.passes(0.2)
    assert clock.seconds() == pytest.approx(host.database) and host.asked == 2
    assert clock.now().timestamp() == pytest.approx(host.database) and host.asked == 2


@pytest.mark.parametrize("jump", [-7200, -1, 1, 7200])
def test_a_host_whose_date_is_changed_stays_right(host, jump):
    clock.seconds()
    host.date += jump
    assert clock.about() == pytest.approx(host.database), "the date has no part in it"
    assert clock.seconds() == pytest.approx(host.database) and host.asked == 2


def test_a_pause_that_the_count_does_not_know_of_is_noticed_by_the_date(host):
    clock.seconds()
    host.date, host.database = host.date + 600, host.database + 600
    assert clock.seconds() == pytest.approx(host.database) and host.asked == 2


def test_a_clock_of_the_database_that_is_changed_counts_after_a_few_seconds(host):
    clock.seconds()
    host.database += 600
    host.passes(clock.AGE_S)
    assert clock.seconds() == pytest.approx(host.database)


def test_a_process_that_is_stopped_while_it_asks_asks_again(host):
    host.takes = [40.0, 3.0, 0.01]
    assert clock.seconds() == pytest.approx(host.database) and host.asked == 3
    clock.forget()
    host.takes, host.asked = [4.0, 3.0, 2.0, 5.0, 0.0], 0
    clock.seconds()
    assert host.asked == clock.TRIES, "no more; the quickest answer counts"


def test_without_a_database_there_is_no_time_and_counts_go_on(host, monkeypatch):
    clock.seconds()
    host.passes(clock.AGE_S)

    @contextmanager
    def away():
        raise OperationalError("away")
        yield

    monkeypatch.setattr(clock, "raw_cursor", away)
    for ask in (clock.seconds, clock.now):
        with pytest.raises(OperationalError):
            ask()
    assert clock.about() == pytest.approx(host.database)


@pytest.mark.django_db
def test_here_it_is_the_time_of_this_machine_and_no_query_is_counted(django_assert_num_queries):
    clock.forget()
    with django_assert_num_queries(0):
        for found in (clock.now().timestamp(), clock.seconds(), clock.about()):
            assert abs(found - time.time()) < 2
    assert clock.now().utcoffset() == timezone.now().utcoffset()
    if settings.ON_SQLITE:
        clock.forget()
        assert clock._measured is None
