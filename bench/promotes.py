"""200 promote calls on one stage at the same instant, over HTTP through the GS2 door: one is accepted, the others are refused."""
from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field

from django.db import connection

from bench.client import Answer, Broken, Link, request
from bench.report import SPREAD, spread, table
from bench.server import Server
from bench.world import World, register, stage, world
from stages.models import Rollout, Stage
from tests.conditions import until

CALLS, ROUNDS = 200, 5
ANSWER_S = 30.0


@dataclass
class Round:
    """What one barrier released. codes: HTTP status or what went wrong -> how often."""

    codes: Counter = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def burst(server: Server, token: str, client_id: str, stage_name: str, calls: int) -> Round:
    """Open that many connections first, then write all requests at once; every answer has ANSWER_S seconds."""
    headers = {"Authorization": f"Bearer {token}", "X-GS2-CLIENT-ID": client_id, "Content-Type": "application/json"}
    data = request("POST", f"/freeze/{stage_name}/promote", host=f"127.0.0.1:{server.port}", headers=headers, body=b"{}")
    links = await asyncio.gather(*(Link.open("127.0.0.1", server.port) for _ in range(calls)))
    barrier, found = asyncio.Event(), Round()

    async def one(link: Link) -> None:
        await barrier.wait()
        began = time.perf_counter()
        try:
            answer = await asyncio.wait_for(link.send(data), ANSWER_S)
        except (TimeoutError, Broken, OSError) as problem:
            found.codes[type(problem).__name__] += 1
            return
        found.latencies_ms.append((time.perf_counter() - began) * 1000)
        found.codes[answer.status] += 1
        found.wrong += judge(answer)

    tasks = [asyncio.create_task(one(link)) for link in links]
    await asyncio.sleep(0)
    barrier.set()
    await asyncio.gather(*tasks)
    for link in links:
        link.close()
    return found


def judge(answer: Answer) -> list[str]:
    """What is wrong with an answer's body: a refusal must be the contract's conflict."""
    if answer.status == 200:
        return [] if json.loads(answer.body)["item"]["status"] == "Updating" else ["accepted, but not Updating"]
    if answer.status == 409:
        words = {element["message"] for element in json.loads(json.loads(answer.body)["message"])}
        return [] if words == {"freeze.stage.stage.error.conflict"} else [f"a 409 says {words}"]
    return [f"{answer.status}: {answer.body[:200]!r}"]


def violations(found: Round, row: Stage, calls: int, rollouts_before: int) -> list[str]:
    """Everything that is not exactly one accepted call and one new rollout."""
    bad = list(found.wrong)
    if found.codes != {200: 1, 409: calls - 1}:
        bad.append(f"answers: {dict(found.codes)}")
    made = Rollout.objects.filter(stage=row).count() - rollouts_before
    if made != 1:
        bad.append(f"{made} rollouts were made")
    return bad


def play(server: Server, here: World, *, calls: int, rounds: int) -> tuple[list[Round], list[str]]:
    """Several rounds on one stage, each with new versions and a rollout that lasts until the round is over."""
    row = stage(here.project, "stg", command="waiting", phases=("deploy",))
    token = server.project_token(here.client_id, here.secret)
    go, played, bad = server.directory / "go", [], []
    for number in range(1, rounds + 1):
        go.unlink(missing_ok=True)
        register(here.project, ["battle", "chat"], f"1.{number}")
        before = Rollout.objects.filter(stage=row).count()
        found = asyncio.run(burst(server, token, here.client_id, row.name, calls))
        played.append(found)
        bad += [f"round {number}: {text}" for text in violations(found, row, calls, before)]
        go.touch()
        until(lambda: not Rollout.objects.live().filter(stage=row).exists(), 60, "the end of the rollout")
    ended = set(Rollout.objects.filter(stage=row).values_list("state", flat=True))
    if ended != {"succeeded"}:
        bad.append(f"the rollouts ended {ended}")
    return played, bad


def main() -> bool:
    """Print the table; True when nothing was wrong."""
    here = world()
    with Server(dict(os.environ)) as server:
        played, bad = play(server, here, calls=CALLS, rounds=ROUNDS)
    columns = ["round", "accepted", "409", "5xx", "no answer", *(f"{word} ms" for word in SPREAD)]
    rows = []
    for number, one in enumerate(played, start=1):
        fives = sum(count for code, count in one.codes.items() if isinstance(code, int) and code >= 500)
        silent = sum(count for code, count in one.codes.items() if isinstance(code, str))
        rows.append([number, one.codes[200], one.codes[409], fives, silent, *spread(one.latencies_ms)])
    table(f"{CALLS} promote calls at once on one stage, {connection.vendor}", columns, rows)
    for text in bad:
        print("WRONG:", text)
    return not bad
