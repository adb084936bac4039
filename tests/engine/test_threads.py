"""A thread that ends by an exception, and a process that is stopped, are noticed and replaced."""
import os
import signal
import threading

import pytest

from gs2admin.engine import delivery_threads, due
from gs2admin.processes import proc
from gs2admin.processes.backoff import Backoff
from gs2admin.processes.lifeline import ChildEnd, Lifeline
from gs2admin.processes.programs import Program
from gs2admin.processes.threads import kept
from tests.conditions import until


class Strange(BaseException):
    pass


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit, KeyboardInterrupt, MemoryError, Strange])
def test_what_a_thread_runs_is_begun_anew(kind, caplog):
    calls, done = [], threading.Event()

    def run():
        calls.append(1)
        if len(calls) < 3:
            raise kind("broken")
        done.set()

    thread = kept("sweep", run, backoff=Backoff(0.0))
    assert done.wait(5)
    thread.join(5)
    assert len(calls) == 3 and not thread.is_alive()
    said = [record for record in caplog.records if "started again" in record.getMessage()]
    assert len(said) == 2 and said[0].name_of == "sweep"


def test_the_lifeline_acts_though_its_first_try_fails():
    acted, tries, line = threading.Event(), [], Lifeline()

    def act():
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no memory for it")
        acted.set()

    ChildEnd(os.dup(line.read_fd)).on_cut(act)
    line.cut()
    assert acted.wait(5)


def test_a_delivery_thread_that_broke_delivers_afterwards(monkeypatch):
    looked, ended = [], threading.Event()

    class Kinds(dict):
        def items(self):
            looked.append(1)
            if len(looked) == 1:
                raise RuntimeError("can't start new thread")
            return super().items()

    monkeypatch.setattr(delivery_threads, "DELIVERY_THREADS", Kinds())
    thread = kept("delivery", lambda: delivery_threads.deliver_for_ever(ended), backoff=Backoff(0.0))
    until(lambda: len(looked) > 1, 5)
    ended.set()
    due.deliveries.news.set()
    thread.join(5)
    assert not thread.is_alive()


def test_a_program_that_is_stopped_is_killed_and_started_again():
    program = Program("gs-web", signal.pause)
    program.start()
    try:
        first = program.child.pid
        os.kill(first, signal.SIGSTOP)
        until(lambda: proc.look(first).state in proc.FROZEN, 5)

        def judged():
            program.end_frozen(0.6)
            program.watch()
            return program.child is not None and program.child.pid != first

        until(judged, 10)
        assert proc.look(first) is None and program.running()
    finally:
        program.kill()
