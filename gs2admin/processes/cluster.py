"""One `manage.py qcluster` as its supervisor sees it: started, looked at, signalled, killed with all it started."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress

from gs2admin.processes import proc
from gs2admin.processes.judge import Beats, Facts
from gs2admin.processes.lifeline import VARIABLE, Lifeline

MAIN, SENTINEL, PUSHER, MONITOR, BUSY, IDLE = "qc-main", "qc-sentinel", "qc-pusher", "qc-monitor", "qc-busy", "qc-idle"
ROLES = {SENTINEL: "sentinel", PUSHER: "pusher", MONITOR: "monitor", BUSY: "worker", IDLE: "worker"}


class Cluster:
    """A running cluster. Call `refresh` several times a second."""

    def __init__(self, *, manage_py: str, queue: str, workers: int, variables: dict[str, str]) -> None:
        self.id = uuid.uuid4()
        self.queue = queue
        self.workers = workers
        self.started = self.fair_since = time.monotonic()
        self.draining_since: float | None = None
        self.beats: Beats | None = None
        self.complete = False
        # Every part ever seen, with its role; the workers' own children; who has died.
        self.parts: dict[proc.Process, str] = {}
        self.offspring: dict[proc.Process, set[proc.Process]] = {}
        self.dead: set[proc.Process] = set()
        self._frozen_since: dict[proc.Process, float] = {}
        self._busy: frozenset[int] = frozenset()
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

    def refresh(self) -> list[proc.Process]:
        """Look at all parts. Returns the workers that have died since the last look."""
        now = time.monotonic()
        self.popen.poll()
        # After its sentinel's death a part is our own child, and is known already.
        found = proc.descendants(self.main.pid) if self.popen.returncode is None else []
        for seen in found:
            if seen.group == self.main.pid and seen.name in ROLES:
                self.parts.setdefault(seen.process, ROLES[seen.name])
        busy, died = set(), []
        for part, role in self.parts.items():
            seen = proc.look(part.pid)
            if seen is None or seen.process != part:
                if part not in self.dead:
                    self.dead.add(part)
                    died += [part] if role == "worker" else []
                continue
            if seen.state in proc.FROZEN:
                self._frozen_since.setdefault(part, now)
            else:
                self._frozen_since.pop(part, None)
            if role == "worker":
                busy |= {part.pid} if seen.name == BUSY else set()
                # What a finished command left running on purpose is no longer below the worker, and not ours to kill.
                self.offspring[part] = {below.process for below in proc.descendants(part.pid)}
        self._busy = frozenset(busy)
        roles = [role for part, role in self.parts.items() if part not in self.dead]
        self.complete = self.complete or (
            roles.count("worker") >= self.workers and {"sentinel", "monitor", "pusher"} <= set(roles)
        )
        return died

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

    def drain(self) -> None:
        """Take no new work; busy workers hand over. Nobody is signalled."""
        if self.draining_since is None:
            self.draining_since = time.monotonic()
            self.lifeline.drain()

    def stop(self) -> None:
        """Drain and end by itself. Only the main process is signalled: a signal to the group makes it hang."""
        self.drain()
        proc.kill(self.main, signal.SIGTERM)

    def bury_offspring(self, worker: proc.Process) -> None:
        """Kill what a dead worker had started: its row goes on elsewhere, and nothing may act for it twice."""
        for process in self.offspring.pop(worker, ()):
            for below in proc.descendants(process.pid):
                proc.kill(below.process)
            proc.kill(process)

    def left(self) -> list[proc.Process]:
        """What is still running of it, workers' children included."""
        known = {self.main, *self.parts, *(child for family in self.offspring.values() for child in family)}
        known |= {seen.process for seen in proc.descendants(self.main.pid)} if self.popen.returncode is None else set()
        for pid in proc.children(os.getpid()):
            seen = proc.look(pid)
            if seen and seen.group == self.main.pid:
                known.add(seen.process)
        for process in list(known):
            known |= {seen.process for seen in proc.descendants(process.pid)} if proc.alive(process) else set()
        return [process for process in known if proc.alive(process)]

    def kill(self, patience_s: float = 2.0) -> bool:
        """Kill all of it. False when something is left after patience_s (stuck in the kernel)."""
        deadline = time.monotonic() + patience_s
        while left := self.left():
            # Parents first, so that nothing is started again.
            for process in sorted(left, key=lambda process: process.started):
                proc.kill(process)
            self.popen.poll()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            self.popen.wait(0.1)
        self.lifeline.cut()
        return True
