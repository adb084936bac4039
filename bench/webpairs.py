"""`python -m bench.webpairs`: processor time per request of our worker and of gunicorn's gthread, side by side.

Both serve at the same time and are asked in turn, half a second each, so that what else the machine does hits both; what counts
is the median of the laps. One client and eight, on kept connections and on one connection per request.
"""
from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.client import Link
from bench.report import machine, percentile, table
from bench.server import ROOT
from bench.webclasses import OURS, served
from gs2admin.processes import proc

LAPS, SECONDS, THREADS = 16, 0.5, 4
CLIENTS = (1, 8)
WORKERS = {"ours": OURS, "gthread": "gthread"}


def processor_ms(pid: int) -> float:
    """Milliseconds of processor time that the workers of a gunicorn have used."""
    tasks = (task for worker in proc.children(pid) for task in Path(f"/proc/{worker}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


async def ask(port: int, clients: int, keep: bool) -> int:
    """Requests that were answered in SECONDS."""
    data = f"GET /one HTTP/1.1\r\nHost: localhost\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
    stop, answered = time.monotonic() + SECONDS, 0

    async def one() -> None:
        nonlocal answered
        link = None
        while time.monotonic() < stop:
            if link is None or not keep:
                link = await Link.open("127.0.0.1", port)
            answered += (await link.send(data.encode())).status == 200
            if not keep:
                link.close()
        if link is not None:
            link.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    return answered


def pairs(environ: dict[str, str]) -> None:
    """Print the table."""
    cases = [(clients, keep) for clients in CLIENTS for keep in (True, False)]
    found: dict[tuple[str, int, bool], list[float]] = {}
    with served(WORKERS["ours"], THREADS, environ) as ours, served(WORKERS["gthread"], THREADS, environ) as gthread:
        for lap in range(LAPS):
            servers = [("ours", *ours), ("gthread", *gthread)]
            for case in cases:
                for name, port, pid in servers if lap % 2 else reversed(servers):
                    before = processor_ms(pid)
                    answered = asyncio.run(ask(port, *case))
                    found.setdefault((name, *case), []).append((processor_ms(pid) - before) / answered)
    rows = []
    for clients, keep in cases:
        both = [found[name, clients, keep] for name in WORKERS]
        ratio = percentile([one / other for one, other in zip(*both, strict=True)], 0.5)
        rows.append([f"{clients}, {'kept connections' if keep else 'a connection each'}",
                     *(f"{percentile(each, 0.5):.2f}" for each in both), f"{ratio:.2f}"])  # fmt: skip
    table(f"Processor ms per request, medians of {LAPS} laps in turn ({machine()})",
          ("clients of a page with one query", "ours", "gthread", "ours / gthread"), rows)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        environ = {**os.environ, "GS2ADMIN_DATA_DIR": directory, "DJANGO_SETTINGS_MODULE": "bench.websettings"}
        environ["LOG_LEVEL"] = "ERROR"
        os.mkdir(os.path.join(directory, "static"))
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environ, check=True)
        pairs(environ)


if __name__ == "__main__":
    main()
