"""Kills processes of a running server, as often and as meanly as asked, and measures how soon the work goes on."""
from __future__ import annotations

import os
import random
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from django.db import Error, connection

from bench.server import Server
from stages.models import Rollout
from stages.states import FINAL

LOOK_S = 0.05
SUPERVISOR = "supervisor"
# The supervisor's turn comes separately.
PARTS = ("qc-busy", "qc-idle", "qc-main", "qc-busy", "qc-sentinel", "qc-monitor", "qc-busy", "qc-pusher")


@dataclass
class Kill:
    """One SIGKILL. held: rollout -> (attempt, revision) of those that its victim, or the victim's cluster, was working on.

    by_victim: those that the victim itself held. moved_s: rollout -> seconds until it was seen to move again.
    """

    part: str
    pid: int
    at: float
    held: dict[int, tuple[int, int]] = field(default_factory=dict)
    by_victim: set[int] = field(default_factory=set)
    moved_s: dict[int, float] = field(default_factory=dict)


class Killer:
    """Kills one random process every `every_s` seconds until stopped. Use as a context manager."""

    def __init__(
        self, server: Server, *, every_s: float, seed: int, most: int = 1000, supervisor_at: tuple[int, ...] = ()
    ) -> None:
        self.server, self.every_s, self.most = server, every_s, most
        self.supervisor_at = supervisor_at
        self.chance = random.Random(seed)
        self.kills: list[Kill] = []
        self.problem: BaseException | None = None
        self._bag: list[str] = []
        self._ended, self._done = threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._kill_for_ever, self._look_for_ever)]

    def __enter__(self) -> Killer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._done.set()
        for thread in self._threads:
            thread.join(10)

    def stop(self) -> None:
        """No more kills; the watching goes on."""
        self._ended.set()
        self._threads[0].join(10)

    @property
    def finished(self) -> bool:
        """All the kills that were allowed are done."""
        return len(self.kills) >= self.most

    def _kill_for_ever(self) -> None:
        try:
            while not self._ended.wait(self.every_s * self.chance.uniform(0.7, 1.3)) and not self.finished:
                self._kill_one()
        except BaseException as problem:  # noqa: BLE001  told by whoever waits for us
            self.problem = problem
        finally:
            connection.close()

    def _kill_one(self) -> None:
        if len(self.kills) in self.supervisor_at:
            part = SUPERVISOR
        else:
            if not self._bag:
                self._bag = list(PARTS)
                self.chance.shuffle(self._bag)
            part = self._bag.pop()
        victims = self.server.named(part)
        if not victims:
            return  # just being replaced; another one next time
        victim = self.chance.choice(victims)
        rows = Rollout.objects.exclude(state__in=sorted(FINAL)).values_list("id", "attempt", "revision", "leased_by")
        rows = list(rows)
        siblings = {look.process.pid for look in self.server.processes() if look.group == victim.group}
        kill = Kill(part, victim.process.pid, time.monotonic())
        with suppress(ProcessLookupError):
            os.kill(victim.process.pid, signal.SIGKILL)
        for pk, attempt, revision, leased_by in rows:
            holder = int(leased_by.rpartition(":")[2] or 0)
            if holder == victim.process.pid or holder in siblings or (part == SUPERVISOR and holder):
                kill.held[pk] = attempt, revision
            if holder == victim.process.pid:
                kill.by_victim.add(pk)
        self.kills.append(kill)

    def _look_for_ever(self) -> None:
        try:
            while not self._done.wait(LOOK_S):
                with suppress(Error):
                    self._look()
        finally:
            connection.close()

    def _look(self) -> None:
        open_kills = [kill for kill in self.kills if len(kill.moved_s) < len(kill.held)]
        if not open_kills:
            return
        wanted = {pk for kill in open_kills for pk in kill.held}
        now = {row[0]: row[1:] for row in Rollout.objects.filter(pk__in=wanted).values_list("id", "attempt", "revision", "state")}
        at = time.monotonic()
        for kill in open_kills:
            for pk, (attempt, revision) in kill.held.items():
                if pk in kill.moved_s or pk not in now:
                    continue
                now_attempt, now_revision, state = now[pk]
                # A victim's last write may still be on its way; the innocent ones have moved with their next line.
                moved = now_attempt > attempt or (pk not in kill.by_victim and now_revision > revision)
                if moved or state in FINAL:
                    kill.moved_s[pk] = at - kill.at
