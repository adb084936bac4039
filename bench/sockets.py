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


def one_case(worker_class: str, environ: dict[str, str], kind: str, count: int, burst: bool) -> tuple[list[object], bool]:
    """On servers of its own: what was asked of them goes on when who asked has gone."""
    with served(worker_class, 4, environ) as (port, pid):
        usual = others(port, pid, USUAL_S)
        if burst:
            found: list[Seen] = []
            watcher = threading.Thread(target=lambda: found.append(others(port, pid, SECONDS)))
            watcher.start()
            with crowd(port, kind, count):
                watcher.join()
            seen, wait = found[0], 0.0
        else:
            with crowd(port, kind, count):
                wait = settled(pid)
                seen = others(port, pid, SECONDS)
    name = f"{'burst: ' if burst else ''}{kind}{'' if worker_class == OURS else ', gthread'}"
    return row(name, count, wait, usual, seen)


def main() -> bool:
    """True when nobody is held up by ours."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "bench.websettings", "LOG_LEVEL": "ERROR"}
    os.makedirs(os.path.join(environ["GS2ADMIN_DATA_DIR"], "static"), exist_ok=True)
    only = os.environ.get("BENCH_KINDS", "")
    cases = [(OURS, kind, count, False) for kind in SLOW for count in COUNTS]
    cases += [(OURS, kind, 2_000, True) for kind in ("slow readers", "requests of a second")]
    cases += [("gthread", "half a head", 50, False)]
    found = [one_case(worker, environ, kind, count, burst) for worker, kind, count, burst in cases
             if only in f"{'burst ' if burst else ''}{kind} {count}"]  # fmt: skip
    table(f"What others notice of slow clients ({machine()}); ms; * is not as it should be",
          ("slow clients", "of them", "settled s", "asked", "p50 usual", "p50", "p95 usual", "p95", "max", "healthz max",
           "cpu usual", "cpu", "load", ""), [cells for cells, _ in found])  # fmt: skip
    if not only:
        pairs(environ)
    return all(fine for cells, fine in found if "gthread" not in cells[0])
