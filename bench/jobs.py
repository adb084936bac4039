"""Jobs per second, ours against others in the same run: a backlog, and while one producer pushes one by one; and how long
after its push a single job has its result.

A trivial job each; ours runs a Lua script in its sandbox, the others an empty Python function. Two workers each, results
kept. The rate of a backlog is taken between a tenth and nine tenths of its results, so that nobody's start counts. The CPU
time of the workers per job hardly depends on what else the machine does; the rates do.
"""
from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from bench import place
from bench.report import SPREAD, machine, spread, table
from gs2admin.processes import proc
from tests.conditions import until

COUNT = int(os.environ.get("BENCH_JOBS", "4000"))
LIMIT_S = 120.0
LOOK_S = 0.05
WARM = 20
# Ours: one worker for rollouts and two for jobs.
IDLE = 3
SINGLE = int(os.environ.get("BENCH_SINGLE", "100"))
SINGLE_EVERY_S = 0.1
# What a trivial script's result may take at low load: the broker's poll, and 20 ms.
GOAL_MS = 70


@dataclass(frozen=True)
class Peer:
    """One job queue. kinds: the databases that it is measured on."""

    name: str
    module: str
    kinds: tuple[str, ...] = ("sqlite", "postgres")

    @property
    def ours(self) -> bool:
        """Whether it is this project."""
        return self.module.endswith(".ours")


PEERS = (
    Peer("gs2admin, Lua script", "bench.peers.ours"),
    Peer("django-q2, ORM broker", "bench.peers.q2"),
    Peer("procrastinate", "bench.peers.procrastinate_peer", ("postgres",)),
    Peer("celery, Redis", "bench.peers.celery_peer", ("postgres",)),
)


def call(peer: Peer, environ: dict[str, str], *what: str) -> str:
    """Run one of the peer's commands to its end; returns what it printed."""
    run = subprocess.run([sys.executable, "-m", peer.module, *what], env=environ, cwd=place.ROOT, capture_output=True,
                         text=True, timeout=LIMIT_S, check=False)
    if run.returncode:
        raise RuntimeError(f"{peer.name} {what}: {run.stderr[-2000:]}")
    return run.stdout.strip().splitlines()[-1] if run.stdout.strip() else ""


class Workers:
    """The peer's two workers, ended with everything below them. Use as a context manager."""

    def __init__(self, peer: Peer, environ: dict[str, str]) -> None:
        self.peer, self.environ = peer, environ

    def __enter__(self) -> Workers:
        with open(os.path.join(self.environ["GS2ADMIN_DATA_DIR"], "peer.log"), "ab") as log:
            self.child = subprocess.Popen([sys.executable, "-m", self.peer.module, "work"], env=self.environ, cwd=place.ROOT,
                                          stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        return self

    def __exit__(self, *_: object) -> None:
        family = [look.process for look in proc.descendants(self.child.pid)]
        with contextlib.suppress(ProcessLookupError):
            self.child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(5)
        for left in family:
            if proc.alive(left):
                proc.kill(left)
        self.child.kill()
        self.child.wait()

    def named(self, name: str) -> int:
        """How many of its processes are called that."""
        return sum(look.name == name for look in proc.descendants(self.child.pid))

    def cpu_s(self) -> float:
        """CPU seconds that all its processes have used."""
        ticks = 0
        for pid in [self.child.pid, *(look.process.pid for look in proc.descendants(self.child.pid))]:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
                ticks += sum(map(int, file.read().rpartition(") ")[2].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")


class Counter:
    """Counts a peer's results by a query of its own, in this process, so that looking is cheap."""

    def __init__(self, peer: Peer, environ: dict[str, str]) -> None:
        self.peer, self.environ = peer, environ
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.peers.count", peer.module], env=environ, cwd=place.ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )

    def __call__(self, word: str = "") -> int:
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def push(self) -> None:
        """Push one job."""
        self("push")

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Rate:
    """per_s: jobs per second. cpu_ms: CPU time of the workers' processes per job."""

    per_s: float
    cpu_ms: float


def rate(count: Counter, workers: Workers, total: int) -> Rate:
    """Between a tenth and nine tenths of `total` results."""
    seen, deadline = [], time.monotonic() + LIMIT_S
    while True:
        done, cpu_s, now = count(), workers.cpu_s(), time.monotonic()
        seen.append((now, done, cpu_s))
        if done >= total:
            break
        if now > deadline:
            return Rate(float("nan"), float("nan"))
        time.sleep(LOOK_S)
    inside = [one for one in seen if total * 0.1 <= one[1] <= total * 0.9] or seen[-2:]
    (first, low, before), (last, high, after) = inside[0], inside[-1]
    if last - first < 0.2:  # it was over between two looks: take all that was seen
        started = next((one for one in seen if one[1]), seen[0])
        took = max(seen[-1][0] - started[0] + LOOK_S / 2, 1e-9)
        return Rate(total / took, (seen[-1][2] - seen[0][2]) / total * 1000)
    return Rate((high - low) / (last - first), (after - before) / max(high - low, 1) * 1000)


def backlog(peer: Peer, environ: dict[str, str]) -> Rate:
    """Everything is pushed before anybody works."""
    call(peer, environ, "prepare")
    call(peer, environ, "push", str(COUNT))
    count = Counter(peer, environ)
    try:
        with Workers(peer, environ) as workers:
            if peer.ours:
                # It starts a second cluster, for rollouts, and their supervision, which are not what is measured here.
                until(lambda: workers.named("qc-idle") == IDLE, LIMIT_S, "the start of all clusters")
                # Beside the looks: it takes as long to end as a few thousand jobs.
                with subprocess.Popen([sys.executable, "-m", peer.module, "begin"], env=environ, cwd=place.ROOT):
                    return rate(count, workers, COUNT)
            return rate(count, workers, COUNT)
    finally:
        count.close()


@contextlib.contextmanager
def awake(peer: Peer, environ: dict[str, str]):
    """Workers that have run their first jobs: (count, workers)."""
    call(peer, environ, "prepare", *(["auto"] if peer.ours else []))
    count = Counter(peer, environ)
    try:
        with Workers(peer, environ) as workers:
            call(peer, environ, "push", str(WARM))
            deadline = time.monotonic() + 60
            while count() < WARM and time.monotonic() < deadline:
                time.sleep(LOOK_S)
            yield count, workers
    finally:
        count.close()


def while_pushed(peer: Peer, environ: dict[str, str]) -> tuple[Rate, float]:
    """One producer pushes one by one while two workers work. Returns also ours: django-q tasks per job."""
    with awake(peer, environ) as (count, workers):
        rings = int(call(peer, environ, "rings")) if peer.ours else 0
        producer = subprocess.Popen([sys.executable, "-m", peer.module, "push", str(COUNT)], env=environ, cwd=place.ROOT)
        found = rate(count, workers, COUNT + WARM)
        producer.wait(30)
        return found, (int(call(peer, environ, "rings")) - rings) / COUNT if peer.ours else 1.0


def single(peer: Peer, environ: dict[str, str]) -> list[float]:
    """Milliseconds from the return of a push to its result, one job at a time with pauses."""
    with awake(peer, environ) as (count, _):
        found = []
        for number in range(SINGLE):
            time.sleep(SINGLE_EVERY_S * random.uniform(0.5, 1.5))
            count.push()
            began = time.monotonic()
            while count() < WARM + number + 1:
                if time.monotonic() - began > 10:
                    return found
                time.sleep(0.0005)
            found.append((time.monotonic() - began) * 1000)
        return found


def main() -> bool:
    """Prints the tables; True always: it judges nothing."""
    kind = "postgres" if os.environ["DATABASE_URL"].startswith("postgres") else "sqlite"
    rows, latencies, base = [], [], None
    for peer in PEERS:
        if kind not in peer.kinds:
            continue
        more = {"WORKERS": "1", "JOB_WORKERS": "2", "LOG_LEVEL": "ERROR"}
        with place.place(kind) as environ:
            before = backlog(peer, environ | more)
        with place.place(kind) as environ:
            during, rings = while_pushed(peer, environ | more)
        with place.place(kind) as environ:
            latencies.append([peer.name, *spread(single(peer, environ | more))])
        rows.append((peer, before, during, rings))
        if peer.module.endswith(".q2"):
            base = before, during
        print(f"   {peer.name}: backlog {before.per_s:.0f}, while pushed {during.per_s:.0f} ({machine()})", flush=True)
    table(
        f"{COUNT} trivial jobs, two workers, results kept, on {kind}",
        ["", "backlog, jobs/s", "× django-q2", "CPU ms/job", "while pushed, jobs/s", "× django-q2", "CPU ms/job", "tasks/job"],
        [[peer.name, f"{b.per_s:.0f}", f"{b.per_s / base[0].per_s:.2f}", f"{b.cpu_ms:.2f}", f"{d.per_s:.0f}",
          f"{d.per_s / base[1].per_s:.2f}", f"{d.cpu_ms:.2f}", f"{rings:.2f}"] for peer, b, d, rings in rows],
    )  # fmt: skip
    table(f"push to result at low load, ms, on {kind} (goal: {GOAL_MS})", ["", *SPREAD], latencies)
    return True
