"""Django's SQLite, with shorter waits for the write lock.

SQLite's own busy handler sleeps 1 ms first, then 2, 5, 10, … 100 ms, while our transactions hold the lock for a tenth of a
millisecond: two workers that settle jobs spent half their time asleep beside a free lock, and under load the ones that had
slept longest slept on. Here the lock is tried in short, even steps first; SQLite's handler follows, with its time limit.
"""
from __future__ import annotations

import os
import sqlite3
import time

from django.db.backends.sqlite3 import base

from gs2admin.db.fences import FencedCommits

# Seconds: how long others only get the processor in between, since the lock is free before a sleep would be over; and
# how long steps of STEP_S follow, until SQLite's handler takes over.
YIELD_S = 0.0005
NIMBLE_S = 0.1
STEP_S = 0.00005


class DatabaseWrapper(FencedCommits, base.DatabaseWrapper):
    """The connection; its name for Django stays sqlite."""

    def _start_transaction_under_autocommit(self) -> None:
        with self.wrap_database_errors:
            if self._begins_soon(self.connection):
                return
        # Django's own way waits on, and says what is wrong.
        super()._start_transaction_under_autocommit()

    def _begins_soon(self, raw: sqlite3.Connection) -> bool:
        """Whether the transaction could be begun within NIMBLE_S."""
        raw.execute("PRAGMA busy_timeout = 0")
        began = 0.0
        try:
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
        finally:
            raw.execute(f"PRAGMA busy_timeout = {int(self.settings_dict['OPTIONS'].get('timeout', 5) * 1000)}")
