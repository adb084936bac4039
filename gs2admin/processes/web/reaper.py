"""Ends connections whose time is over, and those that stand in the way of others. Used by the poller's thread alone."""
from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Protocol

from gs2admin.processes.web.connection import Connection, Phase
from gs2admin.processes.web.endings import Endings
from gs2admin.processes.web.limits import Limits
from gs2admin.processes.web.refusals import Late
from gs2admin.processes.web.spool import Room

# Ended in one sweep: each costs some time, and thousands may have begun together.
MOST = 50
# They wait for us, not we for them.
OURS = (Phase.ANSWER, Phase.HELD)


class Drop(Protocol):
    """Closes a connection; reset: the kernel forgets what its client has not taken."""

    def __call__(self, connection: Connection, *, reset: bool = False) -> None: ...


class Reaper:
    """stop_by: connections that wait for a request end then at the latest; None while the process serves."""

    def __init__(self, connections: dict[int, Connection], limits: Limits, bodies: Room, answers: Room, *, drop: Drop,
                 refuse: Callable[[Connection, Exception], None]) -> None:  # fmt: skip
        self.connections, self.limits, self.bodies, self.answers = connections, limits, bodies, answers
        self.drop, self.refuse = drop, refuse
        self.endings = Endings()
        self.stop_by: float | None = None

    def sweep(self, now: float) -> bool:
        """Look at all of them; once a second. False when some are left that should end now."""
        if self.stop_by is not None:
            for connection in self.connections.values():
                if connection.phase in (Phase.IDLE, Phase.HEAD):
                    connection.deadline = min(connection.deadline, self.stop_by)
        late = [one for one in self.connections.values() if one.deadline <= now and one.phase not in OURS]
        for connection in late[:MOST]:
            self._end(connection, self._expire)
        if self.bodies.crowded():
            self._end_slowest("room", 2, lambda one: one.phase is Phase.BODY)
        if self.answers.crowded():
            self._end_slowest("room", 20, lambda one: one.phase is Phase.SEND and one.out.in_files())
        if len(late) > MOST:
            return False
        self.endings.write()
        return True

    def calm(self) -> bool:
        """Whether nobody is in the middle of anything: those who are kept or held may end a little later."""
        return self.stop_by is None and all(one.phase in (Phase.IDLE, Phase.HELD_POLL) for one in self.connections.values())

    def make_place(self) -> None:
        """There are too many."""
        self._end_slowest("place", max(1, self.limits.connections // 100), lambda one: True)

    def _end(self, connection: Connection, act: Callable[[Connection], None]) -> None:
        """Nothing where a thread is just handing it over: it is seen at its event, or by the next sweep."""
        if connection.lock.acquire(blocking=False):
            connection.lock.release()
            act(connection)

    def _expire(self, connection: Connection) -> None:
        if connection.phase is Phase.SEND:
            self.endings.slow_reader(connection)
            self.drop(connection, reset=True)
        elif connection.phase is Phase.BODY or connection.phase is Phase.HEAD and connection.received:
            self.endings.note(connection.phase.name.lower(), connection.address())
            self.refuse(connection, Late())
        else:
            self.drop(connection, reset=connection.cut)

    def _end_slowest(self, why: str, count: int, among: Callable[[Connection], bool]) -> None:
        """End those that are nearest to their deadline: they are the slowest, or have waited longest."""
        found = (one for one in self.connections.values() if one.phase not in OURS and among(one))
        for connection in heapq.nsmallest(count, found, key=lambda one: one.deadline):
            self._end(connection, lambda one: self._end_for(why, one))

    def _end_for(self, why: str, connection: Connection) -> None:
        self.endings.note(why, connection.address())
        self.drop(connection, reset=connection.phase is Phase.SEND)
