"""Which connections the kernel tells us about. Two lines: who sends a request in one go stands in neither of the others' way.

A connection is armed for one event at a time (EPOLLONESHOT): whoever has finished with it arms it again, the poller or a thread
of a pool, and so no thread has to wake the poller for an ordinary request.
"""
from __future__ import annotations

import os
import select
import socket

from gs2admin.processes.web.connection import Connection, Phase

READ, WRITE = select.EPOLLIN | select.EPOLLONESHOT, select.EPOLLOUT | select.EPOLLONESHOT
# Connections that are looked at in one turn: of the front line, and of the back line.
FRONT, BACK = 128, 32


class Lines:
    """front: new connections, those kept for another request, and held ones. back: in the middle of a request or an answer."""

    def __init__(self) -> None:
        self.front, self.back = select.epoll(), select.epoll()
        self.waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.front.register(self.waker, select.EPOLLIN)
        self.front.register(self.back.fileno(), select.EPOLLIN)

    # ── Any thread ──────────────────────────────────────────────────────────────────────────────────────────

    def wake(self) -> None:
        """Let the poller look around now."""
        os.eventfd_write(self.waker, 1)

    def arm(self, connection: Connection, phase: Phase, deadline: float, events: int) -> None:
        """The poller's from now on: at the next event, or when the deadline has passed."""
        fresh = phase is Phase.IDLE or phase is Phase.HELD_POLL or phase is Phase.HEAD and not connection.received
        line = self.front if fresh else self.back
        with connection.lock:  # the poller may see its event, but cannot end it, before we are through
            connection.deadline = deadline
            connection.phase = phase
            if connection.line is line:
                line.modify(connection.fd, events)
                return
            if connection.line is not None:
                connection.line.unregister(connection.fd)
            connection.line = line
            line.register(connection.fd, events)

    # ── The poller's thread ─────────────────────────────────────────────────────────────────────────────────

    def listen(self, listener: socket.socket) -> None:
        """Look for new connections of it."""
        self.front.register(listener.fileno(), select.EPOLLIN)

    def listen_once(self, fd: int) -> None:
        """Look for the one event of it."""
        self.front.register(fd, READ)

    def deafen(self, fd: int) -> None:
        """No more of that listener."""
        self.front.unregister(fd)

    def poll(self, timeout: float) -> tuple[list[int], list[int], bool]:
        """What can be attended to: of the front line, of the back line, and whether more may be there at once."""
        front = [fd for fd, _ in self.front.poll(timeout, FRONT)]
        back: list[int] = []
        if self.back.fileno() in front:
            front.remove(self.back.fileno())
            back = [fd for fd, _ in self.back.poll(0, BACK)]
        if self.waker in front:
            front.remove(self.waker)
            os.eventfd_read(self.waker)
        return front, back, len(front) + 2 >= FRONT or len(back) == BACK

    def forget(self, connection: Connection) -> None:
        """It is closed next."""
        if connection.line is not None:
            connection.line.unregister(connection.fd)
            connection.line = None
