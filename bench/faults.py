"""50 rollouts of 8 services x 3 phases while random processes of the worker are killed: nothing is lost, stuck or done twice."""
from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field

from django.db import connection

from bench.effects import Verdict, judge
from bench.killing import SUPERVISOR
from bench.report import SPREAD, spread, table
from bench.rollout_kills import RolloutKill, RolloutKiller
from bench.server import Server
from bench.world import World, register, stage, world
from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout, Stage
from stages.rollouts.services import promote_stage
from stages.states import FINAL, RolloutState
from tests.conditions import TooSlow, until

SETTLE_S = 60.0


@dataclass(frozen=True)
class Plan:
    """How much of it. Half of the stages have steps that may be repeated. Kills go on until every rollout was started,
    or until there were `kills` of them."""

    rollouts: int = 50
    stages: int = 10
    services: int = 8
    every_s: float = 3.0
    kills: int = 1000
    supervisor_at: tuple[int, ...] = (6, 15)
    seed: int = 2
    start_within_s: float = 900.0


@dataclass
class Outcome:
    """What happened. settled_s: from the last kill to the end of the last rollout; None when it did not come."""

    plan: Plan
    kills: list[RolloutKill] = field(default_factory=list)
    verdict: Verdict = field(default_factory=lambda: Verdict([]))
    states: Counter = field(default_factory=Counter)
    settled_s: float | None = None
    took_s: float = 0.0
    left: int = 0
    resumed: int = 0

    @property
    def violations(self) -> list[str]:
        """Sentences; none when all is well."""
        return self.verdict.violations


class Promoter:
    """Promotes each stage again as soon as it is free, with a new version of every service."""

    def __init__(self, here: World, plan: Plan) -> None:
        self.here, self.plan = here, plan
        self.services = [f"service-{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"[: plan.services]]
        self.rows = [
            stage(here.project, f"stage-{number}", command="recording", repeatable=number % 2 == 0, sort_number=number)
            for number in range(plan.stages)
        ]
        self.started: list[int] = []
        self.per_stage = Counter()

    @property
    def repeatable(self) -> set[int]:
        """Ids of the stages whose steps may run twice."""
        return {row.pk for number, row in enumerate(self.rows) if number % 2 == 0}

    def step(self) -> bool:
        """Start what can be started now; True when all were started."""
        busy = set(Rollout.objects.live().values_list("stage_id", flat=True))
        for row in sorted(self.rows, key=lambda row: self.per_stage[row.pk]):
            if len(self.started) >= self.plan.rollouts:
                return True
            most = -(-self.plan.rollouts // len(self.rows))
            if row.pk in busy or self.per_stage[row.pk] >= most:
                continue
            register(self.here.project, self.services, f"1.{len(self.started) + 1}")
            try:
                rollout = promote_stage(actor=SYSTEM, stage=row, reason="bench")
            except Conflict:
                continue
            self.started.append(rollout.pk)
            self.per_stage[row.pk] += 1
        return len(self.started) >= self.plan.rollouts


def play(server: Server, here: World, plan: Plan) -> Outcome:
    """The whole scenario against a running server."""
    outcome, promoter, began = Outcome(plan), Promoter(here, plan), time.monotonic()
    with RolloutKiller(server, every_s=plan.every_s, seed=plan.seed, most=plan.kills, supervisor_at=plan.supervisor_at) as killer:
        try:
            until(promoter.step, plan.start_within_s, "the start of all rollouts")
            until(lambda: killer.finished or plan.kills >= 1000 or not open_rollouts(), 120, "the last kill")
            killer.stop()
            outcome.kills = killer.kills
            last = killer.kills[-1].at if killer.kills else time.monotonic()
            until(lambda: not open_rollouts(), 3 * SETTLE_S, "the end of all rollouts")
            outcome.settled_s = time.monotonic() - last
            # What was seen to move only by its end is noted by the next look.
            until(lambda: all(len(kill.moved_s) == len(kill.held) for kill in killer.kills), 5, "the last look")
        except TooSlow as slow:
            outcome.verdict.violations.append(str(slow))
        outcome.kills = killer.kills
        if killer.problem:
            raise killer.problem
    outcome.took_s = time.monotonic() - began
    rows = list(Rollout.objects.filter(pk__in=promoter.started).select_related("project", "stage").order_by("number"))
    before = outcome.verdict.violations
    outcome.verdict = judge(rows, server.directory, repeatable=promoter.repeatable)
    outcome.verdict.violations[:0] = before
    outcome.states = Counter(("repeatable" if row.stage_id in promoter.repeatable else "once only", row.state) for row in rows)
    outcome.resumed = sum(row.attempt > 1 and row.state == RolloutState.SUCCEEDED for row in rows)
    outcome.verdict.violations += _whole(promoter, rows, plan) + _late(outcome)
    return outcome


def open_rollouts() -> bool:
    """Whether anything is not over yet."""
    return Rollout.objects.exclude(state__in=sorted(FINAL)).exists()


def _late(outcome: Outcome) -> list[str]:
    if outcome.settled_s is not None and outcome.settled_s > SETTLE_S:
        return [f"the last rollout was over {outcome.settled_s:.0f} s after the last kill"]
    return []


def _whole(promoter: Promoter, rows: list[Rollout], plan: Plan) -> list[str]:
    """What must hold for all of them together."""
    bad = []
    if len(rows) != plan.rollouts:
        bad.append(f"{len(rows)} rollouts were started instead of {plan.rollouts}")
    for row in Stage.objects.filter(pk__in=[one.pk for one in promoter.rows]).with_last_rollout():
        last = Rollout.objects.filter(stage=row, state=RolloutState.SUCCEEDED).order_by("-id").first()
        if row.current_set_id != (last and last.to_set_id):
            bad.append(f"{row.name} pins set {row.current_set_id}, but its last success was {last}")
    promotes = Activity.objects.filter(project=promoter.here.project, action="stage.promote").count()
    if promotes != len(rows):
        bad.append(f"{promotes} lines in the activity log for {len(rows)} rollouts")
    # A repeatable rollout may only give up after its step lost its worker again and again.
    for row in rows:
        if row.stage_id in promoter.repeatable and row.state == RolloutState.ERRORED and "lost its worker" not in row.error:
            bad.append(f"rollout {row.number} could have gone on, but errored: {row.error}")
    return bad


def recoveries(kills: list[RolloutKill], *, victims: bool) -> list[float]:
    """Seconds from a kill until a rollout moved again: of those that the victim held, or of the others in its cluster."""
    return [seconds for kill in kills for pk, seconds in kill.moved_s.items() if (pk in kill.by_victim) == victims]


def main() -> bool:
    """Print the tables; True when nothing was wrong."""
    here, plan = world(), Plan()
    server = Server(dict(os.environ), WEB_WORKERS="1")
    with server:
        outcome = play(server, here, plan)
    outcome.left = len(server.left())
    if outcome.left:
        outcome.violations.append(f"{outcome.left} processes were left behind")
    show(outcome)
    return not outcome.violations


def show(outcome: Outcome) -> None:
    """The tables."""
    plan, verdict = outcome.plan, outcome.verdict
    table(
        f"{plan.rollouts} rollouts of {plan.services} services x 3 phases under kill -9, {connection.vendor}", ["what", ""],
        [["kills", len(outcome.kills)],
         *([f"  of {part}", count] for part, count in sorted(Counter(kill.part for kill in outcome.kills).items())),
         *([f"ended {state}, {kind}", count] for (kind, state), count in sorted(outcome.states.items())),
         ["succeeded after a change of worker", outcome.resumed],
         ["last kill to the last end, s", "never" if outcome.settled_s is None else f"{outcome.settled_s:.1f}"],
         ["step executions", verdict.executions],
         ["  interrupted by a kill", verdict.interrupted],
         ["  completed, not recorded, run again (repeatable)", verdict.completed_again],
         ["violations", len(verdict.violations)],
         ["processes left behind", outcome.left],
         ["whole duration, s", f"{outcome.took_s:.0f}"]],
    )
    parts = [kill for kill in outcome.kills if kill.part != SUPERVISOR]
    groups = {
        "held by the killed worker": recoveries(parts, victims=True),
        "in the cluster of another killed part": recoveries(parts, victims=False),
        "of a killed supervisor": recoveries([kill for kill in outcome.kills if kill.part == SUPERVISOR], victims=False),
    }
    table("kill to the rollout moving again, s", ["rollouts", "count", *SPREAD],
          ([name, len(values), *spread(values)] for name, values in groups.items() if values))
    for text in verdict.violations:
        print("WRONG:", text)
