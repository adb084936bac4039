"""The writes of a worker about a rollout, fenced by the attempt that the worker claimed.

Each write first updates the rollout's row where it still has that attempt. A worker that lost its lease and comes back
matches no row, gets LeaseLost and has written nothing. Writes by people and by the clock use `append` and `end_canary`
under the project's lock.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.identity.actors import SYSTEM
from gs2admin.text import shortened
from gs2admin.transitions import apply
from stages.core import ledger, leftovers
from stages.core.failure import INTERRUPTED
from stages.models import Output, Rollout, RolloutCanary, RolloutTarget, Stage, Step
from stages.states import BY_ID, FINAL, STEP_IN, UNDO_IN, WORKABLE, Leg, Protocol, RolloutState, StepState, Strategy
from stages.steps.base import LeaseLost

# The states in which a worker may have a lease.
LEASED = WORKABLE | {RolloutState.CANARY_ANALYZING}
# The contract's limit on the text of one output. characters.
MAX_TEXT = 1_048_576


@dataclass(frozen=True)
class Line:
    """One piece of output. stream: "note" (gs2admin's own), "stdout" or "stderr"; step_position None: of no step."""

    text: str
    microservice: str = ""
    step_position: int | None = None
    stream: str = "note"


@dataclass(frozen=True)
class Claim:
    """The right to write about one rollout. It ends when another worker claims the rollout, which raises the attempt."""

    rollout_id: int
    project_id: int
    stage_id: int
    attempt: int

    @property
    def rows(self) -> QuerySet[Rollout]:
        """The rollout's row as a queryset: one row while this claim is the newest, none afterwards."""
        return Rollout.objects.filter(pk=self.rollout_id, attempt=self.attempt)


class MoveRefused(Exception):
    """The claim still holds, but the rollout has another state now, such as canceling. Read it again and decide again."""


def raise_moved(claim: Claim) -> NoReturn:
    """For a move that changed no row. Raises MoveRefused where the claim still holds, else LeaseLost."""
    state(claim)
    raise MoveRefused


def _lease_end() -> CombinedExpression:
    return Now() + timedelta(seconds=settings.LEASE_S)


def claim(rollout_id: int, worker: str) -> Claim | None:
    """Take a rollout that needs a worker and has none; None when it is leased, has ended or waits for a person.

    worker: the label of this process (engine.worker_label). The attempt is counted here, before any work. The database's
    clock decides whether a lease has run out.
    """
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    # A subquery and no join: with a join the UPDATE would name rows that were free when it began, and two could claim one.
    look = Exists(RolloutCanary.objects.filter(rollout=OuterRef("pk"), wake_at__lte=Now()))
    due = Q(state__in=sorted(WORKABLE)) | (Q(state=RolloutState.CANARY_ANALYZING) & look)
    with transaction.atomic():
        taken = (
            Rollout.objects.filter(free, due, pk=rollout_id, waiting=False)
            .update(attempt=F("attempt") + 1, lease_until=_lease_end(), leased_by=worker, revision=F("revision") + 1)
        )
        if not taken:
            return None
        row = Rollout.objects.only("project_id", "stage_id", "attempt").get(pk=rollout_id)
        return Claim(rollout_id, row.project_id, row.stage_id, row.attempt)


def renew(claim: Claim) -> str:
    """Extend the lease; returns the rollout's state, which a person may have changed to canceling. Raises LeaseLost."""
    if not claim.rows.filter(state__in=sorted(LEASED)).update(lease_until=_lease_end()):
        raise LeaseLost
    return state(claim)


def state(claim: Claim) -> str:
    """The rollout's state now. Raises LeaseLost when another worker has claimed it."""
    found = claim.rows.values_list("state", flat=True).first()
    if found is None:
        raise LeaseLost
    return found


def release(claim: Claim) -> None:
    """Give up the lease of a rollout that has not ended, so that another worker may claim it at once."""
    claim.rows.exclude(state__in=sorted(FINAL)).update(lease_until=None, leased_by="", woken_at=None)


def write(claim: Claim, lines: Iterable[Line]) -> None:
    """Append output in a transaction of its own. Raises LeaseLost.

    The rollout's revision stays: only last_seq tells, so that nothing but the lines is rendered anew for those who watch.
    """
    with transaction.atomic():
        append_claimed(claim, lines, revised=0)


def start_step(claim: Claim, step: Step, lines: Iterable[Line]) -> None:
    """Mark the step running before it does anything, so that a crash in the middle is seen.

    The rollout's row is written first, so that a cancel is either seen here or waits until this has ended.
    Raises MoveRefused when steps may not run any more (a cancel), LeaseLost.
    """
    running = UNDO_IN if step.leg == Leg.UNDO else STEP_IN
    with transaction.atomic():
        if not claim.rows.filter(state__in=sorted(running)).update(revision=F("revision") + 1):
            raise_moved(claim)
        append_claimed(claim, lines)
        Step.objects.filter(pk=step.pk).update(
            state=StepState.RUNNING, attempt=F("attempt") + 1, started_at=step.started_at or Now()
        )
        leftovers.begun(step, claim.stage_id)


def remember(claim: Claim, step: Step, memo: dict[str, Any]) -> None:
    """Store what another attempt at the step needs to know. Raises LeaseLost."""
    with transaction.atomic():
        _lock_rollout(claim)
        Step.objects.filter(pk=step.pk).update(memo=memo)


def finish_step(claim: Claim, step: Step, to: StepState, summary: str, lines: Iterable[Line]) -> None:
    """Write the end of a running step and its last lines; the rollout's count of steps done changes with it.

    to: a final state. Raises LeaseLost.
    """
    with transaction.atomic():
        ledger.lock(claim.project_id)
        append_claimed(claim, lines)
        moved = Step.objects.filter(pk=step.pk, state=StepState.RUNNING).update(
            state=to, summary=summary, ended_at=Now()
        )
        if moved:
            leftovers.ended(step, to, claim.stage_id)
        if moved and to == StepState.SUCCEEDED:
            claim.rows.update(steps_done=F("steps_done") + 1)


def note_fault(claim: Claim, step: Step, why: str, lines: Iterable[Line]) -> None:
    """Write why a running step has no end of its own; `finish` ends it together with the rollout. Raises LeaseLost."""
    with transaction.atomic():
        append_claimed(claim, lines)
        Step.objects.filter(pk=step.pk, state=StepState.RUNNING).update(summary=why)


def finish(claim: Claim, move_id: str, *, error: str, consistent: bool, lines: Iterable[Line]) -> None:
    """Make the move that ends the rollout. On success the stage's pins move in the same transaction.

    move_id: of the table of moves (states.MOVES). error: what the page shows as the reason, "" for none. consistent:
    whether all targets run what is pinned now. Raises MoveRefused, LeaseLost.
    """
    move = BY_ID[move_id]
    with transaction.atomic():
        ledger.lock(claim.project_id)
        append_claimed(claim, lines)
        # A step that still runs here and does not say why lost its worker.
        running = Step.objects.filter(rollout_id=claim.rollout_id, state=StepState.RUNNING)
        running.filter(summary="").update(summary=INTERRUPTED)
        running.update(
            state=StepState.CANCELED if move.target == RolloutState.CANCELED else StepState.FAILED, ended_at=Now()
        )
        Step.objects.filter(rollout_id=claim.rollout_id, state=StepState.PENDING).update(state=StepState.NO_PROGRESS)
        if not apply(claim.rows, move, error=error, consistent=consistent, ended_at=Now(), lease_until=None):
            raise_moved(claim)
        end_canary(claim.rollout_id)
        if move.target in {RolloutState.FAILED, RolloutState.ERRORED}:
            row = claim.rows.select_related("stage").get()
            record(actor=SYSTEM, action="rollout.fail", obj=row, before={"stage": row.stage.name}, after={"state": row.state},
                   reason=shortened(row.error, 1000))
        if move_id in {"B1", "B2", "J1", "J2", "J3", "X1", "X2"}:
            RolloutTarget.objects.filter(rollout_id=claim.rollout_id, name__in=_undone_targets(claim)).update(undone=True)
        changes: dict[str, Any] = {"revision": F("revision") + 1, "updated_at": Now()}
        if move.target == RolloutState.SUCCEEDED:
            leftovers.succeeded(claim.stage_id)
            changes["current_set"] = claim.rows.values("to_set")[:1]
            if blue_green(claim).exists():
                changes |= {"colour": claim.rows.values("colour")[:1], "idle_set": claim.rows.values("from_set")[:1]}
        Stage.objects.filter(pk=claim.stage_id).update(**changes)


def end_canary(rollout_id: int, **changes: Any) -> None:
    """Stop the clocks of the rollout's canary, if it has one, within the caller's transaction, which wrote the rollout first.

    changes: further columns of RolloutCanary.
    """
    stopped = {"wake_at": None, "weight_until": None, "hold_until": None}
    RolloutCanary.objects.filter(pk=rollout_id).update(**stopped, **changes)


def blue_green(claim: Claim) -> QuerySet[Rollout]:
    """The rollout's row if its stage has colours: blue/green, but no mesh release, which has only a weight. Else no row."""
    return claim.rows.filter(strategy=Strategy.BLUE_GREEN).exclude(protocol=Protocol.ASM)


def _undone_targets(claim: Claim) -> QuerySet[Step]:
    """The names of the targets on which all that was to be taken back was."""
    undo = Step.objects.filter(rollout_id=claim.rollout_id, leg=Leg.UNDO)
    left = undo.exclude(state=StepState.SUCCEEDED).values("target_name")
    return undo.exclude(target_name__in=left).values("target_name")


def _lock_rollout(claim: Claim) -> None:
    """Lock the rollout's row until the end of the transaction. Raises LeaseLost."""
    if not claim.rows.update(revision=F("revision") + 1):
        raise LeaseLost


def append_claimed(claim: Claim, lines: Iterable[Line], *, revised: int = 1) -> None:
    """Append output within the caller's transaction. Raises LeaseLost."""
    if not append(claim.rollout_id, claim.stage_id, lines, revised=revised, attempt=claim.attempt):
        raise LeaseLost


def append(rollout_id: int, stage_id: int, lines: Iterable[Line], *, revised: int = 1, **fence: Any) -> bool:
    """Append output, numbered without gaps, within the caller's transaction.

    revised: by how much the rollout's revision rises; 0 when nothing but its output changes. fence: conditions on the rollout's
    row. False, and nothing written, when the row does not meet them.
    """
    pieces = [piece for line in lines for piece in split(line)]
    rows = Rollout.objects.filter(pk=rollout_id, **fence)
    if not rows.update(last_seq=F("last_seq") + len(pieces), revision=F("revision") + revised):
        return False
    last = Rollout.objects.values_list("last_seq", flat=True).get(pk=rollout_id)
    first = last - len(pieces) + 1
    Output.objects.bulk_create(
        Output(
            rollout_id=rollout_id,
            stage_id=stage_id,
            seq=first + index,
            text=piece.text,
            microservice=piece.microservice,
            step_position=piece.step_position,
            stream=piece.stream,
        )
        for index, piece in enumerate(pieces)
    )
    return True


def split(line: Line) -> list[Line]:
    """The line as pieces of at most MAX_TEXT characters; nothing of it is lost."""
    if len(line.text) <= MAX_TEXT:
        return [line]
    return [
        Line(line.text[at : at + MAX_TEXT], line.microservice, line.step_position, line.stream)
        for at in range(0, len(line.text), MAX_TEXT)
    ]
