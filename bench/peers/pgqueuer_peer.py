"""pgqueuer on PostgreSQL; it keeps a log of what ended and no results."""
from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from functools import cache

import psycopg
from pgqueuer import Job, PgQueuer, Queries
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver, SyncPsycopgDriver
from pgqueuer.adapters.persistence.queries import SyncQueries

# It reuses no number, and a job's row is gone once it is done.
_DONE = (
    "SELECT CASE WHEN is_called THEN last_value ELSE 0 END - (SELECT count(*) FROM pgqueuer) FROM pgqueuer_id_seq"
)


@cache
def link() -> psycopg.Connection:
    """One connection for all that this process asks."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


async def _install() -> None:
    async with await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        await Queries(PsycopgDriver(connection)).install()


async def _work() -> None:
    async with await psycopg.AsyncConnection.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        app = PgQueuer.from_psycopg_connection(connection)

        @app.entrypoint("nothing")
        async def nothing(job: Job) -> None:
            """The task."""

        await app.run()


def main(what: str, *more: str) -> None:
    if what == "prepare":
        asyncio.run(_install())
    elif what == "work":
        # Its worker is one process; two of them are two processes.
        twin = None if more else subprocess.Popen([sys.executable, "-m", "bench.peers.pgqueuer_peer", "work", "twin"])
        try:
            asyncio.run(_work())
        finally:
            if twin:
                twin.kill()
    elif what == "push":
        queries = SyncQueries(SyncPsycopgDriver(link()))
        for number in range(int(more[0])):
            queries.enqueue("nothing", str(number).encode())
    elif what == "done":
        print(link().execute(_DONE).fetchone()[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
