"""Runs a few programs in the foreground as one: forks each into its own session, starts it again when it ends, ends all.

Ending signals main processes only (SIGTERM), waits, and then kills. A process manager that signals groups
(honcho, foreman) would end the commands of running steps, and those steps would fail.
"""
from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable

from gs2admin.processes import forks, proc
from gs2admin.processes.backoff import Backoff
from gs2admin.processes.lifeline import VARIABLE, Lifeline
from gs2admin.processes.waiter import Waiter

log = logging.getLogger(__name__)
GRACE_S = 9.0
AT_ONCE_S = 1.5
# What the children of a program that was killed get to answer what they have begun; more than gunicorn's graceful_timeout.
LEFT_S = 8.0
# How often it is looked at whether such children are still there. s.
LEFT_LOOK_S = 1.0
# A process that ended after so many seconds did not end because it cannot start.
HEALTHY_S = 10.0


class Program:
    """One program: run() in a fork of this process. Its lifeline ends it when this process is killed.

    name: what its process calls itself. keep: the descriptors that it needs. variables: of its environment, besides ours.
    """

    def __init__(self, name: str, run: Callable[[], object], *, keep: tuple[int, ...] = (),
                 variables: dict[str, str] | None = None) -> None:  # fmt: skip
        self.name = name
        self.run = run
        self.keep = keep
        self.variables = variables or {}
        self.backoff = Backoff(HEALTHY_S)
        self.child: forks.Child | None = None
        self.lifeline: Lifeline | None = None
        self.started = self.start_at = self._look_at = 0.0
        # Groups of earlier runs whose children are still ending: group id, and when they are killed.
        self._left: dict[int, float] = {}
        self._frozen_since: dict[proc.Process, float] = {}

    def start(self) -> None:
        """Start it now."""
        self.lifeline = Lifeline()
        read = self.lifeline.read_fd
        variables = {**self.variables, VARIABLE: str(read)}
        self.child = forks.fork(self.run, name=self.name, keep=(*self.keep, read), variables=variables)
        self.lifeline.close_read()
        self.started = time.monotonic()

    def watch(self) -> None:
        """Start it again when it has ended, at once or after a while.

        Children that it left behind end by SIGTERM beside the new start, since a web process of a killed gunicorn may have taken
        a request that nobody else answers. They are killed after LEFT_S.
        """
        now = time.monotonic()
        self._end_left(now)
        if self.child is None:
            if now >= self.start_at:
                self.start()
        elif self.child.poll() is not None:
            wait = self.backoff.failed(now - self.started)
            log.error("%s ended; it is started again", self.name, extra={"code": self.child.returncode, "wait_s": wait})
            # Its clusters notice the cut.
            self.lifeline.cut()
            if _signalled(self.child.pid, signal.SIGTERM):
                self._left[self.child.pid] = now + LEFT_S
            self.child.close()
            self.child, self.start_at = None, now + wait
            if wait == 0.0:
                self.start()

    def next_look(self) -> float:
        """When `watch` and `end_frozen` have something to do, on the monotonic clock, if it does not end before."""
        times = [self._look_at if self.child else self.start_at]
        if self._left:
            times.append(min(time.monotonic() + LEFT_LOOK_S, *self._left.values()))
        return min(times)

    def end_frozen(self, late_s: float) -> None:
        """Kill it, or a child of it, when that was stopped (SIGSTOP) for late_s: it may hold a lock that others wait for.

        Looks once in an eighth of that time.
        """
        now = time.monotonic()
        if now < self._look_at or not self.running():
            return
        self._look_at = now + late_s / 8
        looks = [seen for pid in [self.child.pid, *proc.children(self.child.pid)] if (seen := proc.look(pid))]
        frozen = {seen.process: self._frozen_since.get(seen.process, now) for seen in looks if seen.state in proc.FROZEN}
        self._frozen_since = frozen
        for process in [process for process, since in frozen.items() if now - since > late_s]:
            log.error("a frozen process of %s is killed", self.name, extra={"pid": process.pid})
            proc.kill(process)

    def running(self) -> bool:
        """True until it has ended."""
        return self.child is not None and self.child.poll() is None

    def terminate(self) -> None:
        """Ask the main process, and nobody else, to end."""
        if self.running():
            self.child.signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill its group, and what earlier runs left; let go of the lifeline."""
        self._end_left(float("inf"))
        if self.child is None:
            return
        _signalled(self.child.pid, signal.SIGKILL)
        self.child.wait(2.0)
        self.child.close()
        self.lifeline.cut()

    def _end_left(self, now: float) -> None:
        """Forget groups in which nobody is left; kill those whose time is over at `now`."""
        for group, until in list(self._left.items()):
            if not _signalled(group, signal.SIGKILL if now >= until else 0) or now >= until:
                del self._left[group]


def _signalled(group: int, number: int) -> bool:
    """Signal all processes of the group. False when there are none."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


class Programs:
    """Runs all programs until `stop` is called. late_s: after so long a process of them that is stopped is killed.

    Use this process for nothing else: it forks, so it must have no other threads.
    """

    def __init__(self, programs: list[Program], *, late_s: float) -> None:
        self.programs = programs
        self.late_s = late_s
        self.waiter = Waiter()
        self._stopping = self._at_once = False

    def stop(self) -> None:
        """Begin to end; called by a signal. The second call ends at once."""
        self._at_once = self._stopping
        self._stopping = True
        self.waiter.wake()

    def run(self, also: Callable[[dict[int, int]], float | None] = lambda _: None) -> None:
        """Serve. Returns when all have ended.

        also: called at every look, with what `waiter` found ready; in how many seconds it wants the next look at the latest.
        """
        self.waiter.heed_signals()
        ready: dict[int, int] = {}
        try:
            while not self._stopping:
                for program in self.programs:
                    program.watch()
                    program.end_frozen(self.late_s)
                wanted = also(ready)
                if self._stopping:
                    break
                ready = self._wait(min([program.next_look() for program in self.programs]), wanted)
        finally:
            self._end()

    def _wait(self, until: float, wanted: float | None) -> dict[int, int]:
        fds = [program.child.fd for program in self.programs if program.child]
        for fd in fds:
            self.waiter.watch(fd)
        left = max(0.0, until - time.monotonic())
        ready = self.waiter.wait(left if wanted is None else min(left, wanted))
        for fd in fds:
            self.waiter.forget(fd)
        return ready

    def _end(self) -> None:
        self._ask_all()
        deadline = time.monotonic() + GRACE_S
        asked_again = False
        while any(program.running() for program in self.programs) and time.monotonic() < deadline:
            if self._at_once and not asked_again:
                asked_again = True
                self._ask_all()
                deadline = min(deadline, time.monotonic() + AT_ONCE_S)
            self.waiter.wait(0.05)
        for program in self.programs:
            program.kill()
        self.waiter.close()

    def _ask_all(self) -> None:
        for program in self.programs:
            program.terminate()
