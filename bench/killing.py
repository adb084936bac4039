"""Kills, and freezes, processes of a running server, as often and as meanly as asked."""
from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from django.db import connection

from bench.server import Server
from gs2admin.processes import proc

SUPERVISOR = "supervisor"
# SIGSTOP instead of SIGKILL, and SIGCONT `freeze_s` later: a worker that comes back.
FROZEN = "qc-busy, frozen"
# How long a part is waited for that is not there just now. s.
PATIENCE_S = 10.0
# The supervisor's turn comes separately.
PARTS = ("qc-busy", "qc-idle", "qc-main", "qc-busy", "gs-chores", "qc-busy", "qc-pusher")


@dataclass
class Kill:
    """One signal. at: on the monotonic clock."""

    part: str
    pid: int
    at: float


class Killer:
    """Kills one random process every `every_s` seconds until stopped. Use as a context manager.

    parts: what a turn of kills consists of, shuffled anew each time. supervisor_at: the numbers of the kills that are
    the supervisor's.
    """

    def __init__(
        self, server: Server, *, every_s: float, seed: int, most: int = 1000, supervisor_at: tuple[int, ...] = (),
        parts: tuple[str, ...] = PARTS, freeze_s: float = 5.0,
    ) -> None:  # fmt: skip
        self.server, self.every_s, self.most, self.parts = server, every_s, most, parts
        self.supervisor_at, self.freeze_s = supervisor_at, freeze_s
        self.chance = random.Random(seed)
        self.kills: list[Kill] = []
        self.problem: BaseException | None = None
        self._bag: list[str] = []
        self._frozen: list[tuple[float, proc.Process]] = []
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._kill_for_ever, daemon=True)

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """No more kills; whoever is frozen goes on."""
        self.ended.set()
        self._thread.join(10)
        self._thaw(all_of_them=True)

    @property
    def finished(self) -> bool:
        """All the kills that were allowed are done."""
        return len(self.kills) >= self.most

    def aimed(self, part: str, victim: proc.Look, siblings: set[int]) -> Kill:
        """Called just before the signal; siblings: pids of the victim's process group. What it returns is kept."""
        return Kill(part, victim.process.pid, time.monotonic())

    def _kill_for_ever(self) -> None:
        try:
            while not self.finished:
                due = time.monotonic() + self.every_s * self.chance.uniform(0.7, 1.3)
                while (left := due - time.monotonic()) > 0:
                    self._thaw()
                    if self.ended.wait(min(left, 0.1)):
                        return
                self._kill_one()
        except BaseException as problem:  # noqa: BLE001  told by whoever waits for us
            self.problem = problem
        finally:
            connection.close()

    def _kill_one(self) -> None:
        part = SUPERVISOR if len(self.kills) in self.supervisor_at else self._next_part()
        victims = self._victims("qc-busy" if part == FROZEN else part)
        if not victims:
            # Not there for long: another one next time, and this one's turn comes later.
            if part != SUPERVISOR:
                self._bag.insert(0, part)
            return
        victim = self.chance.choice(victims)
        siblings = {look.process.pid for look in self.server.processes() if look.group == victim.group}
        kill = self.aimed(part, victim, siblings)
        with suppress(ProcessLookupError):
            os.kill(victim.process.pid, signal.SIGSTOP if part == FROZEN else signal.SIGKILL)
        if part == FROZEN:
            self._frozen.append((time.monotonic() + self.freeze_s, victim.process))
        self.kills.append(kill)

    def _victims(self, name: str) -> list[proc.Look]:
        """The processes of that name; waits for them, since a part that is just being replaced is to have its turn too."""
        deadline = time.monotonic() + PATIENCE_S
        while not (found := self.server.named(name)) and time.monotonic() < deadline:
            self._thaw()
            if self.ended.wait(0.02):
                break
        return found

    def _next_part(self) -> str:
        if len(set(self._bag)) < 2:
            turn = list(self.parts)
            self.chance.shuffle(turn)
            self._bag = turn + self._bag  # a part that is never there holds nobody up
        return self._bag.pop()

    def _thaw(self, *, all_of_them: bool = False) -> None:
        for one in list(self._frozen):
            until, process = one
            if all_of_them or time.monotonic() > until:
                self._frozen.remove(one)
                if proc.alive(process):
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGCONT)
