"""Runs a few programs in the foreground as one: starts each in its own session, starts it again when it ends, ends all.

Ending signals main processes only (SIGTERM), waits, and then kills. A process manager that signals groups
(honcho, foreman) makes django-q's main process hang.
"""
from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from gs2admin.processes import proc
from gs2admin.processes.backoff import Backoff
from gs2admin.processes.lifeline import VARIABLE, Lifeline

log = logging.getLogger(__name__)
TICK_S = 0.1
GRACE_S = 9.0
AT_ONCE_S = 1.5
# What the children of a program that was killed get to answer what they have begun; more than gunicorn's graceful_timeout.
LEFT_S = 8.0
# A process that ended after so many seconds did not end because it cannot start.
HEALTHY_S = 10.0
# How often it is looked at whether a process is stopped. s.
LOOK_S = 0.5


class Program:
    """One program. Its lifeline ends it when this process is killed."""

    def __init__(self, name: str, command: list[str], *, variables: dict[str, str], pass_fds: tuple[int, ...] = ()) -> None:
        self.name = name
        self.command = command
        self.variables = variables
        self.pass_fds = pass_fds
        self.backoff = Backoff(HEALTHY_S)
        self.popen: subprocess.Popen | None = None
        self.lifeline: Lifeline | None = None
        self.started = self.start_at = self._looked_at = 0.0
        # Groups of earlier runs whose children are still ending: group id, and when they are killed.
        self._left: dict[int, float] = {}
        self._frozen_since: dict[proc.Process, float] = {}

    def start(self) -> None:
        """Start it now."""
        self.lifeline = Lifeline()
        self.popen = subprocess.Popen(
            self.command,
            env={**os.environ, **self.variables, VARIABLE: str(self.lifeline.read_fd)},
            pass_fds=[*self.pass_fds, self.lifeline.read_fd],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.lifeline.close_read()
        self.started = time.monotonic()

    def watch(self) -> None:
        """Start it again when it has ended, at once or after a while.

        Children that it left behind end by SIGTERM beside the new start, since a web process of a killed gunicorn may have taken
        a request that nobody else answers. They are killed after LEFT_S.
        """
        now = time.monotonic()
        self._end_left(now)
        if self.popen is None:
            if now >= self.start_at:
                self.start()
        elif self.popen.poll() is not None:
            wait = self.backoff.failed(now - self.started)
            log.error("%s ended; it is started again", self.name, extra={"code": self.popen.returncode, "wait_s": wait})
            # Its clusters notice the cut.
            self.lifeline.cut()
            if _signalled(self.popen.pid, signal.SIGTERM):
                self._left[self.popen.pid] = now + LEFT_S
            self.popen, self.start_at = None, now + wait

    def end_frozen(self, late_s: float) -> None:
        """Kill it, or a child of it, when that was stopped (SIGSTOP) for late_s: it may hold a lock that others wait for."""
        now = time.monotonic()
        if not self.running() or now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        looks = [seen for pid in [self.popen.pid, *proc.children(self.popen.pid)] if (seen := proc.look(pid))]
        frozen = {seen.process: self._frozen_since.get(seen.process, now) for seen in looks if seen.state in proc.FROZEN}
        self._frozen_since = frozen
        for process in [process for process, since in frozen.items() if now - since > late_s]:
            log.error("a frozen process of %s is killed", self.name, extra={"pid": process.pid})
            proc.kill(process)

    def running(self) -> bool:
        """True until it has ended."""
        return self.popen is not None and self.popen.poll() is None

    def terminate(self) -> None:
        """Ask the main process, and nobody else, to end."""
        if self.running():
            self.popen.terminate()

    def kill(self) -> None:
        """Kill its group, and what earlier runs left; let go of the lifeline."""
        self._end_left(float("inf"))
        if self.popen is None:
            return
        _signalled(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
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
    """Runs all programs until `stop` is called. late_s: after so long a process of them that is stopped is killed."""

    def __init__(self, programs: list[Program], *, late_s: float) -> None:
        self.programs = programs
        self.late_s = late_s
        self._stopping = threading.Event()
        self._at_once = False

    def stop(self) -> None:
        """Begin to end; called by a signal. The second call ends at once."""
        self._at_once = self._stopping.is_set()
        self._stopping.set()

    def run(self, every_tick: Callable[[], None] = lambda: None) -> None:
        """Serve. Returns when all have ended. every_tick is called ten times a second."""
        try:
            while not self._stopping.is_set():
                for program in self.programs:
                    program.watch()
                    program.end_frozen(self.late_s)
                every_tick()
                self._stopping.wait(TICK_S)
        finally:
            self._end()

    def _end(self) -> None:
        self._ask_all()
        deadline = time.monotonic() + GRACE_S
        asked_again = False
        while any(program.running() for program in self.programs) and time.monotonic() < deadline:
            if self._at_once and not asked_again:
                asked_again = True
                self._ask_all()
                deadline = min(deadline, time.monotonic() + AT_ONCE_S)
            time.sleep(0.05)
        for program in self.programs:
            program.kill()

    def _ask_all(self) -> None:
        for program in self.programs:
            program.terminate()
