"""Runners die, are killed, are forked over and are shared by threads; no script notices another's trouble."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from jobqueue.scripting.pool import Limits, Runner, RunnerDied, RunnersBusy
from tests.conditions import looks
from tests.scripting.conftest import SMALL, error_of

METHODS = {"s": ("m",)}


@pytest.fixture
def runner():
    made = Runner(1, wait_s=0.2)
    yield made
    made.close()


def _pid(runner: Runner) -> int:
    [process] = runner._all
    return process.process.pid


def _gone(pid: int, within_s: float = 5) -> bool:
    for _ in looks(within_s, every_s=0.01):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
    return False


def test_a_warm_runner_is_used_again(runner):
    runner.run(source="result = {}")
    first = _pid(runner)
    assert [runner.run(source="result = {}").status_code for _ in range(20)] == [200] * 20
    assert _pid(runner) == first


def test_each_script_gets_a_fresh_state(runner):
    runner.run(source="x = 1 string.x = 1 math.x = 1 table.x = 1 _G.y = 1 util.x = 1 os.x = 1")
    found = runner.run(source="result = { x or 0, string.x or 0, math.x or 0, table.x or 0, y or 0, util.x or 0, os.x or 0 }")
    assert found.result == "[0,0,0,0,0,0,0]"


def test_a_runner_killed_in_the_middle_is_told_and_replaced(runner):
    def kill(*_):
        os.kill(_pid(runner), signal.SIGKILL)
        return 200, "{}"

    with pytest.raises(RunnerDied):
        runner.run(source="gs2('s').m({}) result = {}", methods=METHODS, call=kill)
    assert runner.run(source="result = {}").succeeded


def test_a_runner_killed_while_lua_runs_is_told_at_once(runner):
    runner.run(source="result = {}")
    pid = _pid(runner)
    began = time.monotonic()

    def tick():
        if time.monotonic() - began > 0.2:
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(RunnerDied):
        runner.run(source="while true do end", tick=tick)
    assert time.monotonic() - began < 2


def test_a_runner_killed_while_idle_is_replaced_unnoticed(runner):
    runner.run(source="result = {}")
    pid = _pid(runner)
    os.kill(pid, signal.SIGKILL)
    assert _gone(pid)
    assert runner.run(source="result = {}").succeeded


def test_a_stopped_runner_is_killed_at_the_wall_limit(runner):
    runner.run(source="result = {}", limits=SMALL)
    os.kill(_pid(runner), signal.SIGSTOP)
    began = time.monotonic()
    outcome = runner.run(source="result = {}", limits=SMALL)
    assert outcome.status_code == 504 and error_of(outcome)["code"] == "script.execution.timeout"
    assert time.monotonic() - began < SMALL.wall_s * 2
    assert runner.run(source="result = {}").succeeded


def test_a_stopped_runner_that_does_not_even_read_is_killed_at_the_wall_limit(runner):
    runner.run(source="result = {}", limits=SMALL)
    os.kill(_pid(runner), signal.SIGSTOP)
    began = time.monotonic()
    outcome = runner.run(source="--" + "x" * 5_000_000, limits=SMALL)
    assert outcome.status_code == 504 and time.monotonic() - began < SMALL.wall_s * 2


def test_a_call_that_tick_forbids_is_not_made(runner):
    class NotOurs(Exception):
        pass

    def tick():
        raise NotOurs

    made = []
    with pytest.raises(NotOurs):
        runner.run(source="gs2('x').y({})", tick=tick, methods={"x": ("y",)}, call=lambda *_: made.append(1) or (200, "{}"))
    assert made == []


def test_tick_is_called_while_a_script_runs_and_may_abort_it(runner):
    class LeaseLost(BaseException):
        pass

    times = []

    def tick():
        times.append(time.monotonic())
        if len(times) == 3:
            raise LeaseLost

    runner.run(source="result = {}")
    pid, began = _pid(runner), time.monotonic()
    with pytest.raises(LeaseLost):
        runner.run(source="while true do end", tick=tick)
    assert max(later - sooner for sooner, later in zip([began, *times], times, strict=False)) < 0.5
    assert _gone(pid)
    assert runner.run(source="result = {}").succeeded


def test_an_exception_in_a_call_ends_the_script_and_comes_through(runner):
    def broken(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        runner.run(source="gs2('s').m({})", methods=METHODS, call=broken)
    assert runner.run(source="result = {}").succeeded


def test_the_cpu_limit_is_below_the_wall_limit(runner):
    began = time.monotonic()
    outcome = runner.run(source="while true do end", limits=Limits(wall_s=20, cpu_s=0.3))
    assert "CPU" in error_of(outcome)["message"] and time.monotonic() - began < 10
    stuck = "string.find(('a'):rep(300), ('.-'):rep(20) .. 'b')"
    outcome = runner.run(source=stuck, limits=Limits(wall_s=20, cpu_s=0.3))
    assert "CPU" in error_of(outcome)["message"] and time.monotonic() - began < 15


def test_a_script_may_start_scripts_but_not_without_end(runner):
    def nested(_service, _method, params):
        inner = runner.run(source="r = gs2('s').m(args) fail(r.statusCode, r.message)", args=params, methods=METHODS, call=nested)
        return inner.status_code, json.dumps({"message": inner.result})

    outcome = runner.run(source="r = gs2('s').m({}) fail(r.statusCode, r.message)", methods=METHODS, call=nested)
    assert outcome.status_code == 400 and error_of(outcome)["code"] == "script.execution.nested"


def test_threads_share_the_runners_and_wait_for_one():
    runner = Runner(2, wait_s=20)
    results = []

    def work(number):
        for _ in range(10):
            text = f'{{"n":{number}}}'
            results.append(runner.run(source="result = { n = args.n }", args=text).result == text)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 60 and len(runner._all) <= 2
    runner.close()


def test_a_thread_that_finds_no_runner_in_time_is_told_so(runner):
    inside, leave = threading.Event(), threading.Event()

    def call(*_):
        inside.set()
        leave.wait(10)
        return 200, "{}"

    holder = threading.Thread(target=lambda: runner.run(source="gs2('s').m({})", methods=METHODS, call=call))
    holder.start()
    assert inside.wait(10)
    with pytest.raises(RunnersBusy):
        runner.run(source="result = {}")
    leave.set()
    holder.join()


def test_a_runner_lives_on_when_the_thread_that_started_it_ends(runner):
    thread = threading.Thread(target=lambda: runner.run(source="result = {}"))
    thread.start()
    thread.join()
    pid = _pid(runner)
    assert runner.run(source="result = {}").succeeded and _pid(runner) == pid


def test_a_forked_process_has_a_runner_of_its_own():
    from jobqueue.scripting import pool

    pool.runner().run(source="result = {}")
    mine = {process.process.pid for process in pool.runner()._all}
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            outcome = pool.runner().run(source="result = { a = 1 }")
            theirs = {process.process.pid for process in pool.runner()._all}
            os.write(write, b"good" if outcome.result == '{"a":1}' and not theirs & mine else b"bad")
        finally:
            os._exit(0)
    os.close(write)
    assert os.read(read, 10) == b"good"
    os.close(read)
    os.waitpid(child, 0)
    assert pool.runner().run(source="result = {}").succeeded
    assert {process.process.pid for process in pool.runner()._all} == mine
    pool.runner().close()


PARENT = """
import os, sys, threading
os.environ["DJANGO_SETTINGS_MODULE"] = "gs2admin.settings"
from jobqueue.scripting.pool import Runner
runner = Runner(1)
def work():
    runner.run(source="result = {}")
    [process] = runner._all
    print(process.process.pid, flush=True)
    runner.run(source=sys.argv[1], tick=lambda: None)
    sys.stdin.read()
if sys.argv[2] == "thread":
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
"""


@pytest.mark.processes
@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize("source", ["result = {}", "while true do end", "string.find(('a'):rep(300), ('.-'):rep(20) .. 'b')"])
def test_the_runner_dies_with_its_worker_whatever_it_is_doing(source, where):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, source, where], cwd=root,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert not _gone(pid, 0.2)
        parent.kill()
    assert _gone(pid, 2)


def test_a_worn_runner_is_replaced(runner, monkeypatch):
    from jobqueue.scripting import pool

    monkeypatch.setattr(pool, "SCRIPTS_PER_RUNNER", 3)
    runner.run(source="result = {}")
    first = _pid(runner)
    for _ in range(3):
        assert runner.run(source="result = {}").succeeded
    assert _pid(runner) != first


def test_many_different_sources_are_forgotten_in_step(runner, monkeypatch):
    from jobqueue.scripting import process

    monkeypatch.setattr(process, "SOURCES_BYTES", 2000)
    for _ in range(3):
        for number in range(12):
            assert runner.run(source=f"result = {{ n = {number} }}").result == f'{{"n":{number}}}'


def test_larger_memory_than_the_runner_was_made_for_gets_a_new_runner(runner):
    source = "local s = ('x'):rep(30 * 1024 * 1024) result = {}"
    assert error_of(runner.run(source=source, limits=Limits(memory_mb=16)))["code"] == "script.execution.memory"
    assert runner.run(source=source, limits=Limits(memory_mb=256)).succeeded
