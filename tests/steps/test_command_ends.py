"""However a step ends, nothing that its command has started is left: real processes, real kills."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.steps import KINDS, LeaseLost, StepBroken, StepCanceled, StepFailed, launcher, process
from tests.conditions import until

from .helpers import open_fds, running

pytestmark = pytest.mark.processes
run = KINDS["command"].run

# Starts a child that stays, and a grandchild that has left by double fork and two sessions; both ignore SIGTERM.
STUBBORN = """
    import os, signal, sys
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    def say(*words):
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())
    def stay():
        while True:
            signal.pause()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            say("daemon", os.getpid())
            stay()
        os._exit(0)
    if os.fork() == 0:
        say("child", os.getpid())
        stay()
    say("main", os.getpid())
    stay()
"""
PARTS = ("main", "child", "daemon")


@pytest.fixture
def stubborn(allow_python, command):
    """A context whose command ends only by SIGKILL; ``.parts()`` are its three pids once all are there."""
    allow_python("deploy", STUBBORN)

    def make(**given):
        ctx = command("deploy", **given)
        ctx.parts = lambda: [pid for part in PARTS if (pid := ctx.word_after(part))]
        return ctx

    return make


def raise_once_complete(ctx, error):
    """Make ``tick`` raise as soon as all parts run."""

    def on_tick():
        if len(ctx.parts()) == 3:
            raise error

    ctx.on_tick = on_tick


def test_cancel_ends_everything_after_the_grace_time(stubborn):
    ctx, before = stubborn(), open_fds()
    raise_once_complete(ctx, StepCanceled("by ada"))
    with pytest.raises(StepCanceled, match="by ada"):
        run(ctx)
    assert time.monotonic() - ctx.ticks[-1] >= process.GRACE_S
    assert time.monotonic() - ctx.ticks[-1] < process.GRACE_S + 2
    assert len(ctx.parts()) == 3 and not any(running(pid) for pid in ctx.parts())
    assert open_fds() == before


def test_cancel_lets_a_command_clean_up_and_shows_its_last_words(allow, command):
    allow("deploy", "trap 'echo cleaned up; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    ctx = command("deploy")

    def on_tick():
        if "ready" in ctx.texts():
            raise StepCanceled

    ctx.on_tick = on_tick
    with pytest.raises(StepCanceled):
        run(ctx)
    assert ctx.texts("stdout") == ["ready", "cleaned up"]
    assert time.monotonic() - ctx.ticks[-1] < process.GRACE_S


def test_cancel_is_still_a_cancel_when_its_output_can_not_be_stored(allow, command):
    allow("deploy", "trap 'echo cleaned up; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    ctx = command("deploy")

    def on_tick():
        if "ready" in ctx.texts():
            ctx.on_emit = lambda _: (_ for _ in ()).throw(RuntimeError("the database is away"))
            raise StepCanceled

    ctx.on_tick = on_tick
    with pytest.raises(StepCanceled):
        run(ctx)


def test_time_up_ends_everything_and_is_said_with_the_seconds(stubborn):
    ctx = stubborn(timeout_s=1)
    with pytest.raises(StepFailed) as caught:
        run(ctx)
    assert str(caught.value) == "The command deploy did not end within 1 s and was stopped."
    assert "The 1 s of this command are over: it is stopped." in ctx.texts("note")
    assert len(ctx.parts()) == 3 and not any(running(pid) for pid in ctx.parts())
    assert ctx.longest_silence() < 2  # the lease was renewed all the time


def test_ending_well_on_the_stop_is_still_time_up(allow, command):
    allow("deploy", "trap 'exit 0' TERM; while :; do sleep 0.05; done")
    with pytest.raises(StepFailed, match="did not end within 1 s"):
        run(command("deploy", timeout_s=1))


def test_a_lost_lease_kills_at_once(stubborn):
    ctx = stubborn()
    raise_once_complete(ctx, LeaseLost())
    with pytest.raises(LeaseLost):
        run(ctx)
    assert time.monotonic() - ctx.ticks[-1] < 2 < process.GRACE_S
    assert not any(running(pid) for pid in ctx.parts())


@pytest.mark.parametrize("error", [RuntimeError("the database is away"), KeyboardInterrupt(), SystemExit(1)])
def test_any_other_exception_kills_at_once_and_stays_what_it_is(stubborn, error):
    ctx = stubborn()
    raise_once_complete(ctx, error)
    with pytest.raises(type(error)):
        run(ctx)
    assert not any(running(pid) for pid in ctx.parts())


def test_stubborn_processes_left_behind_are_ended_too(allow_python, command):
    allow_python("deploy", STUBBORN.replace('say("main", os.getpid())\n    stay()', "signal.sigtimedwait([], 0.3)"))
    ctx = command("deploy")
    assert "ended well" in run(ctx)
    for part in ("child", "daemon"):
        assert not running(ctx.word_after(part))
    assert "left processes behind" in ctx.texts("note")[-1]


def test_a_launcher_that_is_killed_leaves_nothing_either(stubborn):
    ctx, before = stubborn(), open_fds()

    def on_tick():
        if len(ctx.parts()) == 3 and running(ctx.parts()[0]):
            parent = launcher.processes()[int(ctx.parts()[0])][0]
            os.kill(parent, signal.SIGKILL)

    ctx.on_tick = on_tick
    with pytest.raises(StepBroken, match="its launcher was killed"):
        run(ctx)
    assert not any(running(pid) for pid in ctx.parts())
    assert open_fds() == before


def test_a_new_process_that_got_an_old_pid_is_not_killed():
    innocent = subprocess.Popen(["sleep", "60"])
    try:
        launcher.send(innocent.pid, "12345", (signal.SIGKILL,))
        assert running(innocent.pid)
        launcher.send(innocent.pid, launcher.started_at(innocent.pid), (signal.SIGKILL,))
        assert innocent.wait(5) == -signal.SIGKILL
    finally:
        innocent.kill()
        innocent.wait()


@pytest.fixture
def worker(tmp_path, allow_python):
    """worker(script, lease_s=…) runs the step in a process of its own; ``.lines`` is what it has printed so far."""
    with contextlib.ExitStack() as cleanup:

        def start(script=STUBBORN, lease_s=20, timeout_s=60):
            path = allow_python("deploy", script)
            printed = tmp_path / "printed"
            root = Path(__file__).parents[2]
            with printed.open("w") as out:
                main = subprocess.Popen(
                    [sys.executable, "-m", "tests.steps.worker_program", str(path), str(lease_s), str(timeout_s)],
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    cwd=root,
                )
            cleanup.callback(main.wait)
            cleanup.callback(main.kill)
            main.lines = lambda: dict(line.split(" ", 1) for line in printed.read_text().splitlines() if " " in line)
            main.parts = lambda: [pid for part in PARTS if (pid := main.lines().get(part))]
            until(lambda: len(main.parts()) == 3, 20, "the start of all parts")
            main.worker_pid = int(main.lines()["worker"])
            cleanup.callback(lambda: main.worker_pid and kill_quietly(main.worker_pid))
            return main

        yield start


def kill_quietly(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_kill_9_of_the_worker_ends_everything_before_another_may_run_it_again(worker):
    main = worker()
    assert all(running(pid) for pid in main.parts())
    os.kill(main.worker_pid, signal.SIGKILL)
    until(lambda: not any(running(pid) for pid in main.parts()), 3, "the end of all parts")


def test_a_frozen_worker_s_command_ends_before_its_lease(worker):
    main = worker(lease_s=4)
    os.kill(main.worker_pid, signal.SIGSTOP)
    frozen = time.monotonic()
    try:
        until(lambda: not any(running(pid) for pid in main.parts()), 8, "the end of all parts")
        assert time.monotonic() - frozen < 4
    finally:
        os.kill(main.worker_pid, signal.SIGCONT)
    result = until(lambda: main.lines().get("result"), 10)
    assert result == "StepBroken This worker stood still for too long, so the command deploy was ended for safety."


def test_a_worker_that_is_awake_keeps_its_command_beyond_the_lease(worker):
    main = worker(lease_s=4, timeout_s=5)
    result = until(lambda: main.lines().get("result"), 15)
    assert result == "StepFailed The command deploy did not end within 5 s and was stopped."
