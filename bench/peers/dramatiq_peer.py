"""dramatiq with Redis as broker and result store, in a Redis database of its own."""
from __future__ import annotations

import os
import sys

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/13")
PREFIX = "bench-result:"


class Named(RedisBackend):
    """Its own keys are digests, which nobody can count."""

    def build_message_key(self, message: dramatiq.Message) -> str:
        """The key of a result."""
        return f"{PREFIX}{message.message_id}"


broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=Named(url=URL), store_results=True))
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench")
def nothing(number: int) -> int:
    """The task."""
    return number


def main(what: str, *more: str) -> None:
    if what == "prepare":
        redis.Redis.from_url(URL).flushdb()
    elif what == "work":
        # With this process's id, so that it is ended as the others are.
        os.execv(sys.executable, [sys.executable, "-m", "dramatiq", "bench.peers.dramatiq_peer", "--processes", "2",
                                  "--threads", "1", "--skip-logging"])  # fmt: skip
    elif what == "push":
        for number in range(int(more[0])):
            nothing.send(number)
    elif what == "done":
        print(sum(1 for _ in redis.Redis.from_url(URL).scan_iter(f"{PREFIX}*", count=10_000)))


if __name__ == "__main__":
    main(*sys.argv[1:])
