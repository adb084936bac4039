"""`python -m bench.webclasses`: which gunicorn worker class answers a page with one query best. Not part of `make bench`.

Uses wrk when it is installed (less load of its own), else our client. gevent is measured where it can be imported.
Figures: requests per second, p99 in ms, errors, and the server's processor time per request in ms, which other work on
the machine hardly touches. Besides the plain page, a page that waits 20 ms outside Python (as for a remote database)
tells how many requests a process serves at once.
"""
from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.server import ROOT, free_port
from gs2admin.processes import proc
from tests.conditions import until

PAGES = ("/one", "/wait")
OURS = "gs2admin.processes.web.Worker"
# name -> worker class, threads
SETUPS = {
    "sync": ("sync", 1),
    "gthread, 4 threads": ("gthread", 4),
    "gthread, 8 threads": ("gthread", 8),
    "ours, 2 threads": (OURS, 2),
    "ours, 4 threads": (OURS, 4),
    "ours, 8 threads": (OURS, 8),
    "gevent": ("gevent", 1),
}


@contextmanager
def served(worker_class: str, threads: int, environ: dict[str, str], workers: int = 2):
    """A gunicorn; yields its port and pid."""
    port = free_port()
    process = subprocess.Popen(
        # Away from our gunicorn.conf.py: it loads the application before the fork, which gevent cannot follow.
        [sys.executable, "-m", "gunicorn", "--pythonpath", str(ROOT), "--worker-class", worker_class, "--workers",
         str(workers), "--threads", str(threads), "--bind", f"127.0.0.1:{port}", "--worker-connections", "10000",
         "--keep-alive", "75", "--no-control-socket", "--log-level", "critical", "bench.webpages:application"],
        cwd=environ["GS2ADMIN_DATA_DIR"], env=environ,
    )
    try:
        until(lambda: answers(port), 60, "gunicorn answers")
        yield port, process.pid
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/one", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def processor_s(pid: int) -> float:
    """Seconds of processor time that the workers of a gunicorn have used."""
    fields = [Path(f"/proc/{worker}/stat").read_text().rpartition(") ")[2].split() for worker in proc.children(pid)]
    return sum(int(field[11]) + int(field[12]) for field in fields) / os.sysconf("SC_CLK_TCK")


def load(port: int, path: str, connections: int, seconds: int) -> tuple[float, float, int]:
    """Requests per second, p99 in ms, errors."""
    if wrk := shutil.which("wrk"):
        command = [wrk, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--latency"]
        text = subprocess.run([*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
        value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s|m)", text).groups()
        errors = sum(map(int, re.findall(r"(?:connect|read|write|timeout|Non-2xx or 3xx responses:) (\d+)", text)))
        return (float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
                float(value) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit], errors)
    return asyncio.run(_load(port, path, connections, seconds))


async def _load(port: int, path: str, connections: int, seconds: int) -> tuple[float, float, int]:
    from bench.client import Broken, Link

    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    deadline, took, errors = time.monotonic() + seconds, [], 0

    async def one() -> None:
        nonlocal errors
        link = await Link.open("127.0.0.1", port)
        while (began := time.monotonic()) < deadline:
            try:
                answer = await link.send(request)
                errors += answer.status != 200
                took.append(time.monotonic() - began)
            except Broken:  # a server without keep-alive
                link = await Link.open("127.0.0.1", port)
        link.close()

    await asyncio.gather(*(one() for _ in range(connections)))
    return len(took) / seconds, sorted(took)[len(took) * 99 // 100] * 1000, errors


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.webclasses", description=__doc__)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    asked = parser.parse_args()
    best: dict[tuple[str, str], tuple[float, float, int, float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        environ = {**os.environ, "GS2ADMIN_DATA_DIR": directory, "DJANGO_SETTINGS_MODULE": "bench.websettings"}
        environ.setdefault("LOG_LEVEL", "WARNING")
        os.mkdir(os.path.join(directory, "static"))
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environ, check=True)
        # In turn, so that a disturbance does not hit one of them only; the best round counts.
        for _ in range(asked.rounds):
            for name, (worker_class, threads) in SETUPS.items():
                if worker_class == "gevent" and not importlib.util.find_spec("gevent"):
                    continue
                with served(worker_class, threads, environ) as (port, pid):
                    for path in PAGES:
                        before = processor_s(pid)
                        rate, p99, errors = load(port, path, asked.connections, asked.seconds)
                        each = (processor_s(pid) - before) / (rate * asked.seconds) * 1000
                        best[name, path] = max(best.get((name, path), (0.0, 0.0, 0, 0.0)), (rate, p99, errors, each))
    print(f"{asked.connections} connections, 2 workers, best of {asked.rounds} x {asked.seconds} s: "
          "requests/s (p99 ms, errors, processor ms each)")
    for name in SETUPS:
        cells = [f"{path} {rate:6.0f} ({p99:.0f}, {errors}, {each:.2f})" for path in PAGES
                 for rate, p99, errors, each in [best.get((name, path), (0.0, 0.0, 0, 0.0))]]
        print(f"{name:20} {'   '.join(cells)}")


if __name__ == "__main__":
    main()
