"""How large a web process becomes when a viewer asks for the most that there is: live answers at cursors of their own choice,
then every page that can be reached, with hostile parameters. Proportional set size (PSS), the largest of the web processes.
"""
from __future__ import annotations

import os
import random
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from django.urls import Resolver404, resolve

from bench import server as up
from bench.report import table
from bench.world import PASSWORD, people
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential
from gs2admin.identity.services.projects import create_project
from stages import demo
from stages.models import Output, Rollout
from tests.wire import jobs_world, locks_world

LINES, LINE = 4_000, 8_000
POLLS = int(os.environ.get("BENCH_POLLS", "1000"))
WALK = int(os.environ.get("BENCH_WALK", "1000"))
SEED = int(os.environ.get("BENCH_SEED", "1"))
SAMPLES, THREADS, MOST_MB = 6, 4, 200.0
LINK = re.compile(r'(?:href|hx-get|data-live|action)="(/[^"#]*)"')
NAMES = (
    "after", "seq", "before", "q", "id", "a", "b", "page", "revision", "against", "stage", "state", "since", "until", "actor",
    "type", "object", "player", "script", "status", "cursor", "from", "by", "user", "key", "to", "how", "kind",
)  # fmt: skip
VALUES = (
    "", "0", "1", "7", "-1", "999999999", "9" * 15, "9" * 400, "1e9", "0x10", "٣", "²", "null", "x" * 4_000, "\u202e\x1b",
    "'\"<>", "%00", "../..", "[]", "{}", "2026-01-01", "9999-12-31", "stg", "dev", "user",
)  # fmt: skip


def main() -> bool:
    """Prints a table; True when no web process reached MOST_MB and nothing was answered with 5xx."""
    project = create_project(actor=SYSTEM, name="isles", owner_id="isles-owner")
    demo.build(project)
    jobs_world.build(project)
    locks_world.build(project)
    create_credential(actor=SYSTEM, project=project, name="game")
    viewer = people(project, 1, "viewer")[0]
    rollout = Rollout.objects.filter(project=project, state="succeeded").order_by("-id")[0]
    texts = ("&" * LINE, "x" * LINE, "\u202e" * LINE, "雪" * LINE)
    first = rollout.last_seq
    Output.objects.bulk_create(
        (Output(rollout=rollout, stage_id=rollout.stage_id, seq=first + n, text=texts[n % 4], microservice="auth")
         for n in range(1, LINES + 1)), batch_size=50,
    )
    Rollout.objects.filter(pk=rollout.pk).update(last_seq=first + LINES)
    environ = dict(os.environ) | {"WEB_WORKERS": "1", "GS2ADMIN_DEMO": "0"}
    with up.Server(environ) as server:
        browser = server.sign_in(viewer, PASSWORD)
        client = httpx.Client(base_url=server.url, timeout=120, headers={"Cookie": browser.cookies})
        rows, bad = [("after sign-in", 0, 0, pss(server))], []
        live = f"/p/{project.name}/rollouts/{rollout.number}/live"
        dice = random.Random(SEED)
        polls = [f"{live}?after={dice.randrange(10**6)}&seq={dice.randrange(first + LINES)}" for _ in range(POLLS)]
        rows.append(("polls at chosen cursors", *run(client, polls, bad), pss(server)))
        pages = crawl(client, f"/p/{project.name}/")
        asked = [hostile(dice, dice.choice(pages[view])) for view in sorted(pages) for _ in range(max(1, WALK // len(pages)))]
        rows.append((f"{len(pages)} addresses, hostile parameters", *run(client, asked, bad), pss(server)))
        client.close()
        browser.close()
    table("One web process", ["after", "requests", "MB answered", "PSS, MB"],
          [(name, n, f"{size / 1e6:.0f}", f"{mb:.0f}") for name, n, size, mb in rows])
    for status, path in bad[:10]:
        print(f"   {status} {path[:200]}")
    return not bad and all(row[3] < MOST_MB for row in rows)


def pss(server: up.Server) -> float:
    """MB of the largest web process."""
    sizes = []
    for look in server.processes():
        if look.name == "gs-web" and look.process.pid != look.group:
            text = Path(f"/proc/{look.process.pid}/smaps_rollup").read_text()
            sizes.append(int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) / 1024)
    return max(sizes)


def run(client: httpx.Client, paths: list[str], bad: list[tuple[int, str]]) -> tuple[int, int]:
    """Ask for all of them, THREADS at a time; (requests, bytes). bad: gets what was answered with 5xx."""

    def ask(path: str) -> int:
        answer = client.get(path)
        if answer.status_code >= 500:
            bad.append((answer.status_code, path))
        return len(answer.content)

    with ThreadPoolExecutor(THREADS) as threads:
        return len(paths), sum(threads.map(ask, paths))


def crawl(client: httpx.Client, start: str) -> dict[str, list[str]]:
    """{name of the route: some of its addresses}, of all that pages lead to."""
    found: dict[str, list[str]] = defaultdict(list)
    left, seen = [start, "/projects", "/password", f"{start}activity", f"{start}player?id=u-1"], set()
    while left:
        path = left.pop(0)
        try:
            view = resolve(urlsplit(path).path).view_name
        except Resolver404:
            continue
        if path in seen or len(found[view]) >= SAMPLES or view in ("logout", "theme") or path.startswith("/admin"):
            continue
        seen.add(path)
        found[view].append(path)
        answer = client.get(path)
        if "text/html" in answer.headers.get("Content-Type", ""):
            left += (unescape(link) for link in LINK.findall(answer.text))
    return {view: paths for view, paths in found.items() if paths}


def hostile(dice: random.Random, path: str) -> str:
    """The address with other parameters."""
    bare = path.partition("?")[0] if dice.random() < 0.5 else path
    words = {dice.choice(NAMES): dice.choice(VALUES) for _ in range(dice.randrange(1, 6))}
    return f"{bare}{'&' if '?' in bare else '?'}{httpx.QueryParams(words)}"
