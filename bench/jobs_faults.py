"""4,000 jobs of 200 players, a fifth of which fail by their script, while worker processes are killed, frozen and come back.

Each attempt of a job leaves a mark: its script pushes a job into a namespace that nobody runs. Marks of a player stand in
the order in which they were made, so they show what was really executed, when and how often, whatever our rows say. A
second push, under a duplication avoider made of the job's number, is the effect that is to happen once, retries included.
On PostgreSQL Redis is the broker (BENCH_REDIS_BROKER_URL).
"""
from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
import redis
from django.db import connection
from django.db.models.functions import Now

from bench.job_verdict import Verdict, judge
from bench.killing import FROZEN, Kill, Killer
from bench.report import table
from bench.server import Server
from bench.world import World, world
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import Job, Queue
from jobqueue.services.namespaces import create_namespace, create_script_namespace
from jobqueue.services.scripts import create_script
from jobqueue.states import QUEUED
from tests.conditions import TooSlow, until

JOBS, MARKS, EFFECTS = "jobs", "marks", "effects"
REDIS_URL = os.environ.get("BENCH_REDIS_BROKER_URL", "redis://127.0.0.1:6379/12")
PARTS = (*("qc-busy",) * 6, FROZEN, "qc-idle", "qc-main", "gs-chores", "qc-pusher")
ENTRIES = 10
SCRIPT = """
local function push(namespace, avoider)
  local answer = gs2('job_queue').push_by_user_id({
    namespaceName = namespace, userId = userId, duplicationAvoider = avoider,
    jobs = {{ scriptId = 'mark', args = '{"job":' .. args.job .. '}' }},
  })
  if answer.isError then fail(answer.statusCode, 'not pushed') end
end
push('marks')
push('effects', 'effect of job ' .. args.job)
local began = os.clock()
while os.clock() - began < args.work do end
if args.fails == 'always' or (args.fails == 'sometimes' and math.random() < 0.5) then fail(503, 'by plan') end
result = { job = args.job }
"""


@dataclass(frozen=True)
class Plan:
    """How much of it. work_s: CPU seconds that a script burns. One job in ten fails always, one in ten every other time."""

    jobs: int = 4000
    players: int = 200
    work_s: float = 0.005
    every_s: float = 3.0
    kills: int = 1000
    least_kills: int = 0
    supervisor_at: tuple[int, ...] = (6, 15)
    seed: int = 3
    within_s: float = 1800.0
    freeze_s: float = 6.0
    parts: tuple[str, ...] = PARTS


@dataclass
class Outcome:
    """What happened. settled_s: from the last kill to the last job's end; None when it did not come."""

    plan: Plan
    kills: list[Kill] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    settled_s: float | None = None
    took_s: float = 0.0
    left: int = 0


def fails(number: int) -> str:
    """Which of the jobs fail by their script: a fifth."""
    return {3: "always", 7: "sometimes"}.get(number % 10, "")


class Producer(threading.Thread):
    """Pushes all jobs through the GS2 door, ten of a player at a time, the players in turn."""

    def __init__(self, server: Server, here: World, plan: Plan) -> None:
        super().__init__(daemon=True)
        self.server, self.plan = server, plan
        self.token = server.project_token(here.client_id, here.secret)
        self.headers = {"Authorization": f"Bearer {self.token}", "X-GS2-CLIENT-ID": here.client_id}
        self.problem: BaseException | None = None

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self.server.url, headers=self.headers, timeout=60) as http:
                self._push_all(http)
        except BaseException as problem:  # noqa: BLE001  told by whoever waits for us
            self.problem = problem

    def _push_all(self, http: httpx.Client) -> None:
        each = self.plan.jobs // self.plan.players
        for first in range(0, each, ENTRIES):
            for player in range(self.plan.players):
                numbers = [player * each + index for index in range(first, min(first + ENTRIES, each))]
                entries = [{"scriptId": "work", "args": self._entry_args(number)} for number in numbers]
                path = f"/job-queue/{JOBS}/user/player-{player}/job"
                http.post(path, json={"jobs": entries}).raise_for_status()

    def _entry_args(self, number: int) -> str:
        return json.dumps({"job": number, "fails": fails(number), "work": self.plan.work_s})


def prepare(here: World) -> None:
    """Namespaces and the script."""
    create_namespace(actor=SYSTEM, project=here.project, name=JOBS, enable_auto_run=True)
    for name in (MARKS, EFFECTS):
        create_namespace(actor=SYSTEM, project=here.project, name=name)
    scripts = create_script_namespace(actor=SYSTEM, project=here.project, name="default")
    create_script(actor=SYSTEM, namespace=scripts, name="work", source=SCRIPT)


def play(server: Server, here: World, plan: Plan) -> Outcome:
    """The whole scenario against a running server."""
    outcome, began = Outcome(plan), time.monotonic()
    producer = Producer(server, here, plan)
    killer = Killer(server, every_s=plan.every_s, seed=plan.seed, most=plan.kills, supervisor_at=plan.supervisor_at,
                    parts=plan.parts, freeze_s=plan.freeze_s)
    slow = []
    with killer:
        try:
            producer.start()
            until(lambda: not producer.is_alive(), plan.within_s, "the push of all jobs")
            # Kills go on to the end: only what is open when nearly all is done would else be left in peace.
            until(lambda: open_jobs() <= plan.jobs // 50 and len(killer.kills) >= plan.least_kills, plan.within_s,
                  "most of the jobs")
            killer.stop()
            last = killer.kills[-1].at if killer.kills else time.monotonic()
            until(lambda: not open_jobs(), 180, "the end of all jobs")
            outcome.settled_s = time.monotonic() - last
            # A late ring may have made somebody look who was killed at that; nothing waits for such a lease.
            until(lambda: not Queue.objects.filter(lease_until__gt=Now()).exists(), 10, "the end of the last lease")
        except TooSlow as problem:
            slow.append(str(problem))
    for problem in (producer.problem, killer.problem):
        if problem:
            raise problem
    outcome.kills, outcome.took_s = killer.kills, time.monotonic() - began
    outcome.verdict = judge(plan.jobs, jobs=JOBS, marks=MARKS, effects=EFFECTS)
    outcome.verdict.violations[:0] = slow
    return outcome


def open_jobs() -> int:
    """Jobs that are not over yet."""
    return Job.objects.filter(queue__namespace__name=JOBS, state__in=sorted(QUEUED)).count()


def variables() -> dict[str, str]:
    """What the server is given. On PostgreSQL Redis carries the rings, in a database that is emptied first."""
    found = {"WEB_WORKERS": "1", "WORKERS": "1", "JOB_WORKERS": "2", "GS2ADMIN_JOB_LEASE_S": "4"}
    if connection.vendor == "postgresql":
        redis.Redis.from_url(REDIS_URL).flushdb()
        found |= {"REDIS_URL": REDIS_URL, "GS2ADMIN_BROKER": "redis"}
    return found


def main() -> bool:
    """Print the tables; True when nothing was wrong."""
    here, plan = world(), Plan(jobs=int(os.environ.get("BENCH_JOBS", "4000")))
    prepare(here)
    server = Server(dict(os.environ), **variables())
    with server:
        outcome = play(server, here, plan)
    outcome.left = len(server.left())
    if outcome.left:
        outcome.verdict.violations.append(f"{outcome.left} processes were left behind")
    show(outcome)
    return not outcome.verdict.violations


def show(outcome: Outcome) -> None:
    """The tables."""
    plan, verdict = outcome.plan, outcome.verdict
    where = connection.vendor + (", Redis as broker" if connection.vendor == "postgresql" else "")
    counted = sorted(Counter(kill.part for kill in outcome.kills).items())
    table(
        f"{plan.jobs} jobs of {plan.players} players under kill -9, {where}", ["what", ""],
        [["signals", len(outcome.kills)], *([f"  to {part}", count] for part, count in counted),
         *([f"jobs {state}", count] for state, count in sorted(verdict.states.items())),
         ["attempts", verdict.attempts], ["  failed by their script", verdict.failed],
         ["  over their time while their worker was frozen", verdict.timed_out],
         ["  lost with their worker, each a try of its own", verdict.lost_attempts],
         ["last signal to the last end, s", "never" if outcome.settled_s is None else f"{outcome.settled_s:.1f}"],
         ["whole duration, s", f"{outcome.took_s:.0f}"], ["processes left behind", outcome.left]],
    )
    table("what must be 0", ["check", ""], [[what, verdict.wrong[what]] for what in verdict.wrong])
    for text in verdict.violations[:20]:
        print("WRONG:", text)
