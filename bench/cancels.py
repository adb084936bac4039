"""100 rollouts canceled at random instants: each has one final state, and nothing starts later than 2 s after the answer."""
from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from django.db import connection, connections

from bench.report import SPREAD, spread, table
from bench.server import Server
from bench.world import World, register, world
from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout, Stage
from stages.setup.scenarios import create_scenario
from stages.setup.stages import create_stage, set_targets
from stages.states import FINAL
from tests.conditions import until

ROLLOUTS = int(os.environ.get("BENCH_CANCELS", "100"))
AT_ONCE = 10
LATE_S = 2.0
LATEST_S = 4.0
SERVICES = ["auth", "chat", "quest", "shop"]
WAYS: dict[str, dict[str, object]] = {
    "plain": {},
    "in sequence": {"sequence": True, "rollback": True},
    "at the same time": {"sequence": False},
    "rolling": {"strategy": "rolling", "batch_size": 2},
    "blue/green": {"strategy": "blueGreen"},
    "canary": {"strategy": "canary", "canary": {"analysis": "none", "weights": [{"percent": 5, "pause_s": 1}]}},
}


@dataclass
class Canceled:
    """One rollout: how it went. answered_ns: when the cancel was answered; status: of that answer, 0 without a request."""

    number: int
    way: str
    asked_after_s: float
    answered_ns: int = 0
    status: int = 0
    answer_ms: float = 0.0
    states: list[str] = field(default_factory=list)


def stages(here: World) -> list[tuple[str, Stage]]:
    """AT_ONCE stages with three targets each, every way of proceeding among them."""
    found = []
    phase = {"command": "recording", "timeout_s": 60, "repeatable": True}
    for number in range(AT_ONCE):
        way = list(WAYS)[number % len(WAYS)]
        row = create_stage(actor=SYSTEM, project=here.project, name=f"s{number}")
        config = {"pre": phase, "deploy": phase, "post": phase, "canary": phase, "switch": phase}
        set_targets(actor=SYSTEM, stage=row, targets=[
            {"name": f"t{n}", "kind": "command", "config": config} for n in range(3)
        ])
        if WAYS[way]:
            create_scenario(actor=SYSTEM, stage=row, name="way", use=True, **WAYS[way])
        found.append((way, row))
    return found


def play(server: Server, here: World, rows: list[tuple[str, Stage]], dice: random.Random) -> list[Canceled]:
    """One round: promote every stage, cancel each after a time of its own, and wait for the ends."""
    auth = (here.client_id, here.secret)
    made: list[Canceled] = []
    with httpx.Client(base_url=server.url, auth=auth, timeout=60) as http:
        for way, row in rows:
            answer = http.post(f"/api/v1/stages/{row.name}/promote", json={})
            answer.raise_for_status()
            made.append(Canceled(answer.json()["number"], way, dice.uniform(0, LATEST_S)))
    began = time.monotonic()
    threads = [threading.Thread(target=cancel, args=(server, auth, one, began)) for one in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    numbers = [one.number for one in made]
    until(lambda: not Rollout.objects.filter(number__in=numbers).exclude(state__in=FINAL).exists(), 120, "every end")
    for one in made:
        one.states.append(Rollout.objects.values_list("state", flat=True).get(number=one.number))
    return made


def cancel(server: Server, auth: tuple[str, str], one: Canceled, began: float) -> None:
    """Wait for the instant, then ask."""
    time.sleep(max(0.0, began + one.asked_after_s - time.monotonic()))
    asked = time.perf_counter()
    answer = httpx.post(f"{server.url}/api/v1/rollouts/{one.number}/cancel", json={}, auth=auth, timeout=60)
    one.answered_ns, one.status = time.time_ns(), answer.status_code
    one.answer_ms = (time.perf_counter() - asked) * 1000
    connections.close_all()


def starts_of(directory: Path, number: int) -> list[int]:
    """When each step of this rollout began, as the steps themselves wrote it down. ns."""
    found = []
    for file in (directory / "record").glob(f"bench-{number}-*"):
        found += [int(line.split()[0]) for line in file.read_text().splitlines() if line.endswith(" start")]
    return found


def judge(directory: Path, all_of_them: list[Canceled]) -> tuple[list[str], list[float]]:
    """What went wrong, and how long after an answer the last step began, per rollout that was canceled. s."""
    bad, late = [], []
    for one in all_of_them:
        one.states.append(Rollout.objects.values_list("state", flat=True).get(number=one.number))
        name = f"rollout {one.number} ({one.way})"
        if len(set(one.states)) != 1 or one.states[0] not in FINAL:
            bad.append(f"{name} was {one.states}")
        if one.status not in {200, 409}:
            bad.append(f"{name}: the cancel was answered {one.status}")
        if one.status == 200:
            if one.states[0] != "canceled":
                bad.append(f"{name} was canceled by its answer, but ended {one.states[0]}")
            after = [(start - one.answered_ns) / 1e9 for start in starts_of(directory, one.number)]
            late.append(max([0.0, *after]))
            if late[-1] > LATE_S:
                bad.append(f"{name}: a step began {late[-1]:.1f} s after the answer")
        elif one.states[0] == "canceled":
            bad.append(f"{name} was not canceled by its answer, but ended canceled")
    return bad, late


def main() -> bool:
    """Print the table; True when nothing was wrong."""
    seed = int(os.environ.get("BENCH_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    dice, here, played = random.Random(seed), world(), []
    with Server(dict(os.environ), WORKERS="6") as server:
        rows = stages(here)
        while len(played) < ROLLOUTS:
            register(here.project, SERVICES, f"1.{len(played)}")
            played += play(server, here, rows[: ROLLOUTS - len(played)], dice)
        bad, late = judge(server.directory, played)
    lines = []
    for way in WAYS:
        mine = [one for one in played if one.way == way]
        if mine:
            ended = sum(one.status == 409 for one in mine)
            lines.append([way, len(mine), sum(one.status == 200 for one in mine), ended])
    table(f"{len(played)} rollouts canceled at random instants (BENCH_SEED={seed}), {connection.vendor}",
          ["how it proceeds", "rollouts", "canceled", "too late to cancel"], lines)
    table("of the cancels", ["", *(f"{word}" for word in SPREAD)], [
        ["answer ms", *spread([one.answer_ms for one in played])],
        ["last start after the answer, s", *spread(late, 2)],
    ])
    for text in bad:
        print("WRONG:", text)
    return not bad
