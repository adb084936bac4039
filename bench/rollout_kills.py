"""Which rollouts a killed process was working on, and how soon they move again."""
from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from django.db import Error, connection

from bench.killing import SUPERVISOR, Kill, Killer
from bench.server import Server
from gs2admin.processes import proc
from stages.models import Rollout
from stages.states import FINAL

LOOK_S = 0.05


@dataclass
class RolloutKill(Kill):
    """held: rollout -> (attempt, revision) of those that the victim, or the victim's cluster, was working on.

    by_victim: those that the victim itself held. moved_s: rollout -> seconds until it was seen to move again.
    """

    held: dict[int, tuple[int, int]] = field(default_factory=dict)
    by_victim: set[int] = field(default_factory=set)
    moved_s: dict[int, float] = field(default_factory=dict)


class RolloutKiller(Killer):
    """A Killer that watches the rollouts. `stop` ends the kills; the watching goes on until the end of the context."""

    kills: list[RolloutKill]

    def __init__(self, server: Server, **how: Any) -> None:
        super().__init__(server, **how)
        self._done = threading.Event()
        self._watching = threading.Thread(target=self._look_for_ever, daemon=True)

    def __enter__(self) -> RolloutKiller:
        self._watching.start()
        super().__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._done.set()
        self._watching.join(10)

    def aimed(self, part: str, victim: proc.Look, siblings: set[int]) -> RolloutKill:
        """Note who holds what."""
        rows = Rollout.objects.exclude(state__in=sorted(FINAL)).values_list("id", "attempt", "revision", "leased_by")
        kill = RolloutKill(part, victim.process.pid, 0.0)
        for pk, attempt, revision, leased_by in rows:
            holder = int(leased_by.rpartition(":")[2] or 0)
            if holder == victim.process.pid or holder in siblings or (part == SUPERVISOR and holder):
                kill.held[pk] = attempt, revision
            if holder == victim.process.pid:
                kill.by_victim.add(pk)
        kill.at = time.monotonic()
        return kill

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
