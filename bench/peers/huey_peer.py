"""huey with its results kept, in its SQLite file or in Redis (BENCH_PEER_VARIANT)."""
from __future__ import annotations

import os
import sys
from pathlib import Path

import redis
from huey import RedisHuey, SqliteHuey
from huey.consumer_options import ConsumerConfig

URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/13")
ON_REDIS = os.environ.get("BENCH_PEER_VARIANT") == "redis"
FILE = Path(os.environ.get("GS2ADMIN_DATA_DIR", "/nowhere")) / "huey.sqlite3"
# Seconds between two looks into the file, as django-q2 has them here; by itself it waits up to ten. Redis hands tasks over.
POLL_S = 0.02

huey = RedisHuey("bench", url=URL) if ON_REDIS else SqliteHuey("bench", filename=str(FILE))


@huey.task()
def nothing(number: int) -> int:
    """The task."""
    return number


def main(what: str, *more: str) -> None:
    if what == "prepare" and ON_REDIS:
        redis.Redis.from_url(URL).flushdb()
    elif what == "work":
        config = ConsumerConfig(workers=2, worker_type="process", initial_delay=POLL_S, max_delay=POLL_S, periodic=False)
        huey.create_consumer(**config.values).run()
    elif what == "push":
        for number in range(int(more[0])):
            nothing(number)
    elif what == "done":
        print(huey.result_count())


if __name__ == "__main__":
    from bench.peers.huey_peer import main as named  # a task's name must not be __main__

    named(*sys.argv[1:])
