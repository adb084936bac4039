"""Sends answers: what a client takes at once in the thread that made it, the rest as the client takes it."""
from __future__ import annotations

import logging
import socket
import time
from collections import deque

from gs2admin.processes.web.connection import Connection, Phase
from gs2admin.processes.web.limits import LINGER_S, Limits
from gs2admin.processes.web.lines import READ, WRITE, Lines
from gs2admin.processes.web.spool import is_no_room

log = logging.getLogger(__name__)
# So much is sent of one answer before others are looked at. Bytes.
SEND = 1024 * 1024
CUT_OFF = "an answer was cut off: there is no room for what its client is slow to take"


class Sender:
    """For any thread that owns the connection. returned: connections whose next request has arrived already."""

    def __init__(self, limits: Limits, lines: Lines) -> None:
        self.limits, self.lines = limits, lines
        self.returned: deque[Connection] = deque()

    def answered(self, connection: Connection, keep: bool) -> None:
        """`connection.out` has an answer. keep: another request may follow."""
        connection.keep = keep
        connection.forget_request_body()
        if connection.cut:
            self._condemn(connection)
            return
        try:
            if connection.out.push():
                self._all_sent(connection)
                return
            connection.out.settle()
        except OSError as problem:
            if is_no_room(problem):
                log.warning(CUT_OFF, extra={**connection.facts(), "problem": str(problem)})
            self._condemn(connection)
            return
        self.lines.arm(connection, Phase.SEND, time.monotonic() + self.limits.stall_s, WRITE)

    def send(self, connection: Connection) -> None:
        """The client has taken some. Raises OSError."""
        before = connection.out.sent
        if connection.out.push(SEND):
            self._all_sent(connection)
            return
        deadline = self.limits.later(connection.deadline, connection.out.sent - before, time.monotonic())
        self.lines.arm(connection, Phase.SEND, deadline, WRITE)

    def _all_sent(self, connection: Connection) -> None:
        connection.out.clear()
        connection.forget_request()
        now = time.monotonic()
        if not connection.keep:
            try:
                connection.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # closed by the client
            self.lines.arm(connection, Phase.LINGER, now + LINGER_S, READ)
        elif connection.received:
            self.returned.append(connection)
            self.lines.wake()
        else:
            self.lines.arm(connection, Phase.IDLE, now + self.limits.idle_s, READ)

    def _condemn(self, connection: Connection) -> None:
        """Only the poller closes: its next sweep does."""
        connection.cut = True
        connection.out.clear()
        self.lines.arm(connection, Phase.LINGER, 0.0, READ)
