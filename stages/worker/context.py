"""What a step may know and do: its facts, and how it speaks to the worker that runs it."""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from gs2admin import engine
from gs2admin.lease import LeaseLost, Renewer
from stages.core import journal
from stages.core.journal import Claim, Line
from stages.models import Rollout, Step
from stages.states import RolloutState
from stages.steps.base import StepCanceled

FLUSH_S = 0.1
FLUSH_CHARS = 64 * 1024
LOOK_S = 0.5
OTHER = {"blue": "green", "green": "blue"}


class Facts:
    """What steps.base.StepContext promises to know; how it speaks is the subclass's matter."""

    def __init__(self, rollout: Rollout, step: Step) -> None:
        self.project, self.stage = rollout.project.name, rollout.stage.name
        self.rollout_number, self.attempt = rollout.number, step.attempt
        self.microservice, self.target, self.phase = step.microservice, step.target_name, step.phase
        self.old_version, self.new_version = step.old_version, step.new_version
        self.key = f"{self.project}/{rollout.number}/{step.position}"
        self.config, self.memo = dict(step.config), dict(step.memo)
        self.undo = step.leg == "undo"
        self.leg = step.undoes.leg if self.undo and step.undoes_id else step.leg
        self.weight = rollout.gray_weight
        # An undone switch goes to the colour that players had before.
        back = self.undo and self.phase == "switch"
        self.colour = OTHER.get(rollout.colour, "") if back else rollout.colour


class Context(Facts):
    """For a step that runs in the worker's own thread: each word goes to the journal, fenced by the claim."""

    def __init__(self, claim: Claim, rollout: Rollout, step: Step) -> None:
        super().__init__(rollout, step)
        self._claim, self._step = claim, step
        self._lines: list[Line] = []
        self._chars = 0
        self._flushed = self._looked = time.monotonic()
        self._lease = Renewer(settings.LEASE_S / 4, lambda: patiently(lambda: journal.renew(claim)))

    def emit(self, text: str, stream: str = "stdout") -> None:
        """Buffer a line of output; a large buffer is written at once."""
        self._lines.append(Line(text, self._step.microservice, self._step.position, stream))
        self._chars += len(text)
        if self._chars >= FLUSH_CHARS:
            self.flush()

    def flush(self) -> None:
        """Write the buffer; kept when the database is away, until the lease is."""
        if self._lines:
            lines, self._lines, self._chars = self._lines, [], 0
            patiently(lambda: journal.write(self._claim, lines))
        self._flushed = time.monotonic()

    def tick(self) -> None:
        """Flush, renew the lease, see a cancel. Raises StepCanceled or LeaseLost."""
        now = time.monotonic()
        if self._lines and now - self._flushed >= FLUSH_S:
            self.flush()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        state = self._lease.tick() or patiently(lambda: journal.state(self._claim))
        engine.beat()
        if state == RolloutState.CANCELING:
            raise StepCanceled
        if state not in RUN_IN:
            raise LeaseLost

    def remember(self, **memo: Any) -> None:
        """Keep something for another attempt, at once."""
        self.memo |= memo
        self._step.memo = dict(self.memo)
        patiently(lambda: journal.remember(self._claim, self._step, self.memo))


# The states in which steps run.
RUN_IN = frozenset({RolloutState.RUNNING, RolloutState.ROLLING_BACK, RolloutState.CANARY_REJECTING})


def patiently(act: Callable[[], Any]) -> Any:
    """Do a write again while the database is away, as long as the lease could still be ours.

    The writes are fenced or conditional. One whose answer was lost may have happened: an output piece could then be
    there twice, a state move is refused the second time and looked at anew by the next claim.
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
