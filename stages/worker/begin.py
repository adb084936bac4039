"""The beginning of a rollout: the last look at approvals and stops, and the move from queued to running."""
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
from stages.states import BY_ID, StepState


def start(claim: journal.Claim, lines: Iterable[journal.Line]) -> None:
    """queued -> running (Q1), with the lines that say what begins. The idle colour is about to change, if one is used.

    What needed approval ends here instead when its approvals carry it no more, and anything when the line was stopped since.
    """
    with transaction.atomic():
        ledger.lock(claim.project_id)
        if said := lost_approval(claim.rollout_id) or stopped_since_request(Rollout.objects.get(pk=claim.rollout_id)):
            _stop_before_start(claim, said)
            return
        if not apply(claim.rows, BY_ID["Q1"], started_at=Now()):
            journal.refuse(claim)
        journal.add(claim, lines)
        if Step.objects.filter(rollout_id=claim.rollout_id, phase="deploy").exists():
            Stage.objects.filter(pk__in=journal.coloured(claim).values("stage")).update(idle_set=None)


def _stop_before_start(claim: journal.Claim, said: str) -> None:
    """queued -> canceled (Q2): it may not begin any more. The next look at the claim finds it ended."""
    if not apply(claim.rows, BY_ID["Q2"], ended_at=Now(), lease_until=None, steps_done=0, cause="system"):
        journal.refuse(claim)
    Step.objects.filter(rollout_id=claim.rollout_id).update(state=StepState.NO_PROGRESS)
    journal.add(claim, [journal.Line(f"Canceled before it began. {said}")])
    Stage.objects.filter(pk=claim.stage_id).update(revision=F("revision") + 1, updated_at=Now())
