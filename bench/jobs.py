"""Jobs per second, ours against others in the same run: a backlog, and while one producer pushes one by one.

A trivial job each; ours runs a Lua script in its sandbox, the others an empty Python function. Two workers each, results
kept. The rate of a backlog is taken between a tenth and nine tenths of its results, so that nobody's start counts.
"""
from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from bench import place
from bench.report import table
from gs2admin.processes import proc

COUNT = int(os.environ.get("BENCH_JOBS", "4000"))
LIMIT_S = 120.0
LOOK_S = 0.1


@dataclass(frozen=True)
class Peer:
    """One job queue. kinds: the databases that it is measured on."""

    name: str
    module: str
    kinds: tuple[str, ...] = ("sqlite", "postgres")


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


@contextlib.contextmanager
def working(peer: Peer, environ: dict[str, str]):
    """The peer's two workers, ended with everything below them."""
    with open(os.path.join(environ["GS2ADMIN_DATA_DIR"], "peer.log"), "ab") as log:
        child = subprocess.Popen([sys.executable, "-m", peer.module, "work"], env=environ, cwd=place.ROOT, stdout=log,
                                 stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        family = [look.process for look in proc.descendants(child.pid)]
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(5)
        for left in family:
            if proc.alive(left):
                proc.kill(left)
        child.kill()
        child.wait()


class Counter:
    """Counts a peer's results by a query of its own, in this process, so that looking is cheap."""

    def __init__(self, peer: Peer, environ: dict[str, str]) -> None:
        self.peer, self.environ = peer, environ
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.peers.count", peer.module], env=environ, cwd=place.ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )

    def __call__(self) -> int:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def rate(count: Counter, total: int) -> float:
    """Jobs per second between a tenth and nine tenths of `total` results."""
    seen, deadline = [], time.monotonic() + LIMIT_S
    while True:
        done, now = count(), time.monotonic()
        seen.append((now, done))
        if done >= total:
            break
        if now > deadline:
            return float("nan")
        time.sleep(LOOK_S)
    inside = [(at, done) for at, done in seen if total * 0.1 <= done <= total * 0.9] or seen[-2:]
    (first, low), (last, high) = inside[0], inside[-1]
    if last - first < 0.2:  # it was over between two looks: take all that was seen
        started = next((at for at, done in seen if done), seen[0][0])
        return total / max(seen[-1][0] - started + LOOK_S / 2, 1e-9)
    return (high - low) / (last - first)


def backlog(peer: Peer, environ: dict[str, str]) -> float:
    """Everything is pushed before anybody works."""
    ours = peer.module.endswith(".ours")
    call(peer, environ, "prepare")
    call(peer, environ, "push", str(COUNT))
    count = Counter(peer, environ)
    try:
        with working(peer, environ):
            if ours:
                call(peer, environ, "begin")
            return rate(count, COUNT)
    finally:
        count.close()


def while_pushed(peer: Peer, environ: dict[str, str]) -> float:
    """One producer pushes one by one while two workers work; from the first push to the last result."""
    call(peer, environ, "prepare", *(["auto"] if peer.module.endswith(".ours") else []))
    count = Counter(peer, environ)
    try:
        with working(peer, environ):
            call(peer, environ, "push", "20")  # everybody is awake
            deadline = time.monotonic() + 30
            while count() < 20 and time.monotonic() < deadline:
                time.sleep(LOOK_S)
            producer = subprocess.Popen([sys.executable, "-m", peer.module, "push", str(COUNT)], env=environ, cwd=place.ROOT)
            found = rate(count, COUNT + 20)
            producer.wait(30)
            return found
    finally:
        count.close()


def main() -> bool:
    """Prints the table; True always: it judges nothing."""
    kind = "postgres" if os.environ["DATABASE_URL"].startswith("postgres") else "sqlite"
    rows, base = [], {}
    for peer in PEERS:
        if kind not in peer.kinds:
            continue
        found = {}
        for what, measure in (("backlog", backlog), ("while pushed", while_pushed)):
            with place.place(kind) as environ:
                found[what] = measure(peer, environ | {"WORKERS": "1", "JOB_WORKERS": "2", "LOG_LEVEL": "ERROR"})
        rows.append((peer.name, found))
        if peer.module.endswith(".q2"):
            base = found
    table(
        f"{COUNT} trivial jobs, two workers, results kept, jobs/s on {kind}",
        ["", "backlog", "× django-q2", "while pushed", "× django-q2"],
        [[name, f"{f['backlog']:.0f}", f"{f['backlog'] / base['backlog']:.2f}", f"{f['while pushed']:.0f}",
          f"{f['while pushed'] / base['while pushed']:.2f}"] for name, f in rows],
    )  # fmt: skip
    return True
