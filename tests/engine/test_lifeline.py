"""The pipe between a supervisor and its family."""
import os
import threading

import pytest

from gs2admin.processes.lifeline import VARIABLE, ChildEnd, Lifeline
from tests.conditions import until


@pytest.fixture
def pair():
    """The supervisor's end and a member's end."""
    line = Lifeline()
    yield line, ChildEnd(line.read_fd)
    line.cut()
    line.close_read()


def test_a_family_drains_when_it_is_asked_and_for_ever(pair):
    line, held = pair
    assert not held.draining()
    line.drain()
    assert held.draining()
    assert held.draining()


def test_a_family_drains_when_its_supervisor_is_gone(pair):
    line, held = pair
    line.cut()
    assert held.draining()


def test_the_end_of_the_supervisor_is_noticed_and_a_wish_to_drain_is_not_taken_for_it(pair):
    line, held = pair
    gone = threading.Event()
    held.on_cut(gone.set)
    line.drain()
    assert not gone.wait(0.2)
    line.cut()
    assert gone.wait(5)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "lifeline"], 5)


def test_without_a_supervisor_nothing_drains(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    held = ChildEnd.from_environment()
    held.on_cut(lambda: pytest.fail("called"))
    assert not held.draining()


def test_what_a_member_starts_does_not_see_the_pipe(pair, monkeypatch):
    line, _ = pair
    monkeypatch.setenv(VARIABLE, str(line.read_fd))
    held = ChildEnd.from_environment()
    assert VARIABLE not in os.environ
    assert not os.get_inheritable(held.fd)
