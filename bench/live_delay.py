"""From a line being written by a step's command to its being seen by somebody who watches, and from a click to the first line.

Pages ask with requests that are held, as static/js/live.js does; beside them some that ask once a second.
"""
from __future__ import annotations

import asyncio
import os
import re
import time
from dataclasses import dataclass, field

from django.db import connection

from bench.client import Link, request
from bench.report import SPREAD, machine, spread, table
from bench.server import Browser, Server
from bench.watchers import CURSOR, PAUSE
from bench.world import PASSWORD, World, people, register, stage, world
from gs2admin.identity.actors import SYSTEM
from stages.models import Output, Rollout, Stage
from stages.rollouts.services import promote_stage
from tests.conditions import until

LINES, RATE = 40, 5
PAGES, HOLDERS = 4, 4
CLICKS = int(os.environ.get("CLICKS", "20"))
WRITTEN = re.compile(rb"written (\d+) line")
LIMIT_S = 60.0


@dataclass
class Delays:
    """All in ms. stored: in the database (as far as its clock and the line's tell); by_eager: by somebody who asks all
    the time; by_page: by pages that ask once a second; by_held: by pages whose requests are held. clicks: from the click on
    Promote to the first line of output seen, to_page: of it until the rollout's page was there."""

    stored: list[float] = field(default_factory=list)
    by_eager: list[float] = field(default_factory=list)
    by_page: list[float] = field(default_factory=list)
    by_held: list[float] = field(default_factory=list)
    clicks: list[float] = field(default_factory=list)
    to_page: list[float] = field(default_factory=list)


async def page(server: Server, path: str, cookies: str, every_s: float, offset_s: float, found: list[float]) -> None:
    """Ask every every_s seconds until the end; note the age of each line at the moment it arrived."""
    link = await Link.open("127.0.0.1", server.port)
    loop, after, seq = asyncio.get_running_loop(), 0, 0
    deadline = loop.time() + LIMIT_S
    due = loop.time() + offset_s
    while loop.time() < deadline:
        await asyncio.sleep(max(0.0, due - loop.time()))
        due += every_s
        data = request("GET", f"{path}?after={after}&seq={seq}", host=f"127.0.0.1:{server.port}", headers={"Cookie": cookies})
        answer = await asyncio.wait_for(link.send(data), 20)
        now = time.time_ns()
        if answer.status in (200, 286):
            found += [(now - int(at)) / 1e6 for at in WRITTEN.findall(answer.body)]
            cursor = CURSOR.search(answer.body)
            after, seq = int(cursor[1]), int(cursor[2])
        elif answer.status != 204:
            raise RuntimeError(f"the live answer is {answer.status}")
        if answer.status == 286:
            break
    link.close()


async def holder(server: Server, path: str, cookies: str, found: list[float], after: int = 0, seq: int = 0, *,
                 first: bool = False) -> None:  # fmt: skip
    """The same by requests that are held. first: only until the first line."""
    link = await Link.open("127.0.0.1", server.port)
    over = False
    while not over:
        ask = f"{path}?after={after}&seq={seq}&wait=1"
        data = request("GET", ask, host=f"127.0.0.1:{server.port}", headers={"Cookie": cookies})
        answer = await asyncio.wait_for(link.send(data), 30)
        now = time.time_ns()
        if answer.status not in (200, 204, 286):
            raise RuntimeError(f"the live answer is {answer.status}")
        if answer.status != 204:
            found += (new := [(now - int(at)) / 1e6 for at in WRITTEN.findall(answer.body)])
            cursor = CURSOR.search(answer.body)
            after, seq = int(cursor[1]), int(cursor[2])
            over = answer.status == 286 or bool(first and new)
            if not over:
                await asyncio.sleep(int(PAUSE.search(answer.body)[1]) / 1000)
    link.close()


def click(server: Server, browser: Browser, here: World, row: Stage, number: int, found: Delays) -> None:
    """One promote by the form, and its first line."""
    (server.directory / "pace").write_text("2 20")
    register(here.project, ["battle"], f"2.{number}")
    form = f"/p/{here.project.name}/stages/{row.name}/promote"
    fields = browser.form(form) | {"reason": "a click"}
    began = time.perf_counter()
    answer = browser.http.post(form, data=fields)
    page = browser.get(answer.headers["Location"]).text
    found.to_page.append((time.perf_counter() - began) * 1000)
    if not WRITTEN.search(page.encode()):
        cursor = CURSOR.search(page.encode())
        live = re.search(r'data-live="([^"]+)"', page)[1]
        asyncio.run(holder(server, live, browser.cookies, [], int(cursor[1]), int(cursor[2]), first=True))
    found.clicks.append((time.perf_counter() - began) * 1000)
    until(lambda: not Rollout.objects.live().filter(stage=row).exists(), 30, "the end of the rollout")


def play(server: Server, here: World, row: Stage, cookies: str) -> Delays:
    """One rollout of two microservices, watched from its beginning to its end."""
    (server.directory / "pace").write_text(f"{LINES} {RATE}")
    register(here.project, ["battle", "chat"], "1.0")
    rollout = promote_stage(actor=SYSTEM, stage=row)
    path = f"/p/{here.project.name}/rollouts/{rollout.number}/live"
    found = Delays()

    async def watch() -> None:
        pages = [page(server, path, cookies, 1.0, number / PAGES, found.by_page) for number in range(PAGES)]
        holders = [holder(server, path, cookies, found.by_held) for _ in range(HOLDERS)]
        await asyncio.gather(page(server, path, cookies, 0.02, 0.0, found.by_eager), *pages, *holders)

    asyncio.run(watch())
    until(lambda: not Rollout.objects.live().filter(pk=rollout.pk).exists(), 30, "the end of the rollout")
    for text, at in Output.objects.filter(rollout=rollout, stream="stdout").values_list("text", "at"):
        written = int(WRITTEN.search(text.encode())[1])
        found.stored.append(at.timestamp() * 1000 - written / 1e6)
    return found


def main() -> bool:
    """Print the table; True when every line was seen by everybody."""
    here = world()
    name = people(here.project, 1)[0]
    row = stage(here.project, "stg", command="talking", phases=("deploy",))
    with Server(dict(os.environ)) as server:
        browser = server.sign_in(name, PASSWORD)
        found = play(server, here, row, browser.cookies)
        for number in range(CLICKS):
            click(server, browser, here, row, number, found)
        browser.close()
    table(f"from written to …, ms, {connection.vendor}", ["", "lines", *SPREAD], [
        ["stored", len(found.stored), *spread(found.stored)],
        ["seen by a reader that asks all the time", len(found.by_eager), *spread(found.by_eager)],
        ["seen by a page that asks once a second", len(found.by_page), *spread(found.by_page)],
        ["seen by a page whose request is held", len(found.by_held), *spread(found.by_held)],
    ])
    table(f"from the click on Promote to …, ms, {connection.vendor} ({machine()})", ["", "clicks", *SPREAD], [
        ["the rollout's page", len(found.to_page), *spread(found.to_page)],
        ["the first line of output seen", len(found.clicks), *spread(found.clicks)],
    ])
    whole, counts = 2 * LINES, (len(found.stored), len(found.by_eager), len(found.by_page), len(found.by_held))
    bad = [] if counts == (whole, whole, PAGES * whole, HOLDERS * whole) else ["lines are missing"]
    if found.by_page and max(found.by_page) > 1500:
        bad.append(f"a line was seen only after {max(found.by_page):.0f} ms")
    for text in bad:
        print("WRONG:", text)
    return not bad
