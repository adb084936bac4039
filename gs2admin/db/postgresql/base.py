"""Django's PostgreSQL, whose commits ask for the leases on whose behalf something is written (fences.py), with connections whose
waits end, and a pool that says no early while the server is away.

The pool alone makes every request wait for its whole time limit as long as the server is away, and a few hundred of them stand in
a queue then. Here one request waits and tries, the others are refused at once with what it met, until it gets through.
"""
from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import psycopg_pool
from django.db.backends.postgresql import base

from gs2admin.db import patience
from gs2admin.db.fences import FencedCommits
from gs2admin.db.postgresql.connection import GRACE_S, Connection

# A trouble of so long ago says nothing about a wait that was in vain just now. s.
RECENT_S = 10.0
USABLE_S = 3.0
# A connection that was not asked for so long is asked whether it works. s.
PAUSE_S = 60.0


class _Driver:
    """psycopg, whose `connect` makes connections of ours."""

    connect = staticmethod(Connection.connect)

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class Gate:
    """Lets one thread at a time try while the server is away."""

    def __init__(self) -> None:
        self._trying = threading.Lock()
        self.why: psycopg.Error | None = None

    def enter(self) -> bool:
        """Whether this thread is the one that tries. Raises what the last one met, when another one tries now."""
        why = self.why
        if why is None:
            return False
        if not self._trying.acquire(blocking=False):
            raise psycopg.OperationalError(str(why)) from why
        return True

    def leave(self, tries: bool) -> None:
        """After `enter`, with what it returned."""
        if tries:
            self._trying.release()

    def met(self) -> psycopg.Error | None:
        """What the server did while a wait for a connection was in vain; None: all connections are in use."""
        trouble = Connection.trouble
        if trouble is None or time.monotonic() - trouble[0] > RECENT_S:
            return None
        self.why = trouble[1]
        return self.why


_gate = Gate()


class DatabaseWrapper(FencedCommits, base.DatabaseWrapper):
    """The connection; its name for Django stays postgresql."""

    Database = _Driver()
    _checked_at = float("-inf")

    @property
    def pool(self) -> Any:
        options = self.settings_dict["OPTIONS"].get("pool")
        if not options:
            return None
        if self.alias not in self._connection_pools:
            made = psycopg_pool.ConnectionPool(
                kwargs=self.get_connection_params() | {"autocommit": True}, connection_class=Connection, open=False,
                configure=self._configure_connection, check=Connection.look, **options,
            )  # fmt: skip
            self._connection_pools.setdefault(self.alias, made)
        return self._connection_pools[self.alias]

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        statement_s = params.pop("statement_s", None)
        params["limit_s"] = statement_s + GRACE_S if statement_s else None
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if not self.pool:
            return super().get_new_connection(conn_params)
        tries = _gate.enter()
        try:
            # The pool's own limit does not cover its look at whether a connection still works.
            with patience.within(self.pool.timeout):
                made = super().get_new_connection(conn_params)
            _gate.why = None
            return made
        except psycopg_pool.PoolTimeout:
            if met := _gate.met():
                raise psycopg.OperationalError(str(met)) from met
            raise
        finally:
            _gate.leave(tries)

    def is_usable(self) -> bool:
        with patience.within(USABLE_S):
            return super().is_usable()

    def close_if_health_check_failed(self) -> None:
        """The kernel knows of a server that has closed the connection; it is asked itself only after a pause, or an error."""
        if self.connection is not None and not self.health_check_done and not self.pool:
            now = time.monotonic()
            if not self.errors_occurred and now - self._checked_at < PAUSE_S and self.connection.quiet():
                self.health_check_done = True
            else:
                self._checked_at = now
        super().close_if_health_check_failed()
