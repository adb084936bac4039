"""1,000 people watch one running rollout, each asking once a second, with the generator on the same machine.

Every watcher holds one connection and follows its own cursor, as static/js/live.js does where nothing is held. Requests have due
times, a second apart; latency is counted from the due time, so that a server that falls behind cannot hide it. WATCHERS, SECONDS:
how many, and for how long.
"""
from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import re
import resource
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection

from bench.client import Answer, Broken, Link, request
from bench.report import SPREAD, machine, percentile, spread, table
from bench.server import Server
from bench.world import PASSWORD, World, people, register, stage, world
from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout, Stage, Step
from stages.rollouts.services import promote_stage
from stages.states import FINAL, RolloutState
from tests.conditions import until

WATCHERS, PEOPLE = int(os.environ.get("WATCHERS", "1000")), 20
SECONDS, RATE = int(os.environ.get("SECONDS", "60")), 3
SERVICES = 4
ANSWER_S = 20.0
START_S = 5.0
PAUSE = re.compile(rb'data-pause="(\d+)"')
CURSOR = re.compile(rb'data-after="(\d+)"\s+data-seq="(\d+)"\s+data-every="(\d+)"')


@dataclass
class Seen:
    """What all watchers saw together. latencies_ms: from the due time, of every answer; lines: of one watcher each."""

    codes: Counter = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    of_new_ms: list[float] = field(default_factory=list)
    late_ms: list[float] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    ended: int = 0
    bytes: int = 0
    wrong: list[str] = field(default_factory=list)


class Watcher:
    """One open page."""

    def __init__(self, port: int, path: str, cookies: str, after: int, seq: int, seen: Seen) -> None:
        self.port, self.path, self.cookies = port, path, cookies
        self.after, self.seq, self.seen = after, seq, seen
        self.link: Link | None = None
        self.lines = 0

    async def watch(self, first_due: float, until_s: float) -> None:
        """Ask at first_due and every second after it, on the loop's clock, until the end of the rollout or until_s."""
        loop, due, over = asyncio.get_running_loop(), first_due, False
        while not over and due < until_s:
            pause = due - loop.time()
            if pause > 0:
                await asyncio.sleep(pause)
            self.seen.late_ms.append((loop.time() - due) * 1000)
            over = await self._ask(due)
            # What was due while the answer was awaited is asked at once, and counted from when it was due.
            due += 1.0
        if self.link:
            self.link.close()
        self.seen.lines.append(self.lines)
        self.seen.ended += over

    async def _ask(self, due: float) -> bool:
        loop = asyncio.get_running_loop()
        headers = {"Cookie": self.cookies, "HX-Request": "true", "Accept-Encoding": "gzip"}
        path = f"{self.path}?after={self.after}&seq={self.seq}"
        try:
            if self.link is None or self.link.closed:
                self.link = await Link.open("127.0.0.1", self.port)
            answer = await asyncio.wait_for(
                self.link.send(request("GET", path, host=f"127.0.0.1:{self.port}", headers=headers)), ANSWER_S
            )
        except (TimeoutError, Broken, OSError) as problem:
            self.seen.codes[type(problem).__name__] += 1
            if self.link:
                self.link.close()
            self.link = None
            return False
        took = (loop.time() - due) * 1000
        self.seen.codes[answer.status] += 1
        self.seen.latencies_ms.append(took)
        self.seen.bytes += len(answer.body)
        if answer.status in (200, 286):
            self.seen.of_new_ms.append(took)
            self._follow(answer)
        return answer.status == 286

    def _follow(self, answer: Answer) -> None:
        cursor = CURSOR.search(answer.body)
        if cursor is None:
            self.seen.wrong.append(f"an answer without a cursor: {answer.body[:200]!r}")
            return
        after, seq = int(cursor[1]), int(cursor[2])
        shown = answer.body.count(b'<div class="ln')
        if seq < self.seq or shown != seq - self.seq:
            self.seen.wrong.append(f"from line {self.seq} to {seq} with {shown} lines")
        self.lines += shown
        self.after, self.seq = after, seq


async def crowd(server: Server, path: str, cookies: list[str], after: int, seq: int, *, count: int, seconds: float) -> Seen:
    """So many watchers, their due times spread evenly over each second."""
    seen = Seen()
    watchers = [Watcher(server.port, path, cookies[n % len(cookies)], after, seq, seen) for n in range(count)]
    for at in range(0, count, 100):
        links = await asyncio.gather(*(Link.open("127.0.0.1", server.port) for _ in watchers[at : at + 100]))
        for watcher, link in zip(watchers[at : at + 100], links, strict=True):
            watcher.link = link
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.5
    tasks = [watcher.watch(began + n / count, began + seconds) for n, watcher in enumerate(watchers)]
    # The collector stops everything for tens of milliseconds; that would be the generator's time, not the server's.
    gc.freeze()
    await asyncio.gather(*tasks)
    gc.unfreeze()
    return seen


def start(here: World, row: Stage, server: Server, version: str, seconds: int) -> Rollout:
    """A rollout that prints RATE lines a second for about that long; returns when its first step runs."""
    per_step = seconds * RATE // SERVICES
    (server.directory / "pace").write_text(f"{per_step} {RATE}")
    register(here.project, [f"service-{number}" for number in range(SERVICES)], version)
    rollout = promote_stage(actor=SYSTEM, stage=row)
    until(lambda: Step.objects.filter(rollout=rollout, state="running").exists(), 20, "the first step")
    rollout.refresh_from_db()
    return rollout


def end(rollout: Rollout, seconds: float) -> Rollout:
    """Wait for its end."""
    until(lambda: Rollout.objects.filter(pk=rollout.pk, state__in=sorted(FINAL)).exists(), seconds, "the end of the rollout")
    rollout.refresh_from_db()
    return rollout


def took(rollout: Rollout) -> list[str]:
    """Duration of the rollout, of its steps and between them, as cells in s, s and ms."""
    steps = list(rollout.steps.filter(phase="deploy").order_by("position"))
    spans = [(step.ended_at - step.started_at).total_seconds() for step in steps]
    whole = (rollout.ended_at - rollout.started_at).total_seconds()
    return [f"{whole:.2f}", f"{percentile(spans, 0.5):.2f}", f"{max(spans):.2f}", f"{(whole - sum(spans)) * 1000:.0f}"]


# What the web processes call themselves.
WEB = "gs-web"


def cpu_s(server: Server, name: str) -> float:
    """CPU seconds that the processes of that name have used. Raises RuntimeError where there are none."""
    ticks, found = 0, 0
    for look in server.processes():
        with contextlib.suppress(OSError):
            if look.name == name:
                fields = Path(f"/proc/{look.process.pid}/stat").read_text().rpartition(") ")[2].split()
                ticks, found = ticks + int(fields[11]) + int(fields[12]), found + 1
    if not found:
        raise RuntimeError(f"no process is called {name}")
    return ticks / os.sysconf("SC_CLK_TCK")


def pss_mb(server: Server) -> float:
    """What all web processes take, shared pages by their share. MB."""
    found = 0
    for look in server.processes():
        place = Path(f"/proc/{look.process.pid}")
        with contextlib.suppress(OSError):
            if look.name == WEB:
                sizes = (place / "smaps_rollup").read_text().splitlines()
                found += int(next(size for size in sizes if size.startswith("Pss:")).split()[1])
    return found / 1024


def main() -> bool:
    """Print the tables; True when every request was answered rightly."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    here = world()
    names = people(here.project, PEOPLE)
    row = stage(here.project, "stg", command="talking", phases=("deploy",))
    with Server(dict(os.environ)) as server:
        browsers = [server.sign_in(name, PASSWORD) for name in names]
        cookies = [browser.cookies for browser in browsers]
        for browser in browsers:
            browser.close()
        alone = end(start(here, row, server, "1.1", SECONDS // 2), SECONDS + 30)
        watched = start(here, row, server, "1.2", SECONDS)
        path = f"/p/{here.project.name}/rollouts/{watched.number}/live"
        before, began, own = cpu_s(server, WEB), time.monotonic(), time.process_time()
        seen = asyncio.run(crowd(server, path, cookies, 0, 0, count=WATCHERS, seconds=SECONDS + 8))
        lasted, used, own = time.monotonic() - began, cpu_s(server, WEB) - before, time.process_time() - own
        load = machine()
        watched = end(watched, 30)
        again = end(start(here, row, server, "1.3", SECONDS // 2), SECONDS + 30)
    return show(seen, alone, watched, again, lasted=lasted, used=used, own=own, load=load)


def show(
    seen: Seen, alone: Rollout, watched: Rollout, again: Rollout, *, lasted: float, used: float, own: float, load: str
) -> bool:
    """The tables, and the verdict."""
    answers = sum(count for code, count in seen.codes.items() if isinstance(code, int))
    errors = {code: count for code, count in seen.codes.items() if code not in (200, 204, 286)}
    title = f"{WATCHERS:,} watchers at 1 Hz for {lasted:.0f} s, {connection.vendor} ({load})"
    table(title, ["what", ""], [
        ["answers", answers], ["  a second", f"{answers / lasted:.0f}"],
        ["  with something new", seen.codes[200] + seen.codes[286]], ["  nothing new", seen.codes[204]],
        ["errors", sum(errors.values())], ["saw the end", seen.ended],
        ["MiB sent", f"{seen.bytes / 2**20:.1f}"], ["web CPU, cores", f"{used / lasted:.2f}"],
        ["  ms per answer", f"{used * 1000 / answers:.3f}"],
        ["generator CPU, cores", f"{own / lasted:.2f}"],
    ])
    table("latency from the due time, ms", ["", *SPREAD], [
        ["all answers", *spread(seen.latencies_ms)], ["with something new", *spread(seen.of_new_ms)],
        ["of it the generator's own lateness", *spread(seen.late_ms)],
    ])
    table("the rollout itself", ["", "s", "step p50 s", "step max s", "between steps ms"], [
        [f"before, {alone.last_seq} lines", *took(alone)], [f"watched, {watched.last_seq} lines", *took(watched)],
        [f"after, {again.last_seq} lines", *took(again)],
    ])
    bad = seen.wrong[:10] + [f"{count} times {code}" for code, count in errors.items()]
    if seen.ended != WATCHERS:
        bad.append(f"{WATCHERS - seen.ended} watchers did not see the end")
    if set(seen.lines) != {watched.last_seq}:
        bad.append(f"watchers saw {sorted(set(seen.lines))} lines of {watched.last_seq}")
    if watched.state != RolloutState.SUCCEEDED:
        bad.append(f"the rollout {watched.state}: {watched.error}")
    for text in bad:
        print("WRONG:", text)
    return not bad
