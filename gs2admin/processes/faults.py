"""Fault detection: must a cluster be replaced, and may it be killed. Pure functions of what was seen; all times in seconds.

Each lane of a cluster is judged for itself; what one says is said of the cluster.
"""
from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Beats:
    """What the database said. at: when it answered, on our monotonic clock.

    heartbeat_age: since the last heartbeat that a worker of this cluster ran; None before the first.
    workers: pid -> age of its last beat, of those that say they are busy.
    """

    at: float
    heartbeat_age: float | None = None
    workers: dict[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What the processes look like now, and of one lane: workers, busy, beats, fair_since.

    exit_code: of the main process, None while it runs. lost: names of parts that died.
    frozen: part -> for how long it is stopped (SIGSTOP). busy: pids of the workers that run a task.
    fair_since: when it became fair to expect a heartbeat. complete: all parts have been seen.
    """

    now: float
    started: float
    fair_since: float
    complete: bool
    workers: int
    exit_code: int | None = None
    lost: tuple[str, ...] = ()
    frozen: dict[str, float] = field(default_factory=dict)
    busy: frozenset[int] = frozenset()
    beats: Beats | None = None


START_S = 60.0


def beat_every(late_s: float) -> float:
    """How often the database is asked while somebody works or drains, in seconds: so often that some may be lost."""
    return min(2.0, late_s / 8)


def rest_every(late_s: float) -> float:
    """How often the database is asked while nobody works; a heartbeat is sent every second time. In seconds."""
    return min(5.0, late_s / 4)


def blind(facts: Facts, late_s: float) -> bool:
    """True while the database does not answer: heartbeats and beats say nothing then. (An error of it is known at once.)"""
    return facts.beats is None or facts.now - facts.beats.at > 3 * rest_every(late_s)


def all_busy(facts: Facts, late_s: float) -> bool:
    """True when every worker says that it is busy: then no heartbeat can get through, and none is missed."""
    if facts.beats is None:
        return False
    return sum(age <= late_s for age in facts.beats.workers.values()) >= facts.workers


def fault(facts: Facts, late_s: float) -> str:
    """Why the cluster must be replaced, in a few words; empty when it need not."""
    if facts.exit_code is not None:
        return f"its main process ended with code {facts.exit_code}"
    if facts.lost:
        return "died: " + ", ".join(facts.lost)
    for part in stopped(facts, late_s):
        return f"frozen: {part}"
    if not facts.complete:
        return "it did not start" if facts.now - facts.started > START_S else ""
    if blind(facts, late_s) or facts.now - facts.fair_since <= late_s:
        return ""
    for pid in facts.busy:
        if facts.beats.workers.get(pid, 0.0) > late_s:
            return f"worker {pid} is busy and does not beat"
    age = facts.beats.heartbeat_age
    if (age is None or age > late_s) and not all_busy(facts, late_s):
        return "no heartbeat" if age is None else f"no heartbeat for {age:.0f} s"
    return ""


def stopped(facts: Facts, late_s: float) -> list[str]:
    """The parts that /proc has shown as stopped for longer than late_s. No database is asked: it may be away because of them."""
    return [part for part, since in facts.frozen.items() if since > late_s]


def may_kill(facts: Facts, *, draining_for: float, late_s: float, drain_s: float) -> bool:
    """True when no worker that still works is left in a cluster that was replaced draining_for seconds ago."""
    if draining_for > drain_s:
        return True
    for pid in facts.busy:
        age = facts.beats.workers.get(pid) if facts.beats else None
        if blind(facts, late_s) or (age is not None and age <= late_s):
            return False
        # A short task that does not beat gets as long as a beat may be late.
        if age is None and draining_for <= late_s:
            return False
    return True
