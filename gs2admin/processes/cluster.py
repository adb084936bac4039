"""One `manage.py qcluster` as its supervisor sees it: started, looked at, signalled, killed."""
from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress

from gs2admin.processes import proc
from gs2admin.processes.faults import Beats, Facts
from gs2admin.processes.lifeline import VARIABLE, Lifeline

log = logging.getLogger(__name__)
# What the processes of a cluster call themselves (gs2admin.engine.inside).
BUSY = "qc-busy"
ROLES = {"qc-sentinel": "sentinel", "qc-pusher": "pusher", "qc-monitor": "monitor", BUSY: "worker", "qc-idle": "worker"}


class Cluster:
    """A running cluster. Call `refresh` several times a second."""

    def __init__(self, *, manage_py: str, queue: str, workers: int, variables: dict[str, str]) -> None:
        self.id = uuid.uuid4()
        self.queue = queue
        self.workers = workers
        self.started = self.fair_since = time.monotonic()
        self.draining_since: float | None = None
        self.beats: Beats | None = None
        self.whole_at: float | None = None
        # Every part ever seen, with its role; who has died.
        self.parts: dict[proc.Process, str] = {}
        self.dead: set[proc.Process] = set()
        self._frozen_since: dict[proc.Process, float] = {}
        self._busy: frozenset[int] = frozenset()
        self._told_to_stop = False
        self.lifeline = Lifeline()
        self.popen = subprocess.Popen(
            [sys.executable, manage_py, "qcluster"],
            env={**os.environ, **variables, "GS2ADMIN_CLUSTER": self.id.hex, VARIABLE: str(self.lifeline.read_fd)},
            pass_fds=[self.lifeline.read_fd],
            stdin=subprocess.DEVNULL,
            # A session of its own: no signal of a terminal or of a group reaches it but through us.
            start_new_session=True,
        )
        self.lifeline.close_read()
        seen = proc.look(self.popen.pid)
        self.main = seen.process if seen else proc.Process(self.popen.pid, 0)

    @property
    def complete(self) -> bool:
        """All its parts have been seen at the same time."""
        return self.whole_at is not None

    def whole_for(self) -> float:
        """Seconds since it was whole for the first time; 0 when it never was."""
        return 0.0 if self.whole_at is None else time.monotonic() - self.whole_at

    def members(self) -> list[proc.Look]:
        """What runs in its group, wherever it hangs: an orphan of it is our own child. Without what its workers start."""
        roots = [self.main.pid, *proc.children(os.getpid())]
        found = [seen for root in roots if (seen := proc.look(root)) and seen.group == self.main.pid]
        for root in list(found):
            found += [seen for seen in proc.descendants(root.process.pid) if seen.group == self.main.pid]
        return found

    def refresh(self) -> list[proc.Process]:
        """Look at all parts. Returns the workers that have died since the last look."""
        now = time.monotonic()
        self.popen.poll()
        busy, running = set(), set()
        members = self.members()
        workers = {seen.process.pid for seen in members if ROLES.get(seen.name) == "worker"}
        for seen in members:
            # A command that a worker starts has the worker's name until it is executed; it is no part that may die.
            if seen.name not in ROLES or seen.parent in workers:
                continue
            part = seen.process
            running.add(part)
            # Always anew: a process has its parent's name for a moment after the fork.
            self.parts[part] = ROLES[seen.name]
            if seen.state in proc.FROZEN:
                self._frozen_since.setdefault(part, now)
            else:
                self._frozen_since.pop(part, None)
            if seen.name == BUSY:
                busy.add(part.pid)
        died = self.parts.keys() - running - self.dead
        self.dead |= died
        self._busy = frozenset(busy)
        roles = [self.parts[part] for part in running]
        if not self.complete and roles.count("worker") >= self.workers and {"sentinel", "monitor", "pusher"} <= set(roles):
            self.whole_at = self.fair_since = now
            log.info("cluster is whole", extra={"cluster": self.id.hex, "pid": self.main.pid,
                                                "after_s": round(now - self.started, 2)})
        return [part for part in died if self.parts[part] == "worker"]

    def facts(self) -> Facts:
        """What `refresh` saw last."""
        now = time.monotonic()
        return Facts(
            now=now, started=self.started, fair_since=self.fair_since, complete=self.complete, workers=self.workers,
            exit_code=self.popen.returncode,
            lost=tuple(f"{self.parts[part]} {part.pid}" for part in sorted(self.dead, key=lambda part: part.pid)),
            frozen={f"{self.parts[part]} {part.pid}": now - since for part, since in self._frozen_since.items()
                    if part not in self.dead},
            busy=self._busy, beats=self.beats,
        )

    def kill_part(self, name: str) -> None:
        """Kill one part, named as `facts` names it; `refresh` then finds it dead."""
        for part, role in self.parts.items():
            if f"{role} {part.pid}" == name and part not in self.dead:
                proc.kill(part)

    def drain(self) -> None:
        """Take no new work; busy workers hand over. Nobody is signalled."""
        if self.draining_since is None:
            self.draining_since = time.monotonic()
            self.lifeline.drain()

    def stop(self) -> None:
        """Drain, and let it end by itself, once it is whole: while it starts, django-q2 loses the signal. May be called
        again and again. Only the main process is signalled: a signal to the group makes it hang."""
        self.drain()
        if self.complete and not self._told_to_stop:
            self._told_to_stop = True
            proc.kill(self.main, signal.SIGTERM)

    def ended(self) -> bool:
        """True when nothing of it is left, or nothing but a start in which nobody works yet."""
        return (not self.complete and not self._busy) or not self.members()

    def kill(self, patience_s: float = 2.0) -> bool:
        """Kill all of it. False when something is left after patience_s (stuck in the kernel)."""
        deadline = time.monotonic() + patience_s
        while left := self.members():
            # Parents first, so that nothing is started again.
            for seen in left:
                proc.kill(seen.process)
            self.popen.poll()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(0.1)
        self.lifeline.cut()
        return True
