"""psycopg's connection, whose waits for the server end: a server that is silent is away, however open its connection looks.

The server's own limits (statement_timeout, lock_timeout) end what is slow there; these here are a little longer, and end what a
dead link or a stopped server would make wait for ever.
"""
from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from psycopg import errors
from psycopg_pool import ConnectionPool

from gs2admin.db import patience

# A connection is handed out without a question while the server has answered somebody so lately, and on this one not long before.
# Short, because who then meets a server that has just fallen silent waits as long as those who were in the middle. s.
ANSWERS_S, OWN_S = 0.02, 5.0
# How much longer than the server's limit we wait for its word about it. s.
GRACE_S = 2.0


class Silent(psycopg.OperationalError):
    """The server did not answer in time; the connection is closed."""


class Connection(psycopg.Connection):
    """limit_s: how long one answer of the server may take; None: for ever. trouble: when and how the last try to reach the server
    failed in this process, None after one that did not. heard: when it answered last, on time.monotonic(): on this connection; on
    any one of this process in `heard_any`."""

    limit_s: float | None = None
    trouble: tuple[float, psycopg.Error] | None = None
    heard = heard_any = float("-inf")

    @classmethod
    def connect(cls, conninfo: str = "", *, limit_s: float | None = None, **kwargs: Any) -> Connection:
        """As psycopg's; limit_s as above. Raises psycopg.OperationalError."""
        try:
            made = super().connect(conninfo, **kwargs)
        except psycopg.Error as problem:
            Connection.trouble = time.monotonic(), problem
            raise
        Connection.trouble = None
        made.limit_s = limit_s
        return made

    def quiet(self) -> bool:
        """Whether the server has neither closed the connection nor sent anything that nobody asked for. Asks the kernel alone."""
        if self.closed:
            return False
        poller = select.poll()
        poller.register(self.fileno(), select.POLLIN)
        return not poller.poll(0)

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's; raises Silent when the server is silent for longer than limit_s, or than `patience` has left."""
        limit = patience.left(self.limit_s) if timeout is None else timeout
        try:
            answer = super().wait(gen, interval, limit)
            self.heard = Connection.heard_any = time.monotonic()
            return answer
        except errors._WaitTimeout:
            if timeout is not None:
                raise
            # What comes later on it would be taken for the answer to another question.
            self.pgconn.finish()
            silent = Silent("the server is silent")
            Connection.trouble = time.monotonic(), silent
            raise silent from None

    def look(self) -> None:
        """For the pool, before it hands the connection out: raises psycopg.Error when it cannot be used.

        A server that ends a connection says so, and then there is something to read on it. The server itself is asked only after
        a pause, or when it has not answered anybody for a moment: silence looks the same as quiet.
        """
        now = time.monotonic()
        if now - Connection.heard_any < ANSWERS_S and now - self.heard < OWN_S and not self._says_something():
            return
        ConnectionPool.check_connection(self)

    def _says_something(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(0))
