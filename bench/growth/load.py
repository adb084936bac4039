"""Axes of load: watchers, connections, worker processes, hosts. On real processes, through loopback."""
from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from bench import jobs as peers
from bench import place
from bench.client import Link, request
from bench.growth.results import point
from bench.report import percentile
from bench.server import Server
from bench.watchers import WEB, cpu_s, crowd, people, stage, start, world
from bench.world import PASSWORD
from tests.conditions import until

CROWDS, LONG_CROWDS = (1, 10, 100, 500), (1_000, 3_000)
WATCH_S = 8
CONNECTIONS, LONG_CONNECTIONS = (0, 500, 2_000), (5_000,)
ASKED = 150
PROCESSES = (1, 2, 4, 8)
HOSTS = (1, 2, 3)
EACH = 2
JOBS = int(os.environ.get("BENCH_JOBS", "12000"))
OURS = peers.Peer("gs2admin", "bench.peers.ours")
# PostgreSQL's socket is a file, which a process reaches from every network namespace.
SOCKETS = Path("/var/run/postgresql")


def watchers(long: bool) -> list[dict]:
    """CPU of the web processes per answer, and the answers' p99 from when they were due."""
    here, points = world("growth-watch"), []
    names = people(here.project, 5)
    row = stage(here.project, "stg", command="talking", phases=("deploy",))
    crowds = CROWDS + (LONG_CROWDS if long else ())
    with Server(dict(os.environ), LOG_LEVEL="ERROR") as server:
        browsers = [server.sign_in(name, PASSWORD) for name in names]
        rollout = start(here, row, server, "1.1", (WATCH_S + 8) * len(crowds) + 20)
        path = f"/p/{here.project.name}/rollouts/{rollout.number}/live"
        for count in crowds:
            before = cpu_s(server, WEB)
            seen = asyncio.run(crowd(server, path, [one.cookies for one in browsers], 0, 0, count=count, seconds=WATCH_S))
            used, answers = cpu_s(server, WEB) - before, len(seen.latencies_ms)
            points.append(point(count, CPU_per_answer=used / answers * 1000, p50=percentile(seen.latencies_ms, 0.5),
                                p99=percentile(seen.latencies_ms, 0.99), errors=sum(seen.codes.values()) - answers))  # fmt: skip
    return points


def sockets(long: bool) -> list[dict]:
    """What another client notices of connections that were used once and stay, and the memory of each."""
    points, counts = [], CONNECTIONS + (LONG_CONNECTIONS if long else ())
    with Server(dict(os.environ), LOG_LEVEL="ERROR") as server:
        usual = _memory_kb(server)
        for count in counts:
            points.append(asyncio.run(_beside(server, count, usual)))
    return points


async def _beside(server: Server, count: int, usual: float) -> dict:
    ask = request("GET", "/readyz", host=f"127.0.0.1:{server.port}")
    links: list[Link] = []
    for _ in range(0, count, 50):
        some = await asyncio.gather(*(Link.open("127.0.0.1", server.port) for _ in range(min(50, count - len(links)))))
        await asyncio.gather(*(link.send(ask) for link in some))
        links += some
    times: list[float] = []
    for _ in range(ASKED):
        began = time.perf_counter()
        link = await Link.open("127.0.0.1", server.port)
        await link.send(ask)
        link.close()
        times.append((time.perf_counter() - began) * 1000)
    memory = (_memory_kb(server) - usual) / count if count else 0.0
    for link in links:
        link.close()
    return point(count, p50_of_others=percentile(times, 0.5), p99_of_others=percentile(times, 0.99), KiB_per_connection=memory)


def _memory_kb(server: Server) -> float:
    """PSS of the web processes."""
    total = 0
    for look in server.processes():
        with contextlib.suppress(OSError):
            if look.name == WEB:
                rollup = Path(f"/proc/{look.process.pid}/smaps_rollup").read_text()
                total += int(rollup.partition("\nPss:")[2].split()[0])
    return total


def workers(long: bool) -> list[dict]:
    """Jobs per second and CPU per job of `manage.py worker` with so many processes for jobs."""
    kind = "postgres" if os.environ["DATABASE_URL"].startswith("postgres") else "sqlite"
    points, peers.COUNT = [], JOBS
    for count in PROCESSES:
        more = {"WORKERS": "1", "JOB_WORKERS": str(count), "LOG_LEVEL": "ERROR"}
        with place.place(kind) as environ:
            found = peers.backlog(OURS, environ | more)
        points.append(point(count, **{"jobs/s": found.per_s, "CPU_ms_per_job": found.cpu_ms}))
    return points


# ── Hosts ───────────────────────────────────────────────────────────────────────────────────────────────────


def hosts(long: bool) -> list[dict]:
    """Several `manage.py worker`, each in a network namespace and with a data directory of its own, on one PostgreSQL."""
    points, peers.COUNT = [], JOBS
    for count in HOSTS:
        with place.place("postgres") as environ, contextlib.ExitStack() as stack:
            environ |= {"WORKERS": "1", "JOB_WORKERS": str(EACH), "LOG_LEVEL": "ERROR"}
            peers.call(OURS, environ, "prepare")
            peers.call(OURS, environ, "push", str(JOBS))
            counter = peers.Counter(OURS, environ)
            stack.callback(counter.close)
            crew = Crew([stack.enter_context(_host(environ)) for _ in range(count)])
            idle = count * peers.IDLE
            until(lambda crew=crew, idle=idle: crew.named("qc-idle") >= idle, peers.LIMIT_S, "the start of all hosts")
            # Beside the looks: it takes as long to end as a few thousand jobs.
            with subprocess.Popen([sys.executable, "-m", OURS.module, "begin"], env=environ, cwd=place.ROOT):
                found = peers.rate(counter, crew, JOBS)
        points.append(point(count, **{"jobs/s": found.per_s, "CPU_ms_per_job": found.cpu_ms}))
    return points


class Crew:
    """The workers of several hosts, counted together."""

    def __init__(self, hosts: list[peers.Workers]) -> None:
        self.hosts = hosts

    def named(self, name: str) -> int:
        """How many of their processes are called that."""
        return sum(host.named(name) for host in self.hosts)

    def cpu_s(self) -> float:
        """CPU seconds that all their processes have used."""
        return sum(host.cpu_s() for host in self.hosts)


@contextlib.contextmanager
def _host(environ: dict[str, str]) -> Iterator[peers.Workers]:
    """A worker host. Where no network namespace can be made it differs by its data directory alone."""
    name, directory = f"bench-{secrets.token_hex(4)}", tempfile.mkdtemp(prefix="gs2admin-host-")
    mine = environ | {"GS2ADMIN_DATA_DIR": directory, "GS2ADMIN_COMMANDS": ""}
    apart = os.geteuid() == 0 and bool(shutil.which("ip")) and not subprocess.run(
        ["ip", "netns", "add", name], check=False, stderr=subprocess.DEVNULL
    ).returncode
    command = [sys.executable, "-m", OURS.module, "work"]
    if apart and any(SOCKETS.glob(".s.PGSQL.*")):
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        url = urlsplit(environ["DATABASE_URL"])
        mine["DATABASE_URL"] = f"postgres://{url.username}@{quote(str(SOCKETS), safe='')}:{url.port or 5432}{url.path}"
        command = ["ip", "netns", "exec", name, *command]
    else:
        print("   no network namespaces here: the hosts differ by their data directories alone")
    try:
        with peers.Workers(OURS, mine, command) as workers:
            yield workers
    finally:
        if apart:
            subprocess.run(["ip", "netns", "del", name], check=False)
        shutil.rmtree(directory, ignore_errors=True)
