"""Clients that send or read slowly, 5, 50 and 2,000 at a time: what others notice of them, with our worker and with gunicorn's.

Two web processes of four threads; every 25 ms somebody opens a connection and asks for a page with one query, every 200 ms
somebody asks /healthz. Slow clients: half a request head; half a body; a byte of a head every 3 s; readers that take
nothing of an answer of 5 MB. A request that is not answered within 5 s counts as 5 s. "settled": after how many seconds
the slow clients' own requests were worked off, so far as they made any.
"""
from __future__ import annotations

import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator

from bench.report import machine, percentile, table
from bench.webclasses import OURS, processor_s, served

COUNTS = (5, 50, 2_000)
SECONDS, EVERY_S, PROBE_EVERY_S, DRIP_S, LONGEST_S = 6.0, 0.025, 0.2, 3.0, 5.0
# A p95 of others may double; below so many ms the machine's own noise is larger. /healthz has to answer within so many.
NOISE_MS, PROBE_MS = 25.0, 1_000.0
HALF = b"GET /one HTTP/1.1\r\nHost: localhost\r\nX-A: "
KINDS = {
    "half a head": (HALF, 0),
    "half a body": (b"POST /one HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{", 0),
    "a byte every 3 s": (HALF, 0),
    "slow readers": (b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n", 4096),
}


@contextlib.contextmanager
def crowd(port: int, kind: str, count: int) -> Iterator[None]:
    """So many slow clients, until the end of the block."""
    data, receive = KINDS[kind]
    links, over = [], threading.Event()

    def drip() -> None:
        while not over.wait(DRIP_S):
            for link in links:
                with contextlib.suppress(OSError):
                    link.send(b"x")

    with contextlib.ExitStack() as stack:
        for _ in range(count):
            link = stack.enter_context(socket.socket())
            if receive:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
            link.settimeout(LONGEST_S)
            link.connect(("127.0.0.1", port))
            link.sendall(data)
            links.append(link)
        dripper = threading.Thread(target=drip)
        if "byte" in kind:
            dripper.start()
        try:
            yield
        finally:
            over.set()
            if dripper.ident:
                dripper.join()


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


def others(port: int) -> tuple[list[float], list[float]]:
    """Milliseconds of the page and of /healthz, while slow clients are there."""
    found: dict[str, list[float]] = {"/one": [], "/healthz": []}
    stop = time.monotonic() + SECONDS

    def keep_asking(path: str, every_s: float) -> None:
        while (due := time.monotonic()) < stop:
            found[path].append(ask(port, path))
            time.sleep(max(0.0, due + every_s - time.monotonic()))

    probe = threading.Thread(target=keep_asking, args=("/healthz", PROBE_EVERY_S))
    probe.start()
    keep_asking("/one", EVERY_S)
    probe.join()
    return found["/one"], found["/healthz"]


def settled(port: int) -> float:
    """Seconds until a page is answered as usual: so long it takes to answer slow readers, who asked for 5 MB each."""
    began = time.monotonic()
    while ask(port, "/one") > 100 and time.monotonic() < began + 60:
        time.sleep(0.1)
    return time.monotonic() - began


def measured(name: str, port: int, pid: int, cases: list[tuple[str, int]]) -> tuple[list[list[object]], bool]:
    """Rows of the table, and whether all is as it should be."""
    rows, usual, good = [], 0.0, True
    for kind, count in [("nobody", 0), *cases]:
        with crowd(port, kind, count) if count else contextlib.nullcontext():
            wait = settled(port)
            used = processor_s(pid)
            pages, probes = others(port)
            used = processor_s(pid) - used
        p95, worst = percentile(pages, 0.95), max(probes)
        usual = usual or p95
        fine = p95 < max(2 * usual, NOISE_MS) and worst < PROBE_MS
        good = good and fine
        rows.append([f"{name}: {kind}", count, f"{wait:.1f}", len(pages), f"{percentile(pages, 0.5):.1f}", f"{p95:.1f}",
                     f"{max(pages):.0f}", f"{worst:.0f}", f"{used / SECONDS * 100:.0f}", "" if fine else "*"])  # fmt: skip
    return rows, good


def main() -> bool:
    """True when nobody is held up by ours."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "bench.websettings", "LOG_LEVEL": "ERROR"}
    os.makedirs(os.path.join(environ["GS2ADMIN_DATA_DIR"], "static"), exist_ok=True)
    with served(OURS, 4, environ) as (port, pid):
        rows, good = measured("ours", port, pid, [(kind, count) for count in COUNTS for kind in KINDS])
    with served("gthread", 4, environ) as (port, pid):
        rows += measured("gthread", port, pid, [("half a head", 50)])[0]
    table(f"What others notice of slow clients ({machine()}); ms, and % of a processor; * is not as it should be",
          ("slow clients", "of them", "settled s", "requests", "p50", "p95", "max", "healthz max", "processor", ""), rows)
    return good
