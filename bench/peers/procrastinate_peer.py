"""procrastinate on PostgreSQL; it keeps a job's status, not its result.

BENCH_PEER_VARIANT "kept" has the task write its result into a table, as an application would.
"""
from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from functools import cache

import procrastinate
import psycopg

KEPT = os.environ.get("BENCH_PEER_VARIANT") == "kept"
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ.get("DATABASE_URL", "")))


@app.task(queue="bench", pass_context=False)
def nothing(number: int) -> int:
    """The task."""
    if KEPT:
        link().execute("INSERT INTO bench_result (number) VALUES (%s)", (number,))
    return number


@cache
def link() -> psycopg.Connection:
    """One connection for all that this process asks of its own tables."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


async def _work() -> None:
    async with app.open_async():
        await app.run_worker_async(
            queues=["bench"], concurrency=1, install_signal_handlers=False, fetch_job_polling_interval=0.05
        )


def main(what: str, *more: str) -> None:
    if what == "prepare":
        sync = app.with_connector(procrastinate.SyncPsycopgConnector(conninfo=os.environ["DATABASE_URL"]))
        with sync.open():
            sync.schema_manager.apply_schema()
        link().execute("CREATE TABLE bench_result (id bigserial PRIMARY KEY, number int)")
    elif what == "work":
        # Its worker is one process; two of them are two processes.
        twin = None if more else subprocess.Popen([sys.executable, "-m", "bench.peers.procrastinate_peer", "work", "twin"])
        try:
            asyncio.run(_work())
        finally:
            if twin:
                twin.kill()
    elif what == "push":
        # A producer without an event loop, as a web process would be.
        connector = procrastinate.SyncPsycopgConnector(conninfo=os.environ["DATABASE_URL"])
        with app.replace_connector(connector), app.open():
            for number in range(int(more[0])):
                nothing.defer(number=number)
    elif what == "done":
        ended = "procrastinate_jobs WHERE status = 'succeeded'"
        done = f"SELECT count(*) FROM {'bench_result' if KEPT else ended}"
        print(link().execute(done).fetchone()[0])


if __name__ == "__main__":
    from bench.peers.procrastinate_peer import main as named  # the task's name must not be __main__

    named(*sys.argv[1:])
