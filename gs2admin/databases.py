"""The database as each kind of process uses it: which one, how long it is waited for, the pool. From the environment."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dj_database_url

from gs2admin.env import Env


@dataclass(frozen=True)
class Databases:
    """base: Django's entry without what differs. wait_s: for the server or a free connection. waits: kind of process (web,
    worker, command) -> DB_LOCK_S and DB_STATEMENT_S, in s. direct: PostgreSQL itself is asked, and not a pooler in front of it.
    """

    base: dict[str, Any]
    wait_s: int
    waits: dict[str, dict[str, int | None]]
    direct: bool
    pool: dict[str, int]

    @property
    def on_sqlite(self) -> bool:
        """Whether it is SQLite."""
        return self.base["ENGINE"].endswith("sqlite3")

    @property
    def on_postgres(self) -> bool:
        """Whether it is PostgreSQL."""
        return self.base["ENGINE"].endswith("postgresql")

    def of(self, process: str) -> dict[str, Any]:
        """Django's entry for a kind of process."""
        lock_s, statement_s = self.waits[process]["DB_LOCK_S"], self.waits[process]["DB_STATEMENT_S"]
        options = dict(self.base["OPTIONS"])
        if self.on_sqlite:
            options |= {"timeout": lock_s, "statement_s": statement_s}
        elif statement_s:
            options["statement_s"] = statement_s
            # The server's own limits. A pooler takes no options of a session; there they belong to the role (docs/operations.md).
            # A transaction of a machine that was paused holds its locks for no longer than its work may be late.
            limits = {"statement_timeout": statement_s, "lock_timeout": lock_s, "idle_in_transaction_session_timeout": 20}
            if self.direct:
                given = " ".join(f"-c {name}={value}s" for name, value in limits.items())
                options["options"] = f"{given} {options.get('options', '')}".strip()
        # A pool survives a server restart under load, but not the forks of the worker: in the web processes only.
        pooled = process == "web" and self.on_postgres
        if pooled:
            options["pool"] = self.pool
        age = {"CONN_MAX_AGE": 0 if pooled else None, "CONN_HEALTH_CHECKS": True}
        return {**self.base, "OPTIONS": options, "TEST": dict(self.base["TEST"]), **age}


def read(env: Env, data_dir: Path) -> Databases:
    """The database that the environment names, SQLite in data_dir by default. Tells env what cannot be used."""
    base = _named(env, data_dir)
    # Shorter where somebody waits for an answer; a command of an administrator waits for locks as a worker does, and for
    # statements as long as they take.
    wait_s = env.number("DB_WAIT_S", 3, 1, 60)
    web = {"DB_LOCK_S": env.number("DB_LOCK_S", 5, 1, 300), "DB_STATEMENT_S": env.number("DB_STATEMENT_S", 10, 1, 3600)}
    worker = {
        "DB_LOCK_S": env.number("DB_WORKER_LOCK_S", 20, 1, 300),
        "DB_STATEMENT_S": env.number("DB_WORKER_STATEMENT_S", 30, 1, 3600),
    }
    direct = True
    if base["ENGINE"].endswith("sqlite3"):
        _for_sqlite(base, data_dir)
    else:
        direct = env.flag("DB_PREPARE", True)
        _for_postgres(base, wait_s, direct)
    # Three more than the threads use, for probes, for the counts of locks, and for who looks for all that watch. Short turns of
    # trying, so that a server's return is noticed.
    most = env.number("DB_POOL", 8, 1, 200) + 3
    pool = {"min_size": 1, "max_size": most, "timeout": wait_s, "reconnect_timeout": wait_s}
    return Databases(base, wait_s, {"web": web, "worker": worker, "command": {**worker, "DB_STATEMENT_S": None}}, direct, pool)


def _named(env: Env, data_dir: Path) -> dict[str, Any]:
    try:
        found = dj_database_url.parse(env.text("DATABASE_URL", f"sqlite:///{data_dir / 'gs2admin.db.sqlite3'}"))
    except Exception:  # noqa: BLE001  the library raises several kinds; the URL may hold a password, so it is not repeated
        env.refuse("DATABASE_URL cannot be read; it looks like postgres://user:password@host:5432/name or sqlite:////path.")
        return dj_database_url.parse("sqlite://:memory:")
    if not found["ENGINE"].endswith(("sqlite3", "postgresql")):
        env.refuse("DATABASE_URL names a database that is not supported; use postgres:// or sqlite://.")
    return found


def _for_sqlite(base: dict[str, Any], data_dir: Path) -> None:
    base["ENGINE"] = "gs2admin.db.sqlite3"
    # A file, so that tests of races use the same locking as production; the process id keeps parallel runs apart.
    base["TEST"] = {"NAME": str(data_dir / f"test-{os.getpid()}.sqlite3")}
    base["OPTIONS"] = {
        # IMMEDIATE: a transaction that will write takes the write lock at its start, instead of failing in the middle.
        "transaction_mode": "IMMEDIATE",
        # A checkpoint every 40 MB of the log instead of 4: checkpoints are over a third of what small commits cost.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000; "
        "PRAGMA wal_autocheckpoint=10000;",
    }


def _for_postgres(base: dict[str, Any], wait_s: int, direct: bool) -> None:
    base["ENGINE"] = "gs2admin.db.postgresql"
    base["TEST"] = {"NAME": f"test_gs2admin_{os.getpid()}"}
    options = base.setdefault("OPTIONS", {})
    # gs2admin.db.raw's statements are prepared from their third run on. Off where a pooler in front of the server hands
    # each transaction another connection and knows no prepared statements.
    options["prepare_threshold"] = 3 if direct else None
    options.setdefault("connect_timeout", max(2, wait_s))
    # A link that died without a word is noticed by the kernel.
    alive = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
    options.update({name: value for name, value in alive.items() if name not in options})
