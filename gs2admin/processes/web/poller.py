"""The thread that holds all connections: it reads requests, sends what waits, and ends what takes too long.

Nothing here waits for a client, a database or the application. A connection is armed for one event at a time
(EPOLLONESHOT): whoever has finished with it arms it again, the poller or a thread of the pool, and so no thread has to wake
the poller for an ordinary request.
"""
from __future__ import annotations

import errno
import logging
import os
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from gunicorn.http.errors import ParseException

from gs2admin.processes.web import head, refusals
from gs2admin.processes.web.body import Intake
from gs2admin.processes.web.connection import Connection, Phase
from gs2admin.processes.web.limits import LINGER_S, Limits
from gs2admin.processes.web.reaper import Reaper
from gs2admin.processes.web.spool import Full, Room

log = logging.getLogger(__name__)
READ, WRITE = select.EPOLLIN | select.EPOLLONESHOT, select.EPOLLOUT | select.EPOLLONESHOT
SWEEP_S, OVERDUE_S = 1.0, 5.0
# Connections that are looked at in one turn.
EVENTS = 256
# New connections per listener and turn: few, so that other processes get some of a burst.
ACCEPT = 8
RECEIVE = 64 * 1024
SEND = 1024 * 1024


class Poller:
    """dispatch: gets a connection whose request has arrived. bodies, answers: the room for them. form: of refusals."""

    def __init__(self, cfg: Any, limits: Limits, bodies: Room, answers: Room, share: Callable[[Any], str],
                 form: refusals.Form, dispatch: Callable[[Connection], None]) -> None:  # fmt: skip
        self.cfg, self.limits, self.bodies, self.answers = cfg, limits, bodies, answers
        self.share, self.form, self.dispatch = share, form, dispatch
        self.epoll = select.epoll()
        self.waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.epoll.register(self.waker, select.EPOLLIN)
        self.listeners: dict[int, tuple[socket.socket, Any]] = {}
        self.connections: dict[int, Connection] = {}
        self.shares: Counter[str] = Counter()
        self.returned: deque[Connection] = deque()
        self.reaper = Reaper(self.connections, limits, bodies, answers, drop=self._drop,
                             refuse=lambda one, problem: self._attend(one, lambda one: self._refuse(one, problem)))  # fmt: skip
        self._next_sweep = 0.0

    # ── Any thread ──────────────────────────────────────────────────────────────────────────────────────────

    def wake(self) -> None:
        """Let the poller look around now."""
        os.eventfd_write(self.waker, 1)

    def answered(self, connection: Connection, keep: bool) -> None:
        """The application has answered; `connection.out` has the answer. keep: another request may follow."""
        connection.keep = keep
        connection.forget_request_body()
        try:
            if connection.out.push():
                self._all_sent(connection)
                return
            connection.out.settle()
        except OSError as problem:
            self._condemn(connection, problem)
            return
        self._arm(connection, Phase.SEND, time.monotonic() + self.limits.stall_s, WRITE)

    def _all_sent(self, connection: Connection) -> None:
        connection.out.clear()
        connection.forget_request()
        now = time.monotonic()
        if not connection.keep:
            try:
                connection.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # closed by the client
            self._arm(connection, Phase.LINGER, now + LINGER_S, READ)
        elif connection.received:
            self.returned.append(connection)
            self.wake()
        else:
            self._arm(connection, Phase.IDLE, now + self.limits.idle_s, READ)

    def _condemn(self, connection: Connection, problem: OSError) -> None:
        """Only the poller closes; it sees this one at once."""
        if isinstance(problem, Full) or problem.errno in (errno.ENOSPC, errno.EDQUOT):
            log.warning("an answer was cut off: there is no room for what its client is slow to take", extra=connection.facts())
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # closed by the client
        self._arm(connection, Phase.LINGER, 0.0, READ)

    def _arm(self, connection: Connection, phase: Phase, deadline: float, events: int) -> None:
        # In this order: from the second line on the poller may end it, from the third on use it.
        connection.deadline = deadline
        connection.phase = phase
        try:
            self.epoll.modify(connection.fd, events)
        except OSError:
            pass  # the poller has ended it in between

    # ── The poller's thread ─────────────────────────────────────────────────────────────────────────────────

    def listen(self, listeners: list[socket.socket]) -> None:
        """Accept connections from these on."""
        for listener in listeners:
            listener.setblocking(False)
            self.listeners[listener.fileno()] = (listener, listener.getsockname())
            self.epoll.register(listener.fileno(), select.EPOLLIN)

    def deafen(self, stop_by: float) -> None:
        """Accept nothing more; connections that wait for a request end at stop_by at the latest."""
        for fd in self.listeners:
            self.epoll.unregister(fd)
        self.listeners.clear()
        self.reaper.stop_by = stop_by
        self._next_sweep = 0.0

    def busy(self) -> bool:
        """Whether something is under way that is worth waiting for."""
        return any(connection.phase is not Phase.LINGER for connection in self.connections.values())

    def turn(self, timeout: float) -> None:
        """Do what is to be done now, or within `timeout` seconds."""
        events = self.epoll.poll(timeout, EVENTS)
        looked_at = time.monotonic()
        for fd, _ in events:
            connection = self.connections.get(fd)
            if connection is not None:
                self._attend(connection, self._ready)
            elif fd in self.listeners:
                self._accept(*self.listeners[fd])
            elif fd == self.waker:
                os.eventfd_read(fd)
        for _ in range(len(self.returned)):
            self._attend(self.returned.popleft(), self._advance)
        # Whose bytes lie in the kernel is not late: a sweep waits until all of them were seen, but not for ever.
        if looked_at >= self._next_sweep and (len(events) < EVENTS or looked_at >= self._next_sweep + OVERDUE_S):
            self._next_sweep = looked_at + SWEEP_S
            self.reaper.sweep(looked_at)

    def _attend(self, connection: Connection, act: Callable[[Connection], None]) -> None:
        """One connection's fault ends that connection, and no other."""
        try:
            act(connection)
        except OSError:
            self._drop(connection)  # closed by the client
        except Exception:
            log.exception("a connection failed")
            self._drop(connection)

    def _accept(self, listener: socket.socket, server: Any) -> None:
        for _ in range(ACCEPT):
            try:
                sock, client = listener.accept()
            except OSError as problem:
                if problem.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                    self.reaper.make_place()
                return
            share = self.share(client)
            if share and self.shares[share] >= self.limits.per_share:
                sock.close()
                self.reaper.endings.note("share", client)
                continue
            sock.setblocking(False)
            self.shares[share] += 1
            connection = Connection(sock, client, server, share, time.monotonic() + self.limits.head_s, self.answers)
            self.connections[connection.fd] = connection
            self.epoll.register(connection.fd, READ)
            if len(self.connections) > self.limits.connections:
                self.reaper.make_place()

    def _ready(self, connection: Connection) -> None:
        phase = connection.phase
        if phase is Phase.ANSWER:
            return  # an event of before a thread got it
        if phase is Phase.SEND:
            self._send(connection)
            return
        try:
            data = connection.sock.recv(RECEIVE)
        except BlockingIOError:
            self.epoll.modify(connection.fd, READ)
            return
        if phase is Phase.BODY:
            self._take_body(connection, data)
        elif not data:
            self._drop(connection)
        elif phase is Phase.LINGER:
            self.epoll.modify(connection.fd, READ)
        else:
            connection.received += data
            self._advance(connection)

    def _send(self, connection: Connection) -> None:
        before = connection.out.sent
        if connection.out.push(SEND):
            self._all_sent(connection)
            return
        deadline = self.limits.later(connection.deadline, connection.out.sent - before, time.monotonic())
        self._arm(connection, Phase.SEND, deadline, WRITE)

    def _advance(self, connection: Connection) -> None:
        """Look for a head in what was received, and go on from there."""
        try:
            request = head.take(connection, self.cfg)
        except ParseException as problem:
            self._refuse(connection, problem)
            return
        if request is None:
            if connection.phase is not Phase.HEAD:
                connection.deadline = time.monotonic() + self.limits.head_s
            self._arm(connection, Phase.HEAD, connection.deadline, READ)
            return
        connection.request = request
        connection.intake = intake = Intake(request, self.limits.body_of(request.path), self.bodies)
        expected, request._expected_100_continue = request._expected_100_continue, False
        if intake.too_long:
            intake.refuse()
            self._dispatch(connection)
            return
        data = bytes(connection.received)
        connection.received.clear()
        connection.phase, connection.deadline = Phase.BODY, time.monotonic() + self.limits.stall_s
        if expected and not data:
            connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._feed(connection, data)

    def _take_body(self, connection: Connection, data: bytes) -> None:
        if data:
            connection.deadline = self.limits.later(connection.deadline, len(data), time.monotonic())
            self._feed(connection, data)
        else:
            self._refuse(connection, refusals.Cut())

    def _feed(self, connection: Connection, data: bytes) -> None:
        try:
            rest = connection.intake.feed(data)
        except ParseException as problem:
            self._refuse(connection, problem)
            return
        except OSError as problem:
            log.warning("a body was refused: there is no room for it", extra={**connection.facts(), "problem": str(problem)})
            self._refuse(connection, refusals.Busy())
            return
        if rest is None:
            self._arm(connection, Phase.BODY, connection.deadline, READ)
        else:
            connection.received += rest
            self._dispatch(connection)

    def _dispatch(self, connection: Connection) -> None:
        if not connection.intake.whole:
            connection.request.force_close()
        connection.phase = Phase.ANSWER
        self.dispatch(connection)

    def _refuse(self, connection: Connection, problem: Exception) -> None:
        """Answer without the application, and end the connection."""
        request = connection.request
        if request is not None:
            target, host = request.uri, head.host_of(request)
        else:
            target, host = head.target_and_host(connection.received)
        status, whole = refusals.answer(problem, target, host, self.form)
        if not isinstance(problem, refusals.Late):  # those are counted
            log.info("a request was refused before the application", extra={
                **connection.facts(), "status": int(status), "problem": type(problem).__name__})  # fmt: skip
        connection.out.sendall(whole)
        self.answered(connection, keep=False)

    def _drop(self, connection: Connection, *, reset: bool = False) -> None:
        if self.connections.pop(connection.fd, None) is None:
            return
        self.shares[connection.share] -= 1
        if not self.shares[connection.share]:
            del self.shares[connection.share]
        self.epoll.unregister(connection.fd)
        connection.close(reset=reset)
