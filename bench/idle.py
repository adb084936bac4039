"""The cost of doing nothing: the product as `make up` starts it, demo included, left alone for a minute."""
from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from bench.report import table
from bench.server import ROOT, Server, command_line
from gs2admin.processes import proc
from tests.conditions import until

MEASURED_S = float(os.environ.get("BENCH_IDLE_S", "60"))
# For so long nobody has come or gone: chores have had their first turn, and workers that are not needed have left. s.
QUIET_S = 35.0
# processor in percent of one core; memory in MB; processes.
GOALS = {"processor, %": 1.5, "PSS, MB": 250, "processes": 11}
# The clock of another process: counts threads that have ended too (linux/posix-timers.h).
CPUCLOCK_SCHED = 2


@dataclass(frozen=True)
class Usage:
    """What one process has used. cpu_s: processor time; wakes: voluntary switches of its threads."""

    cpu_s: float
    wakes: int


class MadeServer(Server):
    """Started by make, which waits for it: one process more, and not ours to save."""

    def __enter__(self) -> MadeServer:
        rule = self.directory / "idle.mk"
        rule.write_text(f"up:\n\t@exec {sys.executable} {ROOT / 'manage.py'} up --end-with-parent\n")
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(["make", "-f", str(rule), "up"], cwd=ROOT, env=self.environ, stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, start_new_session=True)
        until(self._ready, 90, lambda: f"a ready server; its log ends with\n{self.tail()}")
        return self


def role(seen: proc.Look) -> str:
    """What a process is, in a word or two."""
    if seen.name.startswith(("qc-", "gs-")):
        return seen.name
    words = command_line(seen.process.pid)
    for word, name in (("gunicorn", "web"), ("worker", "supervisor"), ("qcluster", "cluster"), ("up", "up")):
        if any(word in part.rsplit("/", 1)[-1] for part in words[1:]):
            return name if seen.name != "make" else "make"
    return seen.name


def usage(pid: int) -> Usage:
    """What the process has used since it began. Raises OSError when it is gone."""
    wakes = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/task/{task}/status").read_text()
            wakes += int(text.rsplit("\nvoluntary_ctxt_switches:", 1)[1].split()[0])
    return Usage(time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED), wakes)


def memory(pid: int) -> tuple[float, float]:
    """Its share of memory (PSS), and what is its own, in MB. Needs the rights of root, since ours cannot be looked into."""
    found: Counter[str] = Counter()
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        key, value = line.split(":")
        found[key] = int(value.split()[0])
    return found["Pss"] / 1024, (found["Private_Dirty"] + found["Private_Clean"]) / 1024


def transactions() -> int | None:
    """Transactions of this PostgreSQL database so far, ours included; a statement outside of one counts as one."""
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def quiet(server: Server) -> None:
    """Wait until nobody has come or gone for a while."""
    since, there = time.monotonic(), set()

    def rested() -> bool:
        nonlocal since, there
        now = {seen.process for seen in server.processes()}
        if now != there:
            since, there = time.monotonic(), now
        return time.monotonic() - since > QUIET_S

    until(rested, 150, "a quiet server", every_s=1.0)


def measure(server: Server) -> dict[str, float]:
    """Watch it for MEASURED_S, print the tables, and return the sums that goals are set for."""
    before = {seen.process: (role(seen), usage(seen.process.pid)) for seen in server.processes()}
    counted, began = transactions(), time.monotonic()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.popen.wait(MEASURED_S)
    took, counted_after = time.monotonic() - began, transactions()
    rows, sums = [], Counter()
    for seen in server.processes():
        name, was = before.get(seen.process, (f"{role(seen)} (new)", Usage(0, 0)))
        now, (pss, private) = usage(seen.process.pid), memory(seen.process.pid)
        cpu, wakes = (now.cpu_s - was.cpu_s) / took * 100, (now.wakes - was.wakes) / took
        rows.append([name, f"{cpu:.2f}", f"{wakes:.1f}", f"{pss:.1f}", f"{private:.1f}"])
        sums.update({"processor, %": cpu, "wakes": wakes, "PSS, MB": pss, "processes": 1})
    table(f"Idle for {took:.0f} s, {connection.vendor}: per process",
          ["process", "processor, %", "wakes/s", "PSS, MB", "own, MB"], rows)
    if counted is not None:
        sums["transactions/s"] = (counted_after - counted) / took
    return dict(sums)


def main() -> bool:
    """Print the tables; True when every goal is met."""
    environ = {key: value for key, value in os.environ.items() if key != "GS2ADMIN_COMMANDS"}
    with MadeServer(environ, GS2ADMIN_DEMO="1") as server:
        quiet(server)
        found = measure(server)
    left = len(server.left())
    table("Sums and goals", ["what", "", "goal"],
          [[name, f"{value:.2f}", GOALS.get(name, "")] for name, value in found.items()] + [["processes left behind", left, 0]])
    return left == 0 and all(found[name] <= goal for name, goal in GOALS.items())
