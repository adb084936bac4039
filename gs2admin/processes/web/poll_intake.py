"""Takes requests that may be held, and sends their answers. Used by the poller's thread alone; `long_polls.py` decides."""
from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from gunicorn.http.errors import ParseException

from gs2admin.processes.web import head
from gs2admin.processes.web.clients import Clients
from gs2admin.processes.web.connection import Connection, Phase
from gs2admin.processes.web.limits import Limits
from gs2admin.processes.web.lines import READ, Lines
from gs2admin.processes.web.long_polls import HOLD_S, ORDINARY, LongPolls, Poll
from gs2admin.processes.web.sending import Sender

# The bytes with which such a request begins.
BEGIN = b"GET /"
# A held one that nobody answered is ended. s.
OVERDUE_S = HOLD_S + 10.0


class TooManyPolls(Exception):
    """Its client has as many requests waiting as it may have."""


class PollIntake:
    """alive: whether connections are kept for another request."""

    def __init__(self, cfg: Any, limits: Limits, clients: Clients, lines: Lines, sender: Sender, polls: LongPolls,
                 alive: Callable[[], bool]) -> None:  # fmt: skip
        self.cfg, self.limits, self.clients, self.lines, self.sender = cfg, limits, clients, lines, sender
        self.polls, self.alive = polls, alive
        self.counts: Counter[str] = Counter()

    def take(self, connection: Connection) -> bool:
        """Whether what has arrived is such a request; then it is decided about. Raises TooManyPolls."""
        received = connection.received
        if self.polls.ended or not received.startswith(BEGIN):
            return False
        end = received.find(head.END, connection.searched)
        if not 0 <= end <= head.MAX_HEAD:
            return False
        whole = bytes(received[: end + len(head.END)])
        ask = self.polls.decider.read(whole, connection.address(), lambda: self._parse(whole, connection))
        if ask is None:
            return False
        caller = connection.share or self.clients.of_text(ask.headers.client)
        if caller and self.counts[caller] >= self.limits.per_share:
            connection.caller = caller
            raise TooManyPolls
        self.counts[caller] += 1
        connection.searched = 0
        connection.caller = connection.out.owner = caller
        connection.phase = Phase.ANSWER
        connection.poll = Poll(connection, ask, len(whole), caller)
        self.polls.put(connection.poll)
        return True

    def leave(self, connection: Connection) -> None:
        """Its connection is closed, or it was answered."""
        poll, connection.poll = connection.poll, None
        if poll is not None:
            poll.gone = True
            self.counts[poll.caller] -= 1
            if not self.counts[poll.caller]:
                del self.counts[poll.caller]

    def deliver(self, attend: Callable[[Connection, Callable[[Connection], None]], None],
                ordinary: Callable[[Connection], None]) -> None:  # fmt: skip
        """Do what was decided. attend: acts on a connection, whose fault ends it alone. ordinary: for the ordinary way."""
        settled = self.polls.settled
        for _ in range(len(settled)):
            poll, answer = settled.popleft()
            if poll.gone:
                continue
            if answer is None:
                attend(poll.connection, self._hold)
            elif answer is ORDINARY:
                self.leave(poll.connection)
                attend(poll.connection, ordinary)
            else:
                attend(poll.connection, lambda one, poll=poll, answer=answer: self._send(one, poll, answer))

    def _hold(self, connection: Connection) -> None:
        self.lines.arm(connection, Phase.HELD_POLL, time.monotonic() + OVERDUE_S, READ)

    def _send(self, connection: Connection, poll: Poll, answer: Any) -> None:
        self.leave(connection)
        connection.phase = Phase.ANSWER
        keep = not poll.ask.headers.close and self.alive() and bool(self.cfg.keepalive)
        del connection.received[: poll.size]
        for part in self.polls.decider.whole(poll.ask, answer, keep=keep):
            connection.out.sendall(part)
        self.sender.answered(connection, keep)

    def _parse(self, whole: bytes, connection: Connection) -> Any:
        try:
            request = head.parse(whole, connection, self.cfg)
        except ParseException:
            return None
        return request.method, request.version, request.headers
