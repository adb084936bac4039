"""What a step knows and what it can do: its facts, and a buffer between it and the worker's loop, which does the writing."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from gs2admin.lease import LeaseLost, Renewer
from stages.core import journal
from stages.core.journal import Claim, Line
from stages.models import Rollout, Step
from stages.states import Leg, Phase

# How long the loop waits for news, for how long output is buffered, and the pause between two looks at the state. s.
TURN_S = 0.05
FLUSH_S = 0.1
LOOK_S = 0.5
# A buffer with this much is full: the step waits until it is written, so that memory stays bounded.
FULL_CHARS = 64 * 1024
FULL_LINES = 2_000
OTHER = {"blue": "green", "green": "blue"}


class Facts:
    """The facts that steps.base.StepContext promises to a step."""

    def __init__(self, rollout: Rollout, step: Step) -> None:
        self.project, self.stage = rollout.project.name, rollout.stage.name
        self.rollout_number, self.attempt = rollout.number, step.attempt
        self.microservice, self.target, self.phase = step.microservice, step.target_name, step.phase
        self.old_version, self.new_version = step.old_version, step.new_version
        self.key = f"{self.project}/{rollout.number}/{step.position}"
        self.config, self.memo = dict(step.config), dict(step.memo)
        self.undo = step.leg == Leg.UNDO
        self.leg = step.undoes.leg if self.undo and step.undoes_id else step.leg
        self.weight = rollout.gray_weight
        # An undone switch goes to the colour that players had before.
        back = self.undo and self.phase == Phase.SWITCH
        self.colour = OTHER.get(rollout.colour, "") if back else rollout.colour


class Context(Facts):
    """The context of one step. Its methods buffer; only the worker's loop, in its own thread, talks to the database.

    serve: lets the loop write what is buffered. Where the step runs in the loop's thread, that is a turn of the loop, and
    every tick makes one; else (threaded) it wakes the loop, which runs beside the step.
    stop: set by the loop, the exception that the step's next tick raises.
    """

    def __init__(self, rollout: Rollout, step: Step, serve: Callable[[], None], *, threaded: bool) -> None:
        super().__init__(rollout, step)
        self._step, self._serve, self._threaded = step, serve, threaded
        self._lock, self._served = threading.Lock(), threading.Event()
        self._lines: list[Line] = []
        self._chars = 0
        self._wanted: dict[str, Any] | None = None
        self.stop: type[BaseException] | None = None

    @property
    def full(self) -> bool:
        """Whether the buffer has to be written before the step goes on."""
        return self._chars >= FULL_CHARS or len(self._lines) >= FULL_LINES

    def emit(self, text: str, stream: str = "stdout") -> None:
        """Buffer a line of output; returns when the buffer has room again, or the step is to stop."""
        with self._lock:
            self._lines.append(Line(text, self._step.microservice, self._step.position, stream))
            self._chars += len(text)
            first = len(self._lines) == 1
        if first and self._threaded:
            self._serve()
        while self.full and self.stop is None:
            self._wait()

    def tick(self) -> None:
        """Raises StepCanceled or LeaseLost when the step is to stop."""
        if not self._threaded:
            self._serve()
        if self.stop is not None:
            raise self.stop

    def remember(self, **memo: Any) -> None:
        """Add to the memo; returns when it is stored. Raises LeaseLost."""
        self._wanted = {**self.memo, **memo}
        while self._wanted is not None:
            if self.stop is LeaseLost:
                raise LeaseLost
            self._wait()
        self.memo |= memo

    def _wait(self) -> None:
        self._served.clear()
        self._serve()
        self._served.wait(TURN_S)

    # For the loop alone.

    def take(self) -> list[Line]:
        """Empty the buffer; returns its lines, to be written."""
        with self._lock:
            lines, self._lines, self._chars = self._lines, [], 0
        self._served.set()
        return lines

    def write_memo(self, claim: Claim) -> None:
        """Store what the step wants to remember, if anything. Raises LeaseLost."""
        wanted = self._wanted
        if wanted is not None:
            patiently(lambda: journal.remember(claim, self._step, wanted))
            self._step.memo, self._wanted = wanted, None
            self._served.set()


class Watch:
    """Renews the lease of a claim in time, and reads the rollout's state every LOOK_S."""

    def __init__(self, claim: Claim) -> None:
        self._claim, self._looked = claim, time.monotonic()
        self._lease = Renewer(settings.LEASE_S / 4, lambda: patiently(lambda: journal.renew(claim)))

    def look(self) -> str | None:
        """The rollout's state; None when it was read less than LOOK_S ago. Raises LeaseLost."""
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return None
        self._looked = now
        return self._lease.tick() or patiently(lambda: journal.state(self._claim))


def patiently(act: Callable[[], Any]) -> Any:
    """Do a write again while the database is away, as long as the lease may still hold; returns what `act` returns.

    The writes are fenced or conditional. One whose answer was lost may have happened: a piece of output can then be there
    twice; a move of the state is refused the second time, and the next claim reads the state again.
    Raises OperationalError or InterfaceError when three quarters of the lease are over, and within a transaction at once.
    """
    deadline = time.monotonic() + settings.LEASE_S * 0.75
    pause = 0.05
    while True:
        try:
            return act()
        except (OperationalError, InterfaceError):
            if connection.in_atomic_block or time.monotonic() + pause > deadline:
                raise
            connection.close()
            time.sleep(pause)
            pause = min(pause * 2, 1.0)
