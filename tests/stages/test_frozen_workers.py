"""A rollout's worker that is stopped before the commit of any of its writes: who claims the rollout waits, or it writes nothing."""
from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from bench.frozen import tables
from gs2admin.db.fences import FencedCommits
from gs2admin.identity.actors import SYSTEM
from stages.canary import moves
from stages.core import journal
from stages.core.journal import Line, MoveRefused
from stages.models import Rollout, RolloutCanary
from stages.rollouts.services import promote_stage
from stages.states import Cause, StepState
from stages.steps.base import LeaseLost
from stages.worker import analysis, begin
from tests.stages.kinds import scenario

pytestmark = pytest.mark.django_db(transaction=True)
LATE = [Line("late")]
REPORT = {"began_at": timezone.now(), "ended_at": timezone.now(), "passed": True, "score": 100, "pass_score": 50, "step_s": 1,
          "metrics": []}


def step(claim):
    return Rollout.objects.get(pk=claim.rollout_id).steps.first()


# name -> (state of the rollout, what the worker writes)
WRITES = {
    "begin": ("queued", lambda claim: begin.start(claim, LATE)),
    "renew": ("running", journal.renew),
    "output": ("running", lambda claim: journal.write(claim, LATE)),
    "start_step": ("running", lambda claim: journal.start_step(claim, step(claim), LATE)),
    "remember": ("running", lambda claim: journal.remember(claim, step(claim), {"n": 1})),
    "finish_step": ("running", lambda claim: journal.finish_step(claim, step(claim), StepState.FAILED, "late", LATE)),
    "finish": ("running", lambda claim: journal.finish(claim, "R1", error="", consistent=True, lines=LATE)),
    "undo": ("running", lambda claim: moves.begin_undo(claim, sentence="late", error="late")),
    "canary_up": ("running", lambda claim: moves.canary_up(claim, "R7")),
    "report": ("canary_analyzing", lambda claim: moves.write_report(claim, 1, REPORT, "late")),
    "sleep": ("canary_analyzing", lambda claim: moves.sleep(claim, timezone.now() + timedelta(hours=1))),
    "accept": ("canary_analyzing", lambda claim: analysis._move(
        claim, Rollout.objects.get(pk=claim.rollout_id), "N1", "late", cause=Cause.SCORE)),
    "release": ("running", journal.release),
}
PLAN = {"weights": [{"percent": 10, "pause_s": None}], "analysis": "manual"}


@pytest.fixture(params=WRITES)
def written(request, stage):
    """(claim, write, rollout): a claim whose lease is over, and a write of its worker."""
    state, write = WRITES[request.param]
    scenario(stage, **({"strategy": "canary", "canary": PLAN} if request.param == "canary_up" else {}))
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    claim = journal.claim(rollout.pk, "worker")
    RolloutCanary.objects.get_or_create(pk=rollout.pk)
    RolloutCanary.objects.filter(pk=rollout.pk).update(analysis_began_at=Now(), wake_at=Now())
    Rollout.objects.filter(pk=rollout.pk).update(state=state, lease_until=Now() - timedelta(seconds=1))
    if request.param == "finish_step":
        rollout.steps.update(state=StepState.RUNNING)
    return claim, write, rollout


def test_a_claim_that_is_no_longer_the_newest_writes_nothing(written):
    claim, write, rollout = written
    Rollout.objects.filter(pk=rollout.pk).update(attempt=2)
    before = tables.rows()
    try:
        write(claim)
    except (LeaseLost, MoveRefused):
        pass
    assert tables.changed(before, tables.rows()) == []


def test_who_claims_it_waits_for_a_commit_that_is_under_way(written, monkeypatch):
    claim, write, rollout = written
    at_commit, go, problems, seen = threading.Event(), threading.Event(), [], []
    commit = FencedCommits.commit

    def slow(self) -> None:
        if threading.current_thread() is worker:
            at_commit.set()
            go.wait(60)
        commit(self)

    def run(act) -> threading.Thread:
        def body() -> None:
            try:
                act()
            except BaseException as problem:  # noqa: BLE001  looked at below
                problems.append(problem)
            finally:
                connection.close()

        return threading.Thread(target=body, daemon=True)

    def take() -> None:
        with transaction.atomic():
            journal.claim(rollout.pk, "other")
            seen.append(tables.rows())

    def work() -> None:
        # What is one statement has no commit to be stopped before; here it gets one.
        with transaction.atomic():
            write(claim)

    worker, taker = run(work), run(take)
    monkeypatch.setattr(FencedCommits, "commit", slow)
    worker.start()
    assert at_commit.wait(60), problems
    taker.start()
    taker.join(0.2)
    assert taker.is_alive(), "it does not wait"
    go.set()
    for thread in (worker, taker):
        thread.join(60)
    assert problems == [] and tables.changed(seen[0], tables.rows()) == []
