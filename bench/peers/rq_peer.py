"""RQ with its results kept, in a Redis database of its own. It forks for each job; the variant "simple" does not."""
from __future__ import annotations

import os
import subprocess
import sys

import redis
from rq import Queue, SimpleWorker, Worker

URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/13")
KIND = SimpleWorker if os.environ.get("BENCH_PEER_VARIANT") == "simple" else Worker


def nothing(number: int) -> int:
    """The task."""
    return number


def main(what: str, *more: str) -> None:
    queue = Queue("bench", connection=redis.Redis.from_url(URL))
    if what == "prepare":
        queue.connection.flushdb()
    elif what == "work":
        # A worker is one process; two of them are two processes.
        twin = None if more else subprocess.Popen([sys.executable, "-m", "bench.peers.rq_peer", "work", "twin"])
        try:
            KIND([queue], connection=queue.connection).work(logging_level="ERROR")
        finally:
            if twin:
                twin.kill()
    elif what == "push":
        for number in range(int(more[0])):
            queue.enqueue("bench.peers.rq_peer.nothing", number, result_ttl=-1)
    elif what == "done":
        print(queue.finished_job_registry.get_job_count(cleanup=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
