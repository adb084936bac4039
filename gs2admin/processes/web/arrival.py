"""Takes requests as they arrive, and hands them on when they are whole. Used by the poller's thread alone."""
from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from gunicorn.http.errors import ParseException

from gs2admin.processes.web import head, refusals
from gs2admin.processes.web.body import Intake
from gs2admin.processes.web.clients import Clients
from gs2admin.processes.web.connection import Connection, Phase
from gs2admin.processes.web.endings import Endings
from gs2admin.processes.web.limits import READ_AHEAD, Limits
from gs2admin.processes.web.lines import READ, Lines
from gs2admin.processes.web.poll_intake import PollIntake, TooManyPolls
from gs2admin.processes.web.pool import Pool
from gs2admin.processes.web.sending import Sender
from gs2admin.processes.web.spool import Room

log = logging.getLogger(__name__)


class Arrival:
    """pool_of: which threads work on a path. bodies: the room for what is not whole. form: of refusals.

    Of one client READ_AHEAD requests are taken whole while they wait; of those behind them the head alone, and the kernel tells
    their sender to wait.
    """

    def __init__(self, cfg: Any, limits: Limits, clients: Clients, bodies: Room, form: refusals.Form, lines: Lines,
                 sender: Sender, endings: Endings, pool_of: Callable[[str], Pool], polls: PollIntake) -> None:  # fmt: skip
        self.cfg, self.limits, self.clients, self.bodies, self.form = cfg, limits, clients, bodies, form
        self.lines, self.sender, self.endings, self.pool_of = lines, sender, endings, pool_of
        self.polls = polls
        self.held: dict[tuple[Pool, str], deque[Connection]] = {}

    def advance(self, connection: Connection) -> None:
        """Look for a head in what was received, and go on from there."""
        try:
            if self.polls.take(connection):
                return
        except TooManyPolls:
            self._refuse_one_more(connection)
            return
        self.advance_ordinarily(connection)

    def advance_ordinarily(self, connection: Connection) -> None:
        """The same, for what no poll is."""
        try:
            request = head.take(connection, self.cfg)
        except ParseException as problem:
            self.refuse(connection, problem)
            return
        if request is None:
            if connection.phase is not Phase.HEAD:
                connection.deadline = time.monotonic() + self.limits.head_s
            self.lines.arm(connection, Phase.HEAD, connection.deadline, READ)
            return
        connection.request = request
        connection.caller = connection.out.owner = self.clients.of_request(connection.client, request.headers)
        key = pool, caller = self.pool_of(request.path), connection.caller
        waiting, held = pool.waiting(caller), self.held.get(key, ())
        if caller and waiting + len(held) >= self.limits.per_share:
            self._refuse_one_more(connection)
        elif held or waiting >= READ_AHEAD:
            connection.phase = Phase.HELD
            self.held.setdefault(key, deque()).append(connection)
        else:
            self.take_body(connection)

    def _refuse_one_more(self, connection: Connection) -> None:
        self.endings.note("waiting", connection.caller)
        self.refuse(connection, refusals.TooMany())

    def resume(self) -> Iterator[Connection]:
        """Connections that were held, and whose turn has come nearer: `take_body` is for them."""
        for key in list(self.held):
            pool, caller = key
            held = self.held[key]
            if pool.waiting(caller) <= pool.enough:
                for _ in range(min(len(held), READ_AHEAD - pool.enough)):
                    yield held.popleft()
            if not held:
                del self.held[key]

    def take_body(self, connection: Connection) -> None:
        """Its head has been read: take the rest. Raises OSError."""
        request = connection.request
        connection.intake = intake = Intake(request, self.limits.body_of(request.path), self.bodies, connection.caller)
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

    def more_body(self, connection: Connection, data: bytes) -> None:
        """What came of a body; empty: its client has ended."""
        if data:
            connection.deadline = self.limits.later(connection.deadline, len(data), time.monotonic())
            self._feed(connection, data)
        else:
            self.refuse(connection, refusals.Cut())

    def refuse(self, connection: Connection, problem: Exception) -> None:
        """Answer without the application, and end the connection."""
        request = connection.request
        if request is not None:
            target, host = request.uri, head.host_of(request)
        else:
            target, host = head.target_and_host(connection.received)
        status, whole = refusals.answer(problem, target, host, self.form)
        if not isinstance(problem, refusals.Counted):
            log.info("a request was refused before the application", extra={
                **connection.facts(), "status": int(status), "problem": type(problem).__name__})  # fmt: skip
        connection.out.sendall(whole)
        self.sender.answered(connection, keep=False)

    def _feed(self, connection: Connection, data: bytes) -> None:
        try:
            rest = connection.intake.feed(data)
        except ParseException as problem:
            self.refuse(connection, problem)
            return
        except OSError as problem:
            log.warning("a body was refused: there is no room for it", extra={**connection.facts(), "problem": str(problem)})
            self.refuse(connection, refusals.Busy())
            return
        if rest is None:
            self.lines.arm(connection, Phase.BODY, connection.deadline, READ)
        else:
            connection.received += rest
            self._dispatch(connection)

    def _dispatch(self, connection: Connection) -> None:
        if not connection.intake.whole:
            connection.request.force_close()
        connection.phase = Phase.ANSWER
        self.pool_of(connection.request.path).put(connection)
