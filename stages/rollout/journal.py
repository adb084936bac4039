"""What a worker writes about a rollout, each write fenced by the attempt it claimed.

A worker that was frozen, lost its lease and comes back matches no row and gets LeaseLost: it can write nothing.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from gs2admin.transitions import apply
from stages.governance.gates import stopped_since_asked
from stages.models import Output, Rollout, RolloutTarget, Stage, Step
from stages.models_scenarios import Strategy
from stages.rollout.steps.base import LeaseLost
from stages.services import ledger
from stages.states import BY_ID, FINAL, WORKABLE, RolloutState, StepState

HELD = WORKABLE | {RolloutState.CANARY_ANALYZING}

MAX_TEXT = 1_048_576
# What a rollout has when no clock moves it.
NO_CLOCK: dict[str, Any] = {"wake_at": None, "weight_until": None, "hold_until": None}


@dataclass(frozen=True)
class Line:
    """One piece of output. stream: note (ours), stdout or stderr."""

    text: str
    microservice: str = ""
    step_position: int | None = None
    stream: str = "note"


@dataclass(frozen=True)
class Claim:
    """The right to write about one rollout, until somebody claims it again."""

    rollout_id: int
    project_id: int
    stage_id: int
    attempt: int

    @property
    def rows(self):
        """The rollout, if the claim still holds."""
        return Rollout.objects.filter(pk=self.rollout_id, attempt=self.attempt)


class MoveRefused(Exception):
    """The rollout is still ours, but somebody moved it meanwhile (a cancel): look at it again and decide anew."""


def _refuse(claim: Claim) -> None:
    state(claim)
    raise MoveRefused


def _lease():
    return Now() + timedelta(seconds=settings.LEASE_S)


def claim(rollout_id: int, worker: str) -> Claim | None:
    """Take a rollout that needs a worker and has none; None when it is held, ended or waits for a person.

    The attempt is counted here, before any work. The database's clock decides whether a lease ran out.
    """
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    due = Q(state__in=sorted(WORKABLE)) | Q(state=RolloutState.CANARY_ANALYZING, wake_at__lte=Now())
    with transaction.atomic():
        taken = (
            Rollout.objects.filter(free, due, pk=rollout_id, waiting=False)
            .update(attempt=F("attempt") + 1, lease_until=_lease(), leased_by=worker[:200], revision=F("revision") + 1)
        )
        if not taken:
            return None
        row = Rollout.objects.only("project_id", "stage_id", "attempt").get(pk=rollout_id)
        return Claim(rollout_id, row.project_id, row.stage_id, row.attempt)


def renew(claim: Claim) -> str:
    """Hold the rollout for another lease; returns its state, which a person may have changed to canceling."""
    if not claim.rows.filter(state__in=sorted(HELD)).update(lease_until=_lease()):
        raise LeaseLost
    return state(claim)


def state(claim: Claim) -> str:
    """The rollout's state now; LeaseLost when somebody else holds it."""
    found = claim.rows.values_list("state", flat=True).first()
    if found is None:
        raise LeaseLost
    return found


def release(claim: Claim) -> None:
    """Give an unfinished rollout back, so that another worker may take it at once."""
    claim.rows.exclude(state__in=sorted(FINAL)).update(lease_until=None, leased_by="", rung_at=None)


def write(claim: Claim, lines: Iterable[Line]) -> None:
    """Append output, numbered without gaps; one transaction."""
    with transaction.atomic():
        _append(claim, lines)


def start(claim: Claim, lines: Iterable[Line]) -> None:
    """queued -> running (Q1), with the lines that say what begins. The idle colour is about to change, if one is used.

    What needed approval ends here instead when its approvals carry it no more, and anything when the line was stopped since.
    """
    from stages.services.approvals import still_approved  # which write output through this file

    with transaction.atomic():
        ledger.lock(claim.project_id)
        if said := still_approved(claim.rollout_id) or stopped_since_asked(Rollout.objects.get(pk=claim.rollout_id)):
            _stop_before_start(claim, said)
            return
        if not apply(claim.rows, BY_ID["Q1"], started_at=Now()):
            _refuse(claim)
        _append(claim, lines)
        if Step.objects.filter(rollout_id=claim.rollout_id, phase="deploy").exists():
            Stage.objects.filter(pk__in=_coloured(claim).values("stage")).update(idle_set=None)


def _stop_before_start(claim: Claim, said: str) -> None:
    """queued -> canceled (Q2): it may not begin any more. The next look at the claim finds it ended."""
    if not apply(claim.rows, BY_ID["Q2"], ended_at=Now(), lease_until=None, steps_done=0, cause="system"):
        _refuse(claim)
    Step.objects.filter(rollout_id=claim.rollout_id).update(state=StepState.NO_PROGRESS)
    _append(claim, [Line(f"Canceled before it began. {said}")])
    Stage.objects.filter(pk=claim.stage_id).update(revision=F("revision") + 1, updated_at=Now())


def start_step(claim: Claim, step: Step, lines: Iterable[Line]) -> None:
    """Mark the step running before anything of it happens, so that a crash is seen. Refused while canceling.

    The row is written first, so that a cancel that was answered before this is seen, and one after it waits.
    """
    running = [RolloutState.RUNNING, RolloutState.ROLLING_BACK, RolloutState.CANARY_REJECTING]
    with transaction.atomic():
        if not claim.rows.filter(state__in=running).update(revision=F("revision") + 1):
            _refuse(claim)
        _append(claim, lines)
        Step.objects.filter(pk=step.pk).update(
            state=StepState.RUNNING, attempt=F("attempt") + 1, started_at=step.started_at or Now()
        )


def remember(claim: Claim, step: Step, memo: dict[str, Any]) -> None:
    """Keep what another attempt at the step needs to know."""
    with transaction.atomic():
        _hold(claim)
        Step.objects.filter(pk=step.pk).update(memo=memo)


def finish_step(claim: Claim, step: Step, to: StepState, summary: str, lines: Iterable[Line]) -> None:
    """Close a running step with its last lines; the progress of the rollout and the board move with it."""
    with transaction.atomic():
        ledger.lock(claim.project_id)
        _append(claim, lines)
        moved = Step.objects.filter(pk=step.pk, state=StepState.RUNNING).update(
            state=to, summary=summary[:4000], ended_at=Now()
        )
        if moved and to == StepState.SUCCEEDED:
            claim.rows.update(steps_done=F("steps_done") + 1)


def finish(claim: Claim, move_id: str, *, error: str, consistent: bool, lines: Iterable[Line]) -> None:
    """Make the final move. On success the stage's pins move with it, in the same transaction, all together."""
    move = BY_ID[move_id]
    with transaction.atomic():
        ledger.lock(claim.project_id)
        _append(claim, lines)
        Step.objects.filter(rollout_id=claim.rollout_id, state=StepState.RUNNING).update(
            state=StepState.CANCELED if move.target == RolloutState.CANCELED else StepState.FAILED, ended_at=Now()
        )
        Step.objects.filter(rollout_id=claim.rollout_id, state=StepState.PENDING).update(state=StepState.NO_PROGRESS)
        ended = {"ended_at": Now(), "lease_until": None, **NO_CLOCK}
        if not apply(claim.rows, move, error=error, consistent=consistent, **ended):
            _refuse(claim)
        if move_id in {"B1", "J1", "J2"}:
            RolloutTarget.objects.filter(rollout_id=claim.rollout_id, name__in=_undone(claim)).update(undone=True)
        changes: dict[str, Any] = {"revision": F("revision") + 1, "updated_at": Now()}
        if move.target == RolloutState.SUCCEEDED:
            changes["current_set"] = claim.rows.values("to_set")[:1]
            if _coloured(claim).exists():
                changes |= {"colour": claim.rows.values("colour")[:1], "idle_set": claim.rows.values("from_set")[:1]}
        Stage.objects.filter(pk=claim.stage_id).update(**changes)


def _coloured(claim: Claim):
    """The rollout, if it is blue/green; a mesh release of that type has no colours, only a weight."""
    return claim.rows.filter(strategy=Strategy.BLUE_GREEN).exclude(family="asm")


def _undone(claim: Claim):
    """The targets on which something was taken back."""
    return Step.objects.filter(rollout_id=claim.rollout_id, leg="undo").values("target_name")


def _hold(claim: Claim) -> None:
    """Lock the rollout's row and make sure that it is still ours."""
    if not claim.rows.update(revision=F("revision") + 1):
        raise LeaseLost


def _append(claim: Claim, lines: Iterable[Line]) -> None:
    if not append(claim.rollout_id, claim.stage_id, lines, attempt=claim.attempt):
        raise LeaseLost


def append(rollout_id: int, stage_id: int, lines: Iterable[Line], **fence: Any) -> bool:
    """Number and insert output within the caller's transaction; False when the fence no longer matches the rollout."""
    pieces = [piece for line in lines for piece in split(line)]
    rows = Rollout.objects.filter(pk=rollout_id, **fence)
    if not rows.update(last_seq=F("last_seq") + len(pieces), revision=F("revision") + 1):
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
    """One line as pieces that fit the contract's limit on an output's text: split, never cut."""
    if len(line.text) <= MAX_TEXT:
        return [line]
    return [
        Line(line.text[at : at + MAX_TEXT], line.microservice, line.step_position, line.stream)
        for at in range(0, len(line.text), MAX_TEXT)
    ]
