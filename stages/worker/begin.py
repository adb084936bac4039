"""The beginning of a rollout: the last check of approvals and stops, and the move from queued to running."""
from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin.transitions import apply
from stages.approval.reads import lost_approval
from stages.core import journal, ledger
from stages.gates.reads import stopped_since_request
from stages.models import Rollout, Stage, Step
from stages.states import BY_ID, Cause, Phase, StepState


def start(claim: journal.Claim, lines: Iterable[journal.Line]) -> None:
    """Move queued -> running (Q1) and write the lines that say what begins.

    Where its approvals no longer suffice, or promotions were stopped since the request, it is canceled instead (Q2).
    A blue/green rollout that deploys clears Stage.idle_set, because the idle colour is about to change.
    Raises MoveRefused, LeaseLost.
    """
    with transaction.atomic():
        ledger.lock(claim.project_id)
        if reason := lost_approval(claim.rollout_id) or stopped_since_request(Rollout.objects.get(pk=claim.rollout_id)):
            _cancel(claim, reason)
            return
        if not apply(claim.rows, BY_ID["Q1"], started_at=Now()):
            journal.raise_moved(claim)
        journal.append_claimed(claim, lines)
        if Step.objects.filter(rollout_id=claim.rollout_id, phase=Phase.DEPLOY).exists():
            Stage.objects.filter(pk__in=journal.blue_green(claim).values("stage")).update(idle_set=None)


def _cancel(claim: journal.Claim, reason: str) -> None:
    """Move queued -> canceled (Q2). The worker notices at its next look, because the claim cannot be renewed."""
    if not apply(claim.rows, BY_ID["Q2"], ended_at=Now(), lease_until=None, steps_done=0, cause=Cause.SYSTEM):
        journal.raise_moved(claim)
    Step.objects.filter(rollout_id=claim.rollout_id).update(state=StepState.NO_PROGRESS)
    journal.append_claimed(claim, [journal.Line(f"Canceled before it began. {reason}")])
    Stage.objects.filter(pk=claim.stage_id).update(revision=F("revision") + 1, updated_at=Now())
