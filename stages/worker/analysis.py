"""The worker's part of an automatic canary: one report per interval, then the move that the score makes."""
from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from gs2admin.lease import Renewer
from stages.canary import moves as passages
from stages.canary.clocks import ends_at, last_call, verdict
from stages.core import journal, ledger
from stages.core.clock import clock_of
from stages.core.journal import Claim, MoveRefused
from stages.core.scenarios import CanaryPlan, way_of
from stages.models import CanaryReport, Rollout
from stages.states import BY_ID, RolloutState
from stages.worker import metrics
from stages.worker.context import LOOK_S, patiently

# Missing data is asked for again after so long, at most an interval.
AGAIN_S = 10


def judge(claim: Claim, rollout: Rollout) -> str:
    """Make every report that is due, and move when the verdict is there; otherwise let go until the next one.

    Returns a sentence when the metrics cannot be read (then the rollout errs: N4). Raises MoveRefused when somebody
    canceled meanwhile, LeaseLost when another worker has taken over.
    """
    plan, began = way_of(rollout.scenario_copy).canary, rollout.analysis_began_at
    watch = _Watch(claim)
    while True:
        reports = dict(CanaryReport.objects.filter(rollout=rollout).order_by("number").values_list("number", "score"))
        scores = list(reports.values())
        end = verdict(plan, scores)
        if end is not None:
            told = f"The canary's score is {end.score:g}, {plan.pass_score} is needed"
            if end.passed:
                _move(claim, rollout, "N1", f"{told}: everybody gets the new versions.", cause="score")
            else:
                _move(claim, rollout, "N2", f"{told}: it is withdrawn.", cause="score")
            return ""
        # The first one that is missing: a number that is there is not written again.
        number = next(number for number in range(1, len(reports) + 2) if number not in reports)
        first = ends_at(plan, began, number - 1) if number > 1 else began + timedelta(seconds=plan.delay_s)
        last, now = ends_at(plan, began, number), clock_of(rollout)
        if now < last:
            passages.sleep(claim, last)
            return ""
        try:
            found = metrics.measure(plan, first, last, watch.tick)
        except metrics.Unreachable as problem:
            return f"The metrics can not be read: {problem}."
        if found is None:
            if now >= last_call(plan, began):
                _move(claim, rollout, "N2", "The metrics were never complete: the canary is withdrawn.", cause="timeout")
            else:
                passages.sleep(claim, now + timedelta(seconds=min(AGAIN_S, plan.interval_s)))
            return ""
        _report(claim, plan, number, found, first, last)


def _report(claim: Claim, plan: CanaryPlan, number: int, found: dict, first, last) -> None:
    bad = ", ".join(each["name"] for each in found["metrics"] if not each["passed"])
    values = {
        "began_at": first, "ended_at": last, "passed": found["passed"], "score": found["score"],
        "pass_score": plan.pass_score, "step_s": plan.step_s, "metrics": found["metrics"],
    }
    line = f"Report {number} of {plan.reports}: score {found['score']:g}" + (f"; not good: {bad}." if bad else ".")
    patiently(lambda: passages.report(claim, number, values, line))


def _move(claim: Claim, rollout: Rollout, move_id: str, line: str, *, cause: str) -> None:
    with transaction.atomic():
        ledger.lock(claim.project_id)
        if not passages.move_on(claim.rows, rollout, BY_ID[move_id], line=line, cause=cause):
            raise MoveRefused


class _Watch:
    """Holds the rollout while the metrics are asked, and sees a cancel."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._looked = time.monotonic()
        self._lease = Renewer(settings.LEASE_S / 4, lambda: patiently(lambda: journal.renew(claim)))

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        state = self._lease.tick() or patiently(lambda: journal.state(self._claim))
        if state != RolloutState.CANARY_ANALYZING:
            raise MoveRefused
