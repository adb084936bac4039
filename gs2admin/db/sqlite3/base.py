"""Django's SQLite, with shorter waits for the write lock.

SQLite's own busy handler sleeps 1 ms first, then 2, 5, 10, … 100 ms, while our transactions hold the lock for a tenth of a
millisecond: two workers that settle jobs spent half their time asleep beside a free lock, and under load the ones that had
slept longest slept on. Here the lock is tried in short, even steps first; SQLite's handler follows, with its time limit.

And with an end to statements: the option statement_s is how long one may take, counted from when its cursor was made.
"""
from __future__ import annotations

import os
import sqlite3
import time
from typing import Any

from django.db.backends.sqlite3 import base

from gs2admin.db import patience
from gs2admin.db.fences import FencedCommits

# Seconds: how long others only get the processor in between, since the lock is free before a sleep would be over; and
# how long steps of STEP_S follow, until SQLite's handler takes over.
YIELD_S = 0.0005
NIMBLE_S = 0.1
STEP_S = 0.00005
# SQLite's virtual machine asks after so many of its steps, some milliseconds, whether the statement may go on.
STEPS = 200_000


class DatabaseWrapper(FencedCommits, base.DatabaseWrapper):
    """The connection; its name for Django stays sqlite."""

    _until = float("inf")
    _busy_ms = -1
    _statement_s: float | None = None

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        self._statement_s = params.pop("statement_s", None)
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        raw = super().get_new_connection(conn_params)
        self._busy_ms = -1
        if self._statement_s:
            raw.set_progress_handler(lambda: time.monotonic() > self._until, STEPS)
        return raw

    def create_cursor(self, name: str | None = None) -> Any:
        self.statement_begins()
        return super().create_cursor(name)

    def statement_begins(self) -> None:
        """Count the time of a statement from here, and see to it that it waits for locks no longer than this thread may wait."""
        limit_s = patience.left(self._statement_s)
        self._until = float("inf") if limit_s is None else time.monotonic() + limit_s
        if self.in_atomic_block or self.connection is None:
            return  # it has the only lock already
        self._set_busy_ms(self.connection, self._wanted_busy_ms())

    def _wanted_busy_ms(self) -> int:
        return int(patience.left(self.settings_dict["OPTIONS"].get("timeout", 5)) * 1000)

    def _start_transaction_under_autocommit(self) -> None:
        with self.wrap_database_errors:
            if self._begins_soon(self.connection):
                return
            self._set_busy_ms(self.connection, self._wanted_busy_ms())
        # Django's own way waits on, and says what is wrong.
        super()._start_transaction_under_autocommit()

    def _set_busy_ms(self, raw: sqlite3.Connection, wanted: int) -> None:
        if wanted != self._busy_ms:
            raw.execute(f"PRAGMA busy_timeout = {wanted}")
            self._busy_ms = wanted

    def _begins_soon(self, raw: sqlite3.Connection) -> bool:
        """Whether the transaction could be begun within NIMBLE_S."""
        self._set_busy_ms(raw, 0)
        began = 0.0
        while True:
            try:
                raw.execute(f"BEGIN {self.transaction_mode or ''}")
                return True
            except sqlite3.OperationalError as problem:
                if getattr(problem, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
                    return False
            now = time.monotonic()
            began = began or now
            if now - began < YIELD_S:
                os.sched_yield()
            elif now - began < NIMBLE_S:
                time.sleep(STEP_S)
            else:
                return False
