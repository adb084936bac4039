"""Looking at processes through Linux's /proc, safe against reused process ids.

Considered psutil: it compiles where no wheel fits, and these are the few lines of it that we need.
"""
from __future__ import annotations

import ctypes
import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36
FROZEN = "Tt"
# Some kernels are built without it; then every look costs a walk over all processes.
LISTS_CHILDREN = os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children")


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@dataclass(frozen=True)
class Process:
    """One process for good: the kernel reuses the pid, but not together with the start time (clock ticks since boot)."""

    pid: int
    started: int


@dataclass(frozen=True)
class Look:
    """What /proc said at one moment. state: one letter, T is stopped, Z is ended but not reaped."""

    process: Process
    name: str
    state: str
    parent: int
    group: int


def look(pid: int) -> Look | None:
    """The process with that pid, or None when there is none (an ended one that nobody has reaped counts as none)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    # The name stands in brackets and may itself hold brackets and spaces.
    name, _, rest = text.partition("(")[2].rpartition(") ")
    fields = rest.split()
    if fields[0] in "ZX":
        return None
    return Look(Process(pid, int(fields[19])), name, fields[0], int(fields[1]), int(fields[2]))


def alive(process: Process) -> bool:
    """True while exactly this process runs."""
    seen = look(process.pid)
    return seen is not None and seen.process == process


def children(pid: int) -> list[int]:
    """Direct children, of all its threads; ended ones that were not reaped are among them."""
    if not LISTS_CHILDREN:
        everybody = (look(int(name)) for name in os.listdir("/proc") if name.isdigit())
        return [seen.process.pid for seen in everybody if seen and seen.parent == pid]
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def descendants(pid: int) -> list[Look]:
    """Everything below a process that is still connected to it, parents before children."""
    found, todo = [], children(pid)
    while todo:
        below = todo.pop(0)
        seen = look(below)
        if seen:
            found.append(seen)
            todo += children(below)
    return found


def kill(process: Process, number: int = signal.SIGKILL) -> None:
    """Signal exactly this process, if it still runs."""
    if alive(process):
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def call_myself(name: str) -> None:
    """Show in `ps` and to the supervisor what this process is (15 characters). In its main thread.

    Not through /proc/self/comm: the files of a process that cannot be dumped belong to root.
    """
    with suppress(OSError, AttributeError):
        _libc().prctl(PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def die_with_parent() -> None:
    """Let this process be ended when the thread that forked it is gone."""
    with suppress(OSError, AttributeError):
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def adopt_orphans() -> None:
    """Make this process the parent of whatever its descendants leave behind, so that it can be found and ended."""
    with suppress(OSError, AttributeError):
        _libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans(keep: set[int], groups: set[int]) -> bool:
    """Kill and reap the orphans that we adopted, with all below them; True when there were any.

    keep: pids of our own children, for which somebody else waits. groups: orphans of these process groups are left
    running, and are only reaped.
    """
    found = False
    for pid in children(os.getpid()):
        if pid in keep:
            continue
        seen = look(pid)
        if seen is None:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        elif seen.group not in groups:
            found = True
            for below in descendants(pid):
                kill(below.process)
            kill(seen.process)
    return found
