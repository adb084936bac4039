"""Who gets which version: requests a second and their times over HTTP, and whether 100,000 players are split as promised."""
from __future__ import annotations

import asyncio
import json
import os
import time
from urllib.parse import quote

from django.db import connection

from bench.client import Broken, Link, request
from bench.report import SPREAD, spread, table
from bench.server import Server
from bench.world import World, register, world
from gs2admin.identity.actors import SYSTEM
from stages.canary.resolve import resolve_in, splits
from stages.canary.services import advance_canary
from stages.models import Rollout
from stages.rollouts.services import promote_stage
from stages.setup.scenarios import create_scenario
from stages.setup.stages import create_stage
from stages.worker import executor

SERVICES = 20
PLAYERS = 100_000
LINKS, SECONDS, WARM_S = 16, 8.0, 1.0
WEIGHTS = (5, 20, 50)


def canary(here: World) -> Rollout:
    """A stage `live` with pinned versions, and a canary of all services at the first weight."""
    names = [f"service-{number:02d}" for number in range(SERVICES)]
    row = create_stage(actor=SYSTEM, project=here.project, name="live")
    register(here.project, names, "1.0")
    executor.run(promote_stage(actor=SYSTEM, stage=row).pk)
    plan = {"weights": [{"percent": weight} for weight in WEIGHTS]}
    create_scenario(actor=SYSTEM, stage=row, name="few-first", strategy="canary", canary=plan, use=True)
    register(here.project, names, "2.0")
    rollout = promote_stage(actor=SYSTEM, stage=row)
    executor.run(rollout.pk)
    return Rollout.objects.select_related("stage").get(pk=rollout.pk)


def shares(rollout: Rollout) -> tuple[list[list[object]], list[str]]:
    """Per weight the share of the players, and whether each set holds the one before."""
    players = [f"player-{number:08d}" for number in range(PLAYERS)]
    rows, bad, before = [], [], set()
    for index, weight in enumerate(WEIGHTS):
        if index:
            advance_canary(actor=SYSTEM, rollout=rollout)
        splits.clear()
        split = splits.get(rollout.project_id, "live")
        began = time.perf_counter()
        found = {player for player in players if resolve_in(split, player).gray}
        took = (time.perf_counter() - began) / PLAYERS * 1e6
        share = 100 * len(found) / PLAYERS
        rows.append([f"{weight} %", len(found), f"{share:.2f} %", "yes" if before <= found else "no", f"{took:.1f}"])
        if split.weight != weight or not before <= found:
            bad.append(f"at {weight} % some players lost the new versions")
        if abs(share - weight) > 0.5:
            bad.append(f"at {weight} % it is {share:.2f} % of the players")
        before = found
    return rows, bad


async def load(server: Server, here: World, seconds: float) -> tuple[float, list[float], dict[int, int], float]:
    """LINKS connections ask for one player after the other: (requests a second, times in ms, statuses, share of gray)."""
    token = server.project_token(here.client_id, here.secret)
    headers = {"Authorization": f"Bearer {token}"}
    links = await asyncio.gather(*(Link.open("127.0.0.1", server.port) for _ in range(LINKS)))
    times, statuses, gray = [], {}, 0
    starts = time.perf_counter()
    counts_from, ends = starts + WARM_S, starts + WARM_S + seconds

    async def one(number: int, link: Link) -> None:
        nonlocal gray
        player = number
        while (began := time.perf_counter()) < ends:
            path = f"/api/v1/stages/live/resolve?userId={quote(f'player-{player:08d}')}"
            answer = await link.send(request("GET", path, host=f"127.0.0.1:{server.port}", headers=headers))
            if began >= counts_from:
                times.append((time.perf_counter() - began) * 1000)
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
                gray += answer.status == 200 and json.loads(answer.body)["gray"]
            player = (player + LINKS) % PLAYERS

    try:
        await asyncio.gather(*(one(number, link) for number, link in enumerate(links)))
    except Broken:
        statuses[0] = statuses.get(0, 0) + 1
    for link in links:
        link.close()
    return len(times) / seconds, times, statuses, 100 * gray / max(1, len(times))


def main() -> bool:
    """Print the tables; True when nothing was wrong."""
    here = world()
    rollout = canary(here)
    rows, bad = shares(rollout)
    table(f"{PLAYERS:,} players, {connection.vendor}", ["weight", "players", "share", "holds the one before", "µs each"], rows)
    with Server(dict(os.environ)) as server:
        rate, times, statuses, gray = asyncio.run(load(server, here, SECONDS))
    table(
        f"resolve of {SERVICES} services over HTTP, {LINKS} connections, {connection.vendor}",
        ["", "requests/s", *(f"{word} ms" for word in SPREAD), "new versions"],
        [["GET resolve", f"{rate:,.0f}", *spread(times), f"{gray:.1f} %"]],
    )
    if set(statuses) != {200}:
        bad.append(f"statuses {statuses}")
    for text in bad:
        print("WRONG:", text)
    return not bad
