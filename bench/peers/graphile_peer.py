"""graphile-worker on PostgreSQL, by Node.js: `npm ci` in bench/peers/node. It deletes what is done and keeps no results.

BENCH_PEER_VARIANT: "kept" has the task write a result into a table, "tuned" is how its makers measured (node/work.mjs).
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import psycopg

NODE = Path(os.environ.get("BENCH_NODE_DIR") or Path(__file__).parent / "node")
VARIANT = os.environ.get("BENCH_PEER_VARIANT") or "plain"
# It reuses no number, and a job is gone once it is done.
_DONE = {
    "kept": "SELECT count(*) FROM bench_result",
    "": "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('graphile_worker._private_jobs', 'id')::regclass), 0)"
        " - (SELECT count(*) FROM graphile_worker._private_jobs)",
}  # fmt: skip


def possible() -> bool:
    """Whether Node.js and its packages are here."""
    return bool(shutil.which("node")) and (NODE / "node_modules" / "graphile-worker").is_dir()


@cache
def link() -> psycopg.Connection:
    """One connection for all that this process asks."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def main(what: str, *more: str) -> None:
    if what == "prepare":
        subprocess.run(["node", "prepare.mjs"], cwd=NODE, check=True, stdout=subprocess.DEVNULL)
        link().execute("CREATE TABLE bench_result (id bigserial PRIMARY KEY, number int)")
    elif what == "work":
        twins = [subprocess.Popen(["node", "work.mjs", VARIANT], cwd=NODE) for _ in range(2)]
        try:
            for twin in twins:
                twin.wait()
        finally:
            for twin in twins:
                twin.kill()
    elif what == "push":
        for number in range(int(more[0])):
            link().execute("SELECT graphile_worker.add_job('nothing', json_build_object('number', %s::int))", (number,))
    elif what == "done":
        print(link().execute(_DONE.get(VARIANT, _DONE[""])).fetchone()[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
