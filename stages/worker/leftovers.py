"""Takes back what an ended rollout has left: runs the undo of the step that made it, under a lease of its own."""
from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.lease import LeaseLost, Renewer
from stages.core import journal, ledger
from stages.core.journal import Line
from stages.core.leftovers import made
from stages.core.wake import TAKE_BACK
from stages.models import Leftover, Rollout, Step
from stages.states import Leg
from stages.steps import KINDS
from stages.steps.base import NOTE, StepBroken, StepFailed
from stages.worker.context import FLUSH_S, Facts, patiently

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 3
BATCH = 100


def free() -> QuerySet[Leftover]:
    """What somebody asked to take back and no worker is at."""
    return Leftover.objects.filter(Q(lease_until=None) | Q(lease_until__lt=Now()), asked_at__isnull=False)


@engine.sweeper(due=lambda: free().order_by().values(at=Now())[:1])
def wake_lost_leftovers() -> int:
    """Wake a worker for what was asked for and has none."""
    found = list(free().values_list("pk", flat=True)[:BATCH])
    for pk in found:
        engine.wake(TAKE_BACK, pk)
    return len(found)


def take_back(step_id: int) -> None:
    """Take back what that step made, if somebody asked for it and no other worker does."""
    taken = free().filter(pk=step_id).update(attempt=F("attempt") + 1, lease_until=_lease_end())
    row = Leftover.objects.select_related("step__rollout__stage", "step__rollout__project").filter(pk=step_id).first()
    if not taken or row is None:
        return
    context = Context(row)
    try:
        problem = _run(row, context)
    except LeaseLost:
        log.warning("what was to be taken back was taken over by another worker", extra={"step_id": step_id})
        return
    patiently(lambda: _end(row, context, problem))


def _run(row: Leftover, context: Context) -> str:
    """Why it could not be taken back, a sentence; "" when it was."""
    step = row.step
    try:
        if step.kind not in KINDS:
            raise StepBroken(f"this server knows no step of kind {step.kind}.")
        kind = KINDS[step.kind]
        if row.attempt > 1 and (row.attempt > MOST_ATTEMPTS or not kind.repeatable(context.config, context.memo)):
            raise StepBroken("its worker was lost, and it may not be run again by itself. Look at the target.")
        context.emit(kind.run(context), NOTE)
    except (StepFailed, StepBroken) as problem:
        return str(problem)
    except Exception:
        log.exception("taking something back hit an internal fault", extra={"step_id": step.pk})
        return "gs2admin hit an internal fault; its log has the details."
    return ""


def _end(row: Leftover, context: Context, problem: str) -> None:
    rollout = row.step.rollout
    with transaction.atomic():
        ledger.lock(rollout.project_id)
        mine = Leftover.objects.filter(pk=row.pk, attempt=row.attempt, asked_at__isnull=False)
        if problem:
            context.emit(f"It is still there: {made(row.step)}. {problem}", NOTE)
            done = mine.update(problem=problem, asked_at=None, lease_until=None)
        else:
            context.emit(f"Taken back: {made(row.step)}.", NOTE)
            done = mine.delete()[0]
        if done:
            context.flush()
            Rollout.objects.filter(pk=rollout.pk).update(revision=F("revision") + 1)


class Context(Facts):
    """As worker.context.Context, for the undo of a step whose rollout has ended."""

    def __init__(self, row: Leftover) -> None:
        step, self._row = row.step, row
        undo = Step(
            rollout=step.rollout, position=step.position, microservice=step.microservice, old_version=step.new_version,
            new_version=step.old_version, target_name=step.target_name, phase=step.phase, kind=step.kind, config=step.config,
            memo={"done": step.memo}, leg=Leg.UNDO, undoes=step, attempt=row.attempt,
        )
        super().__init__(step.rollout, undo)
        self.key += "-back"
        self._lines: list[Line] = []
        self._flushed = time.monotonic()
        self._lease = Renewer(settings.LEASE_S / 4, lambda: patiently(self._renew))

    def emit(self, text: str, stream: str = "stdout") -> None:
        """Keep a line, to be written at the next tick."""
        self._lines.append(Line(text, self.microservice, self._row.step.position, stream))

    def tick(self) -> None:
        """Write the lines, renew the lease, tell that this worker is alive. Raises LeaseLost."""
        if time.monotonic() - self._flushed >= FLUSH_S:
            self._flushed = time.monotonic()
            patiently(self.flush)
            engine.beat()
        self._lease.tick()

    def remember(self, **memo: Any) -> None:
        """For this attempt alone: what it does is repeated as a whole."""
        self.memo |= memo

    def flush(self) -> None:
        """Write what was emitted to the rollout's output."""
        lines, self._lines = self._lines, []
        if lines:
            with transaction.atomic():
                journal.append(self._row.step.rollout_id, self._row.stage_id, lines)

    def _renew(self) -> None:
        if not Leftover.objects.filter(pk=self._row.pk, attempt=self._row.attempt).update(lease_until=_lease_end()):
            raise LeaseLost


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.LEASE_S)
