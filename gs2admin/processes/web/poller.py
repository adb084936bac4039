"""The thread that holds all connections: it reads requests, sends what waits, and ends what takes too long.

Nothing here waits for a client, a database or the application.
"""
from __future__ import annotations

import errno
import logging
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from gs2admin.processes.web import refusals
from gs2admin.processes.web.arrival import Arrival
from gs2admin.processes.web.clients import Clients
from gs2admin.processes.web.connection import Connection, Phase
from gs2admin.processes.web.head import MAX_HEAD
from gs2admin.processes.web.limits import Limits
from gs2admin.processes.web.lines import READ, Lines
from gs2admin.processes.web.long_polls import Decider, LongPolls, Made
from gs2admin.processes.web.poll_intake import PollIntake
from gs2admin.processes.web.pool import Pool
from gs2admin.processes.web.reaper import Reaper
from gs2admin.processes.web.sending import Sender
from gs2admin.processes.web.spool import Room

log = logging.getLogger(__name__)
# Between two sweeps; while nobody sends or takes anything; before the next one when there was more to end than one may; and until
# one is not put off any more. s.
SWEEP_S, CALM_S, AGAIN_S, OVERDUE_S = 1.0, 5.0, 0.02, 5.0
NEVER = float("inf")
# New connections per listener and turn: few, so that other processes get some of a burst.
ACCEPT = 8
RECEIVE = 64 * 1024


class Poller:
    """pool_of: the threads that work on requests for a path. bodies, answers: the room for them. form: of refusals.

    decider: of requests that may be held; submit: puts what they need made into the pool. alive: whether connections are kept.
    """

    def __init__(self, cfg: Any, limits: Limits, bodies: Room, answers: Room, clients: Clients, form: refusals.Form,
                 pool_of: Callable[[str], Pool], decider: Decider, submit: Callable[[Made], None],
                 alive: Callable[[], bool]) -> None:  # fmt: skip
        self.limits, self.clients, self.answers = limits, clients, answers
        self.lines = Lines()
        self.wake = self.lines.wake
        self.sender = Sender(limits, self.lines)
        self.listeners: dict[int, tuple[socket.socket, Any]] = {}
        self.connections: dict[int, Connection] = {}
        self.shares: Counter[str] = Counter()
        self.reaper = Reaper(self.connections, limits, bodies, answers, drop=self._drop, refuse=self._refuse)
        self.long_polls = LongPolls(decider, submit, self.wake)
        self.polls = PollIntake(cfg, limits, clients, self.lines, self.sender, self.long_polls, alive)
        self.arrival = Arrival(
            cfg, limits, clients, bodies, form, self.lines, self.sender, self.reaper.endings, pool_of, self.polls)
        self._next_sweep = 0.0
        self._closed: set[int] = set()
        self._parent = -1

    def listen(self, listeners: list[socket.socket]) -> None:
        """Accept connections from these on."""
        for listener in listeners:
            listener.setblocking(False)
            self.listeners[listener.fileno()] = (listener, listener.getsockname())
            self.lines.listen(listener)

    def watch_parent(self, pid: int, on_end: Callable[[], None]) -> None:
        """Call when that process has ended. Raises OSError when it is none."""
        self._parent, self.on_parents_end = os.pidfd_open(pid), on_end
        self.lines.listen_once(self._parent)

    def deafen(self, stop_by: float) -> None:
        """Accept nothing more; connections that wait for a request end at stop_by at the latest."""
        for fd in self.listeners:
            self.lines.deafen(fd)
        self.listeners.clear()
        self.long_polls.end()
        self.reaper.stop_by = stop_by
        self._next_sweep = 0.0

    def busy(self) -> bool:
        """Whether something is under way that is worth waiting for."""
        return any(connection.phase is not Phase.LINGER for connection in self.connections.values())

    def turn(self, timeout: float) -> None:
        """Do what is to be done now, or within `timeout` seconds."""
        front, back, more = self.lines.poll(min(timeout, max(0.0, self._next_sweep - time.monotonic())))
        looked_at = time.monotonic()
        if front or back:
            self._next_sweep = min(self._next_sweep, looked_at + SWEEP_S)
        self._closed.clear()
        for fd in front + back:
            connection = self.connections.get(fd)
            if fd in self._closed:
                continue  # an event of one that had this number
            if connection is not None:
                self._attend(connection, self._ready)
            elif fd == self._parent:
                self.on_parents_end()
            elif fd in self.listeners:
                self._accept(*self.listeners[fd])
        self.polls.deliver(self._attend, self.arrival.advance_ordinarily)
        returned = self.sender.returned
        for _ in range(len(returned)):
            self._attend(returned.popleft(), self.arrival.advance)
        for connection in self.arrival.resume():
            self._attend(connection, self.arrival.take_body)
        # Whose bytes lie in the kernel is not late: a sweep waits until all of them were seen, but not for ever.
        if looked_at >= self._next_sweep and (not more or looked_at >= self._next_sweep + OVERDUE_S):
            through = self.reaper.sweep(looked_at)
            pause = CALM_S if self.connections else NEVER
            self._next_sweep = looked_at + (AGAIN_S if not through else pause if self.reaper.calm() else SWEEP_S)

    def _attend(self, connection: Connection, act: Callable[[Connection], None]) -> None:
        """One connection's fault ends that connection, and no other."""
        try:
            act(connection)
        except OSError:
            self._drop(connection)  # closed by the client
        except Exception:
            log.exception("a connection failed")
            self._drop(connection)

    def _refuse(self, connection: Connection, problem: Exception) -> None:
        self._attend(connection, lambda one: self.arrival.refuse(one, problem))

    def _accept(self, listener: socket.socket, server: Any) -> None:
        for _ in range(ACCEPT):
            try:
                sock, client = listener.accept()
            except OSError as problem:
                if problem.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                    self.reaper.make_place()
                return
            share = self.clients.of_peer(client)
            if share and self.shares[share] >= self.limits.per_share:
                sock.close()
                self.reaper.endings.note("share", share)
                continue
            sock.setblocking(False)
            self.shares[share] += 1
            connection = Connection(sock, client, server, share, time.monotonic() + self.limits.head_s, self.answers)
            self.connections[connection.fd] = connection
            # Often its request has come with it.
            self._attend(connection, self._ready)
            if len(self.connections) > self.limits.connections:
                self.reaper.make_place()

    def _ready(self, connection: Connection) -> None:
        phase = connection.phase
        if phase is Phase.ANSWER or phase is Phase.HELD:
            return  # an event of before a thread got it
        if phase is Phase.SEND:
            self.sender.send(connection)
            return
        try:
            data = connection.sock.recv(RECEIVE)
        except BlockingIOError:
            self.lines.arm(connection, phase, connection.deadline, READ)
            return
        if phase is Phase.HELD_POLL:
            self._more_behind_held(connection, data)
        elif phase is Phase.BODY:
            self.arrival.more_body(connection, data)
        elif not data:
            self._drop(connection)
        elif phase is Phase.LINGER:
            self.lines.arm(connection, phase, connection.deadline, READ)
        else:
            connection.received += data
            self.arrival.advance(connection)

    def _more_behind_held(self, connection: Connection, data: bytes) -> None:
        """Its client has gone; or sends the next request already, which waits, and is not read further once it is long."""
        if not data:
            self._drop(connection)
            return
        connection.received += data
        if len(connection.received) < MAX_HEAD:
            self.lines.arm(connection, Phase.HELD_POLL, connection.deadline, READ)

    def _drop(self, connection: Connection, *, reset: bool = False) -> None:
        if self.connections.pop(connection.fd, None) is None:
            return
        self.shares[connection.share] -= 1
        if not self.shares[connection.share]:
            del self.shares[connection.share]
        self.polls.leave(connection)
        self._closed.add(connection.fd)
        self.lines.forget(connection)
        connection.close(reset=reset)
