"""Half an hour of everything at once: GS2 reads and writes, pages, and people who watch. Does a web process grow, or slow down?

MINUTES, WATCHERS: how long, how many watch. Each minute the size of the web processes (PSS) and the median and 99th percentile of
GS2 reads, counted from when they were due. The slopes are those of the least squares' line through all minutes but the first, in
which caches fill.
"""
from __future__ import annotations

import asyncio
import os
import random
import resource
import time
from collections import Counter
from dataclasses import dataclass, field

from django.db import connection

from bench.client import Link, request
from bench.held import Seen, watch
from bench.report import machine, percentile, table
from bench.server import Server
from bench.watchers import WEB, cpu_s, end, pss_mb
from bench.world import PASSWORD, World, people, register, stage, world
from gs2admin.identity.actors import SYSTEM
from jobqueue.services.namespaces import create_namespace as create_queues
from locks.services.namespaces import create_namespace as create_locks
from stages.models import Rollout, Stage
from stages.rollouts.services import promote_stage

MINUTES, WATCHERS = float(os.environ.get("MINUTES", "30")), int(os.environ.get("WATCHERS", "100"))
MINUTE_S = 60.0
# A second: GS2 reads, GS2 writes, pages.
READS, WRITES, PAGES = 40.0, 5.0, 2.0
READERS = 8
# What may be left of a slope, in MB and ms per hour, on a machine that does other things; and p99 by p50 of GS2 reads.
MOST_MB, MOST_MS, MOST_RATIO = 20.0, 5.0, 5.0


@dataclass
class Minute:
    """reads_ms: from their due times. mb: of all web processes at its end."""

    reads_ms: list[float] = field(default_factory=list)
    mb: float = 0.0
    cpu_s: float = 0.0


@dataclass
class Run:
    """minutes: one after the other. codes: of everything that was asked."""

    minutes: list[Minute] = field(default_factory=lambda: [Minute()])
    codes: Counter = field(default_factory=Counter)
    over: float = 0.0


async def keep_asking(server: Server, run: Run, rate: float, make, *, kept: bool = False) -> None:
    """One connection that asks `rate` times a second. make() -> method, path, headers, body. kept: note how long it took."""
    loop = asyncio.get_running_loop()
    link, due = await Link.open("127.0.0.1", server.port), loop.time() + random.random() / rate
    while due < run.over:
        await asyncio.sleep(max(0.0, due - loop.time()))
        verb, path, headers, body = make()
        answer = await asyncio.wait_for(
            link.send(request(verb, path, host=f"127.0.0.1:{server.port}", headers=headers, body=body)), 60)
        if kept:
            run.minutes[-1].reads_ms.append((loop.time() - due) * 1000)
        run.codes[answer.status] += 1
        due += 1 / rate
    link.close()


async def keep_rolling(here: World, row: Stage, run: Run, server: Server, cookies: list[str], seen: Seen) -> None:
    """A rollout of about twenty seconds after the other, each watched from its beginning to its end."""
    number = 0
    while asyncio.get_running_loop().time() < run.over:
        number += 1
        rollout = await asyncio.to_thread(begin, here, row, f"3.{number}")
        path = f"/p/{here.project.name}/rollouts/{rollout.number}/live"
        links = [await Link.open("127.0.0.1", server.port) for _ in range(WATCHERS)]
        await asyncio.gather(*(watch(link, server, path, cookies[n % len(cookies)], seen) for n, link in enumerate(links)))
        await asyncio.to_thread(end, rollout, 30)


def begin(here: World, row: Stage, version: str) -> Rollout:
    """A rollout of one microservice."""
    register(here.project, ["service-0"], version)
    return promote_stage(actor=SYSTEM, stage=row)


async def keep_measuring(server: Server, run: Run) -> None:
    """A minute after the other."""
    loop = asyncio.get_running_loop()
    used = cpu_s(server, WEB)
    while loop.time() < run.over:
        await asyncio.sleep(min(MINUTE_S, max(0.0, run.over - loop.time())))
        now = cpu_s(server, WEB)
        run.minutes[-1].mb, run.minutes[-1].cpu_s, used = pss_mb(server), now - used, now
        run.minutes.append(Minute())
    run.minutes.pop()


def slope(values: list[float]) -> float:
    """Per minute, of the least squares' line; 0 of fewer than two."""
    middle, mean = (len(values) - 1) / 2, sum(values) / max(1, len(values))
    below = sum((n - middle) ** 2 for n in range(len(values)))
    return sum((n - middle) * (value - mean) for n, value in enumerate(values)) / below if below else 0.0


async def load(server: Server, here: World, row: Stage, cookies: list[str], run: Run) -> Seen:
    """Everything at once until the end."""
    token, name, seen = server.project_token(here.client_id, here.secret), here.project.name, Seen()
    run.over = asyncio.get_running_loop().time() + MINUTES * MINUTE_S
    program = {"X-GS2-CLIENT-ID": here.client_id, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    person = {"Cookie": cookies[0]}

    def player() -> str:
        return f"user-{random.randrange(500):04}"

    def read():
        paths = (f"/lock/bench/user/{player()}/mutex/gacha", f"/job-queue/bench/user/{player()}/job", "/freeze/stg", "/freeze/")
        return "GET", random.choice(paths), program, b""

    def write():
        body = b'{"transactionId": "bench", "ttl": 1}'
        return "POST", f"/lock/bench/user/{player()}/mutex/gacha/lock", program, body

    def page():
        paths = ("/", "/rollouts", f"/player?id={player()}", "/stages/stg", "/activity/")
        return "GET", f"/p/{name}{random.choice(paths)}", person, b""

    tasks = [keep_asking(server, run, READS / READERS, read, kept=True) for _ in range(READERS)]
    tasks += [keep_asking(server, run, WRITES, write), keep_asking(server, run, PAGES, page)]
    await asyncio.gather(*tasks, keep_rolling(here, row, run, server, cookies, seen), keep_measuring(server, run))
    return seen


def main() -> bool:
    """Print the table; True when nothing grew, nothing slowed down, and nothing failed."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    here = world()
    create_locks(actor=SYSTEM, project=here.project, name="bench")
    create_queues(actor=SYSTEM, project=here.project, name="bench")
    names = people(here.project, 20)
    row, run = stage(here.project, "stg", command="talking", phases=("deploy",)), Run()
    with Server(dict(os.environ)) as server:
        (server.directory / "pace").write_text("40 2")
        browsers = [server.sign_in(name, PASSWORD) for name in names]
        cookies = [browser.cookies for browser in browsers]
        for browser in browsers:
            browser.close()
        began = time.monotonic()
        seen = asyncio.run(load(server, here, row, cookies, run))
        lasted = time.monotonic() - began
    return show(run, seen, lasted)


def show(run: Run, seen: Seen, lasted: float) -> bool:
    """The table and the verdict."""
    table(f"{lasted / 60:.0f} minutes of everything, {WATCHERS} watch, {connection.vendor} ({machine()})",
          ["minute", "web MB", "web CPU, cores", "GS2 reads", "p50 ms", "p99 ms"],
          [[n, f"{one.mb:.1f}", f"{one.cpu_s / MINUTE_S:.2f}", len(one.reads_ms), f"{percentile(one.reads_ms, 0.5):.1f}",
            f"{percentile(one.reads_ms, 0.99):.1f}"] for n, one in enumerate(run.minutes, 1)])
    later = run.minutes[1:]
    everything = [value for one in later for value in one.reads_ms]
    p50, p99 = percentile(everything, 0.5), percentile(everything, 0.99)
    found = [("MB an hour", slope([one.mb for one in later]) * 60, MOST_MB),
             ("ms an hour of the median", slope([percentile(one.reads_ms, 0.5) for one in later]) * 60, MOST_MS),
             ("p99 by p50", p99 / p50 if later else 0.0, MOST_RATIO)]
    table("after the first minute", ["", "found", "at most"], [[name, f"{value:.2f}", most] for name, value, most in found])
    codes = run.codes + seen.codes
    print("answers:", ", ".join(f"{count} of {code}" for code, count in sorted(codes.items(), key=str)))
    bad = [f"{name}: {value:.2f}" for name, value, most in found if value > most]
    bad += [f"{count} times {code}" for code, count in codes.items() if code not in (200, 204, 286, 404, 409)]
    for text in bad:
        print("WRONG:", text)
    return not bad
