"""`python -m bench.webpairs`: processor time per request of our worker and of gunicorn's gthread, side by side.

Both serve at the same time and are asked in turn, a second each, so that what else the machine does hits both; what counts is
the median of the laps. Kept connections, and one connection per request.
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

LAPS, SECONDS, CONNECTIONS, THREADS = 8, 1.0, 8, 4
WORKERS = {"ours": OURS, "gthread": "gthread"}


def processor_ms(pid: int) -> float:
    """Milliseconds of processor time that the workers of a gunicorn have used."""
    tasks = (task for worker in proc.children(pid) for task in Path(f"/proc/{worker}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


async def ask(port: int, keep: bool) -> int:
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

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return answered


def pairs(environ: dict[str, str]) -> None:
    """Print the table."""
    found: dict[tuple[str, bool], list[float]] = {}
    rates: dict[tuple[str, bool], list[float]] = {}
    with served(WORKERS["ours"], THREADS, environ) as ours, served(WORKERS["gthread"], THREADS, environ) as gthread:
        for lap in range(LAPS):
            servers = [("ours", *ours), ("gthread", *gthread)]
            for name, port, pid in servers if lap % 2 else reversed(servers):
                for keep in (True, False):
                    before = processor_ms(pid)
                    answered = asyncio.run(ask(port, keep))
                    found.setdefault((name, keep), []).append((processor_ms(pid) - before) / answered)
                    rates.setdefault((name, keep), []).append(answered / SECONDS)
    rows = []
    for keep, connections in ((True, "kept connections"), (False, "a connection each")):
        ours_ms, theirs_ms = (percentile(found[name, keep], 0.5) for name in WORKERS)
        ratio = percentile([one / other for one, other in zip(found["ours", keep], found["gthread", keep], strict=True)], 0.5)
        rows.append([connections, f"{ours_ms:.2f}", f"{theirs_ms:.2f}", f"{ratio:.2f}",
                     *(f"{percentile(rates[name, keep], 0.5):.0f}" for name in WORKERS)])  # fmt: skip
    table(f"Processor ms per request, medians of {LAPS} laps in turn ({machine()})",
          ("page with one query", "ours", "gthread", "ours / gthread", "ours, per s", "gthread, per s"), rows)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        environ = {**os.environ, "GS2ADMIN_DATA_DIR": directory, "DJANGO_SETTINGS_MODULE": "bench.websettings"}
        environ["LOG_LEVEL"] = "ERROR"
        os.mkdir(os.path.join(directory, "static"))
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environ, check=True)
        pairs(environ)


if __name__ == "__main__":
    main()
