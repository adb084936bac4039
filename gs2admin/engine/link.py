"""What a supervisor and the process that asks the database for it (background.py) say to each other: packets of JSON.

Neither waits for the other. A packet that does not fit is dropped: the process stands still then and is replaced, and its
successor is told everything anew.
"""
from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, field

PACKET_BYTES = 200_000


@dataclass(frozen=True)
class Lane:
    """A lane of a cluster. pid: of the cluster's main process."""

    id: str
    queue: str
    workers: int
    pid: int
    draining: bool = False


@dataclass(frozen=True)
class Orders:
    """From the supervisor. lanes: that there are; gone: ids of those that are not any more; lost: lane, pid of dead workers."""

    lanes: list[Lane] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    lost: list[tuple[str, int]] = field(default_factory=list)
    end: bool = False


@dataclass(frozen=True)
class Answers:
    """To the supervisor. at: on the machine's monotonic clock.

    ages: lane -> age of its heartbeat in s, None before the first, and pid -> age of the beat of its busy workers. None: the
    database or the queue is away.
    """

    at: float
    ages: dict[str, tuple[float | None, dict[int, float]]] | None


def pair() -> tuple[socket.socket, socket.socket]:
    """The supervisor's end, which never waits, and the other one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    return ours, theirs


def say(end: socket.socket, words: Orders | Answers) -> None:
    """Say it; without effect when nobody listens."""
    with suppress(OSError):
        end.send(json.dumps(asdict(words)).encode(), socket.MSG_DONTWAIT)


def hear(end: socket.socket) -> Orders | None:
    """The next orders; None when the supervisor is gone."""
    try:
        data = end.recv(PACKET_BYTES)
    except OSError:
        return None
    if not data:
        return None
    words = json.loads(data)
    return Orders([Lane(**lane) for lane in words["lanes"]], words["gone"], [tuple(one) for one in words["lost"]], words["end"])


def heard(end: socket.socket) -> list[Answers]:
    """All answers that have come."""
    found = []
    with suppress(OSError):
        while data := end.recv(PACKET_BYTES):
            words = json.loads(data)
            ages = words["ages"]
            found.append(Answers(words["at"], ages and {
                lane: (age, {int(pid): beat for pid, beat in workers.items()}) for lane, (age, workers) in ages.items()}))
    return found


def hang_up(end: socket.socket) -> None:
    """End a wait of `hear`."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RD)
