"""celery with Redis as broker and result store, in a Redis database of its own."""
from __future__ import annotations

import os
import sys

import redis
from celery import Celery

URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/13")
app = Celery("bench.peers.celery_peer", broker=URL, backend=URL)
app.conf.update(worker_prefetch_multiplier=4, task_acks_late=False, broker_connection_retry_on_startup=True)


@app.task(name="bench.nothing")
def nothing(number: int) -> int:
    """The task."""
    return number


def main(what: str, *more: str) -> None:
    if what == "prepare":
        redis.Redis.from_url(URL).flushdb()
    elif what == "work":
        app.worker_main(["worker", "--concurrency=2", "--loglevel=ERROR", "--without-gossip", "--without-mingle"])
    elif what == "push":
        for number in range(int(more[0])):
            nothing.delay(number)
    elif what == "done":
        print(sum(1 for _ in redis.Redis.from_url(URL).scan_iter("celery-task-meta-*", count=10_000)))


if __name__ == "__main__":
    main(*sys.argv[1:])
