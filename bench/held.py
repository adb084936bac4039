"""Thousands watch a rollout with requests that are held until something is new, as static/js/live.js asks.

Two rollouts: one says nothing for most of its time, one prints a line now and then. Told are the web processes' CPU per watcher
and second, their memory per watcher, and how long after it was written a line is seen by each of them. WATCHERS: how many.
"""
from __future__ import annotations

import asyncio
import gc
import os
import resource
import time
from collections import Counter
from dataclasses import dataclass, field

from django.db import connection

from bench.client import Broken, Link, request
from bench.live_delay import WRITTEN
from bench.report import SPREAD, machine, spread, table
from bench.server import Server
from bench.watchers import CURSOR, PAUSE, WEB, cpu_s, end, pss_mb
from bench.world import PASSWORD, people, register, stage, world
from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout, Stage, Step
from stages.rollouts.services import promote_stage
from tests.conditions import until

WATCHERS, PEOPLE = int(os.environ.get("WATCHERS", "3000")), 200
ANSWER_S = 30.0
# What a step prints: lines, and lines a second.
QUIET, SLOW = (1, 0.05), (8, 0.4)


@dataclass
class Seen:
    """What all watchers saw. ages_ms: of each line, when somebody saw it. lines: how many each saw."""

    codes: Counter = field(default_factory=Counter)
    ages_ms: list[float] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    ended: int = 0


async def watch(link: Link, server: Server, path: str, cookies: str, seen: Seen) -> None:
    """One open page, until the rollout has ended."""
    after = seq = lines = 0
    over = False
    while not over:
        data = request("GET", f"{path}?after={after}&seq={seq}&wait=1", host=f"127.0.0.1:{server.port}",
                       headers={"Cookie": cookies, "HX-Request": "true"})
        try:
            answer = await asyncio.wait_for(link.send(data), ANSWER_S)
        except (TimeoutError, Broken, OSError) as problem:
            seen.codes[type(problem).__name__] += 1
            break
        now = time.time_ns()
        seen.codes[answer.status] += 1
        if answer.status not in (200, 204, 286):
            break
        if answer.status != 204:
            written = WRITTEN.findall(answer.body)
            seen.ages_ms += [(now - int(at)) / 1e6 for at in written]
            lines += len(written)
            cursor = CURSOR.search(answer.body)
            after, seq = int(cursor[1]), int(cursor[2])
            over = answer.status == 286
            if not over:
                await asyncio.sleep(int(PAUSE.search(answer.body)[1]) / 1000)
    link.close()
    seen.ended += over
    seen.lines.append(lines)


async def crowd(server: Server, path: str, cookies: list[str]) -> Seen:
    """All of them, on connections that are open before they ask."""
    seen, links = Seen(), []
    for at in range(0, WATCHERS, 100):
        links += await asyncio.gather(*(Link.open("127.0.0.1", server.port) for _ in range(min(100, WATCHERS - at))))
    gc.freeze()
    await asyncio.gather(*(watch(link, server, path, cookies[n % len(cookies)], seen) for n, link in enumerate(links)))
    gc.unfreeze()
    return seen


def start(project, row: Stage, server: Server, version: str, pace: tuple[int, float]) -> Rollout:
    """A rollout of one microservice whose step prints so; its step runs."""
    (server.directory / "pace").write_text(f"{pace[0]} {pace[1]}")
    register(project, ["service-0"], version)
    rollout = promote_stage(actor=SYSTEM, stage=row)
    until(lambda: Step.objects.filter(rollout=rollout, state="running").exists(), 20, "the step")
    return rollout


def main() -> bool:
    """Print the tables; True when every watcher saw every line and the end."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    here = world()
    names = people(here.project, PEOPLE)
    row = stage(here.project, "stg", command="talking", phases=("deploy",))
    rows, ages, bad = [], [], []
    with Server(dict(os.environ)) as server:
        browsers = [server.sign_in(name, PASSWORD) for name in names]
        cookies = [browser.cookies for browser in browsers]
        for browser in browsers:
            browser.close()
        empty_mb = pss_mb(server)
        for title, version, pace in (("says nothing", "1.1", QUIET), ("a line every 2.5 s", "1.2", SLOW)):
            watched = start(here.project, row, server, version, pace)
            path = f"/p/{here.project.name}/rollouts/{watched.number}/live"
            before, own, began = cpu_s(server, WEB), time.process_time(), time.monotonic()
            sizes: list[float] = []

            async def both(path: str = path, sizes: list[float] = sizes) -> Seen:
                watching = asyncio.create_task(crowd(server, path, cookies))
                await asyncio.sleep(10)
                sizes.append(pss_mb(server))
                return await watching

            seen = asyncio.run(both())
            lasted = time.monotonic() - began
            used, own = cpu_s(server, WEB) - before, time.process_time() - own
            end(watched, 30)
            rows.append([title, sum(seen.codes.values()), seen.codes[204], f"{used / lasted:.3f}",
                         f"{used * 1000 / lasted / WATCHERS:.4f}", f"{(sizes[0] - empty_mb) * 1024 / WATCHERS:.1f}",
                         f"{own / lasted:.2f}"])
            ages.append([title, len(seen.ages_ms), *spread(seen.ages_ms)])
            bad += [f"{count} times {code}" for code, count in seen.codes.items() if code not in (200, 204, 286)]
            if seen.ended != WATCHERS or set(seen.lines) != {pace[0]}:
                bad.append(f"{seen.ended} saw the end, and {sorted(set(seen.lines))} lines of {pace[0]}")
    table(f"{WATCHERS:,} watchers whose requests are held, {connection.vendor} ({machine()})",
          ["the rollout", "answers", "nothing new", "web CPU, cores", "ms per watcher, s", "KiB per watcher", "generator, cores"],
          rows)
    table("from a line's being written to its being seen, ms", ["the rollout", "lines", *SPREAD], ages)
    for text in bad:
        print("WRONG:", text)
    return not bad
