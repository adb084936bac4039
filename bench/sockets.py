"""Clients that send or read slowly, and bursts of one client, 5 to 2,000 at a time: what others notice of them.

Two web processes of four threads. Every 25 ms somebody opens a connection and asks for a page with one query, every 200 ms
somebody asks /healthz; before each case the same without it, which is the usual. Slow clients: half a request head; half a
body; a byte of a head every 3 s, all at once; readers that take nothing of an answer of 5 MB, after their requests were worked
off ("settled" so many s) and while they are ("burst"); requests that take a second each. All of these are one client behind a
proxy. A request that is not answered within 5 s counts as 5 s. "cpu": processor time of the web processes per other request.
"""
from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from bench.report import machine, percentile, table
from bench.server import ROOT
from bench.slow_clients import KINDS
from bench.webclasses import OURS, served
from bench.webpairs import pairs, processor_ms

COUNTS = (5, 50, 2_000)
SLOW = tuple(KINDS)[:4]
# Of the load of the last minute, above which a figure is marked.
QUIET = 4.0
USUAL_S, SECONDS, EVERY_S, PROBE_EVERY_S, LONGEST_S = 3.0, 6.0, 0.025, 0.2, 5.0
# A p95 of others may double; below so many ms the machine's own noise is larger. /healthz has to answer within so many.
NOISE_MS, PROBE_MS = 25.0, 1_000.0


@contextlib.contextmanager
def crowd(port: int, kind: str, count: int) -> Iterator[None]:
    """So many slow clients, until the end of the block."""
    child = subprocess.Popen([sys.executable, "-m", "bench.slow_clients", str(port), kind, str(count)], cwd=ROOT,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        if child.stdout.readline() != b"there\n":
            raise RuntimeError("the slow clients could not connect")
        yield
    finally:
        child.stdin.close()
        child.wait(30)
        child.stdout.close()


def ask(port: int, path: str) -> float:
    """Milliseconds until the answer to a request on a connection of its own is there."""
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=LONGEST_S) as link:
            link.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while part := link.recv(65536):
                answer += part
        if answer.startswith(b"HTTP/1.1 200 "):
            return (time.monotonic() - began) * 1000
    except OSError:
        pass
    return LONGEST_S * 1000


class Seen(NamedTuple):
    """Milliseconds of the pages and of /healthz; cpu: milliseconds of processor time per page."""

    pages: list[float]
    probes: list[float]
    cpu: float

    @property
    def p95(self) -> float:
        return percentile(self.pages, 0.95)


def others(port: int, pid: int, seconds: float) -> Seen:
    """What others get for so long."""
    found: dict[str, list[float]] = {"/one": [], "/healthz": []}
    stop, used = time.monotonic() + seconds, processor_ms(pid)

    def keep_asking(path: str, every_s: float) -> None:
        while (due := time.monotonic()) < stop:
            found[path].append(ask(port, path))
            time.sleep(max(0.0, due + every_s - time.monotonic()))

    probe = threading.Thread(target=keep_asking, args=("/healthz", PROBE_EVERY_S))
    probe.start()
    keep_asking("/one", EVERY_S)
    probe.join()
    return Seen(found["/one"], found["/healthz"], (processor_ms(pid) - used) / len(found["/one"]))


def settled(pid: int) -> float:
    """Seconds until the web processes have nothing to do any more: slow readers asked for 5 MB each."""
    began = time.monotonic()
    while time.monotonic() < began + 60:
        used = processor_ms(pid)
        time.sleep(0.5)
        if processor_ms(pid) - used < 50:
            break
    return time.monotonic() - began


def row(name: str, count: int, wait: float, usual: Seen, seen: Seen) -> tuple[list[object], bool]:
    """A row of the table, and whether all is as it should be."""
    fine = seen.p95 < max(2 * usual.p95, NOISE_MS) and max(seen.probes) < PROBE_MS
    load = os.getloadavg()[0]
    half, usual_half = percentile(seen.pages, 0.5), percentile(usual.pages, 0.5)
    figures = (usual_half, half, usual.p95, seen.p95, max(seen.pages), max(seen.probes), usual.cpu, seen.cpu)
    return [name, count, f"{wait:.1f}", len(seen.pages), *(f"{figure:.1f}" for figure in figures[:4]),
            *(f"{figure:.0f}" for figure in figures[4:6]), *(f"{figure:.2f}" for figure in figures[6:]),
            f"{load:.1f}{' (busy)' if load > QUIET else ''}", "" if fine else "*"], fine  # fmt: skip


def standing(port: int, pid: int, kind: str, count: int) -> tuple[float, Seen, Seen]:
    """Beside slow clients whose own requests, so far as they made any, were worked off: seconds until then, usual, seen."""
    settled(pid)
    usual = others(port, pid, USUAL_S)
    with crowd(port, kind, count):
        wait = settled(pid)
        return wait, usual, others(port, pid, SECONDS)


def burst(port: int, pid: int, kind: str, count: int) -> tuple[float, Seen, Seen]:
    """From the moment on in which they begin to ask."""
    usual, found = others(port, pid, USUAL_S), []
    watcher = threading.Thread(target=lambda: found.append(others(port, pid, SECONDS)))
    watcher.start()
    with crowd(port, kind, count):
        watcher.join()
    return 0.0, usual, found[0]


def main() -> bool:
    """True when nobody is held up by ours."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "bench.websettings", "LOG_LEVEL": "ERROR"}
    os.makedirs(os.path.join(environ["GS2ADMIN_DATA_DIR"], "static"), exist_ok=True)
    only = os.environ.get("BENCH_KINDS", "")
    found: list[tuple[list[object], bool]] = []

    def look(case, port: int, pid: int, kind: str, count: int, name: str) -> None:
        if only in f"{name} {count}":
            found.append(row(name, count, *case(port, pid, kind, count)))

    with served(OURS, 4, environ) as (port, pid):
        for kind in SLOW:
            for count in COUNTS:
                look(standing, port, pid, kind, count, kind)
    # Each on a server of its own: what was asked of it goes on when who asked has gone.
    for kind in ("slow readers", "requests of a second"):
        with served(OURS, 4, environ) as (port, pid):
            look(burst, port, pid, kind, 2_000, f"burst: {kind}")
    good = all(fine for _, fine in found)
    with served("gthread", 4, environ) as (port, pid):
        look(standing, port, pid, "half a head", 50, "half a head, gthread")
    table(f"What others notice of slow clients ({machine()}); ms; * is not as it should be",
          ("slow clients", "of them", "settled s", "asked", "p50 usual", "p50", "p95 usual", "p95", "max", "healthz max",
           "cpu usual", "cpu", "load", ""), [cells for cells, _ in found])  # fmt: skip
    if not only:
        pairs(environ)
    return good
