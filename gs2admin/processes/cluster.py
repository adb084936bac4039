"""One cluster as its supervisor sees it: forked, looked at, signalled, killed."""
from __future__ import annotations

import logging
import os
import select
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from gs2admin.processes import forks, news, proc
from gs2admin.processes.faults import Beats, Facts
from gs2admin.processes.lifeline import VARIABLE, Lifeline

log = logging.getLogger(__name__)
# What the processes of a cluster call themselves (gs2admin.engine.inside).
MAIN, BUSY = "qc-main", "qc-busy"
CLUSTER_VARIABLE = "GS2ADMIN_CLUSTER"


@dataclass
class Lane:
    """The workers of a cluster that serve one queue. workers: how many there may be at once. id: of its row.

    fair_since: when it became fair to expect a heartbeat. beats: what the database said of it last.
    """

    queue: str
    workers: int
    id: uuid.UUID
    fair_since: float
    beats: Beats | None = None


@dataclass(frozen=True)
class Part:
    """A process of a cluster. lane: its queue, of a worker. fd: its pidfd, readable once it is dead."""

    process: proc.Process
    role: str
    lane: str
    fd: int

    @property
    def name(self) -> str:
        return f"{self.role} {self.process.pid}"


class Cluster:
    """A running cluster. Call `refresh` when one of `fds` is ready, and every now and then.

    run: what its main process does, called with this object in a fork of this process. queues: name and workers of each.
    """

    def __init__(self, run: Callable[[Cluster], object], queues: list[tuple[str, int]]) -> None:
        now = time.monotonic()
        self.id = uuid.uuid4()
        self.lanes = {queue: Lane(queue, workers, uuid.uuid4(), now) for queue, workers in queues}
        self.started = now
        self.draining_since: float | None = None
        self.whole_at: float | None = None
        # Every part that was announced; who of them has died; who has ended because it was not needed.
        self.parts: dict[int, Part] = {}
        self.dead: list[Part] = []
        self._frozen_since: dict[int, float] = {}
        self._busy: frozenset[int] = frozenset()
        self._told_to_stop = False
        self.lifeline = Lifeline()
        self.news_fd, self.tell_fd = news.pipe()
        variables = {CLUSTER_VARIABLE: self.id.hex, VARIABLE: str(self.lifeline.read_fd)}
        self.child = forks.fork(lambda: run(self), name=MAIN, keep=(self.lifeline.read_fd, self.tell_fd), variables=variables)
        self.lifeline.close_read()
        os.close(self.tell_fd)
        seen = proc.look(self.child.pid)
        self.main = seen.process if seen else proc.Process(self.child.pid, 0)
        self._heard = news.Heard(self.news_fd)
        self._meet("main", "", self.child.pid)

    @property
    def complete(self) -> bool:
        """All its parts have been there at the same time."""
        return self.whole_at is not None

    def whole_for(self) -> float:
        """Seconds since it was whole for the first time; 0 when it never was."""
        return 0.0 if self.whole_at is None else time.monotonic() - self.whole_at

    def fds(self) -> list[int]:
        """Descriptors that can be read when there is something to see at once."""
        found = [part.fd for part in self.parts.values()]
        return found if self._heard.ended else [*found, self.news_fd]

    def members(self) -> list[proc.Look]:
        """What runs in its group, wherever it hangs: an orphan of it is our own child. Without what its workers start."""
        roots = [self.main.pid, *proc.children(os.getpid())]
        found = [seen for root in roots if (seen := proc.look(root)) and seen.group == self.main.pid]
        for root in list(found):
            found += [seen for seen in proc.descendants(root.process.pid) if seen.group == self.main.pid]
        return found

    def refresh(self, *, look: bool = True) -> list[Part]:
        """Hear what its parts say and see who has died; look: and who is busy or stopped. Returns the workers that have died."""
        self.child.poll()
        said = self._heard.news()
        for event, role, lane, pid in said:
            if event == news.HERE:
                self._meet(role, lane, pid)
        # Whoever says that it is not needed says so before it ends.
        for event, _, _, pid in said:
            if event == news.LEAVES and (part := self.parts.pop(pid, None)):
                self._forget(part)
        died = self._deaths()
        known = {part.process.pid for part in self.dead}
        for event, role, lane, pid in said:
            if event == news.DIED and pid not in known:
                self._meet(role, lane, pid)
                died += self._deaths()
        if look:
            self._look()
        roles = {(part.role, part.lane) for part in self.parts.values()}
        if not self.complete and {("pusher", ""), *(("worker", lane) for lane in self.lanes)} <= roles:
            self.whole_at = now = time.monotonic()
            for lane in self.lanes.values():
                lane.fair_since = now
            log.info("cluster is whole", extra={"cluster": self.id.hex, "pid": self.main.pid,
                                                "after_s": round(now - self.started, 2)})
        return [part for part in died if part.role == "worker"]

    def _meet(self, role: str, lane: str, pid: int) -> None:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            self.dead.append(Part(proc.Process(pid, 0), role, lane, -1))
            return
        seen = proc.look(pid)
        self.parts[pid] = Part(seen.process if seen else proc.Process(pid, 0), role, lane, fd)

    def _forget(self, part: Part) -> None:
        self._frozen_since.pop(part.process.pid, None)
        os.close(part.fd)

    def _deaths(self) -> list[Part]:
        poller = select.poll()
        for part in self.parts.values():
            poller.register(part.fd, select.POLLIN)
        ended = {fd for fd, _ in poller.poll(0)}
        died = [part for part in self.parts.values() if part.fd in ended]
        for part in died:
            del self.parts[part.process.pid]
            self._forget(part)
        self.dead += died
        return died

    def _look(self) -> None:
        now, busy = time.monotonic(), set()
        for pid in self.parts:
            seen = proc.look(pid)
            if seen is None:
                continue
            if seen.state in proc.FROZEN:
                self._frozen_since.setdefault(pid, now)
            else:
                self._frozen_since.pop(pid, None)
            if seen.name == BUSY:
                busy.add(pid)
        self._busy = frozenset(busy)

    def facts(self) -> list[Facts]:
        """What `refresh` saw last, once per lane."""
        now = time.monotonic()
        frozen = {self.parts[pid].name: now - since for pid, since in self._frozen_since.items()}
        lost = tuple(part.name for part in sorted(self.dead, key=lambda part: part.process.pid))
        return [
            Facts(now=now, started=self.started, fair_since=lane.fair_since, complete=self.complete, workers=lane.workers,
                  exit_code=self.child.returncode, lost=lost, frozen=frozen, beats=lane.beats,
                  busy=frozenset(pid for pid in self._busy if pid in self.parts and self.parts[pid].lane == lane.queue))
            for lane in self.lanes.values()
        ]

    def kill_part(self, name: str) -> None:
        """Kill one part, named as `facts` names it; `refresh` then finds it dead."""
        for part in self.parts.values():
            if part.name == name:
                signal.pidfd_send_signal(part.fd, signal.SIGKILL)

    def drain(self) -> None:
        """Take no new work; busy workers hand over. Nobody is signalled."""
        if self.draining_since is None:
            self.draining_since = time.monotonic()
            self.lifeline.drain()

    def stop(self) -> None:
        """Drain, and let it end by itself, once it is whole; may be called again. Only the main process is signalled."""
        self.drain()
        if self.complete and not self._told_to_stop:
            self._told_to_stop = True
            self.child.signal(signal.SIGTERM)

    def ended(self) -> bool:
        """True when nothing of it is left, or nothing but a start in which nobody works yet."""
        return (not self.complete and not self._busy) or not self.members()

    def kill(self, patience_s: float = 2.0) -> bool:
        """Kill all of it. False when something is left after patience_s (stuck in the kernel)."""
        deadline = time.monotonic() + patience_s
        while left := self.members():
            # Parents first, so that nothing is started again.
            for seen in left:
                proc.kill(seen.process)
            self.child.poll()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        self.child.wait(0.1)
        self._close()
        return True

    def _close(self) -> None:
        self.lifeline.cut()
        for part in self.parts.values():
            os.close(part.fd)
        self.parts.clear()
        self.child.close()
        self._heard.close()
