"""lock + unlock pairs per second: through HTTP, the bare statements, redis-py's Lock and advisory locks, in the same run.

Redis and advisory locks once more behind the same web server, one process each, by views that do nothing else: what our methods
add are rights, the contract's answers, and a row that tells who held it.

With 1 client and with 32, each on a property of its own or all on one. Clients of one measurement are processes' threads for
the statements and for Redis, and connections for HTTP; a refused client waits as long as the server said (HTTP), or as
redis-py does by itself (a tenth of a second, made 5 ms here). BENCH_LOCK_S: seconds of one measurement.
"""
from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import threading
import time
from collections.abc import Callable, Iterator

from bench.client import Link, request
from bench.report import table
from bench.server import Server
from bench.webclasses import OURS, served
from bench.world import world

SECONDS = float(os.environ.get("BENCH_LOCK_S", "4"))
REDIS_URL = os.environ.get("BENCH_REDIS_URL") or os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/13")
CROWD, PROCESSES = 32, 2
TTL_S = 30
THREADS = 4
# (clients, whether each has a property of its own)
CASES = ((1, True), (CROWD, True), (CROWD, False))
TITLES = ("1 client", f"{CROWD}, own properties", f"{CROWD}, one property")


def names(clients: int, own: bool) -> list[str]:
    """The property of each client."""
    return [f"property-{number if own else 0}" for number in range(clients)]


# ── Through HTTP ────────────────────────────────────────────────────────────────────────────────────────────


async def _http_client(port: int, path: str, token: str, name: str, ends: float) -> int:
    link, who, pairs = await Link.open("127.0.0.1", port), f"t-{random.random()}", 0
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "X-Who": who}

    def post(verb: str, **more: object) -> bytes:
        body = json.dumps({"transactionId": who} | more).encode()
        return request("POST", f"{path}/{name}/{verb}", host=f"127.0.0.1:{port}", headers=headers, body=body)

    lock, unlock = post("lock", ttl=TTL_S), post("unlock")
    while time.monotonic() < ends:
        answer = await link.send(lock)
        if answer.status == 409:
            await asyncio.sleep(int(answer.headers["retry-after-ms"]) / 1000)
            continue
        if answer.status != 200 or (await link.send(unlock)).status != 200:
            raise RuntimeError(answer.body.decode())
        pairs += 1
    link.close()
    return pairs


async def _http(port: int, path: str, token: str, clients: int, own: bool) -> float:
    began = time.monotonic()
    counts = await asyncio.gather(*(_http_client(port, path, token, name, began + SECONDS) for name in names(clients, own)))
    return sum(counts) / (time.monotonic() - began)


def http(namespace: str, client_id: str, secret: str, **variables: str) -> list[float]:
    """Pairs per second of each case."""
    with Server(dict(os.environ), WORKERS="1", JOB_WORKERS="0", LOG_LEVEL="ERROR", **variables) as server:
        token, path = server.project_token(client_id, secret), f"/lock/{namespace}/user/user-0001/mutex"
        asyncio.run(_http(server.port, path, token, 4, True))  # everybody is awake
        return [asyncio.run(_http(server.port, path, token, clients, own)) for clients, own in CASES]


def bare(what: str) -> list[float]:
    """Pairs per second of each case of a lock of `bench.weblocks`."""
    environ = os.environ | {"DJANGO_SETTINGS_MODULE": "bench.weblocksettings", "LOG_LEVEL": "ERROR", "BENCH_REDIS_URL": REDIS_URL}
    os.makedirs(os.path.join(environ["GS2ADMIN_DATA_DIR"], "static"), exist_ok=True)
    with served(OURS, THREADS, environ, 1) as (port, _):
        asyncio.run(_http(port, f"/{what}", "", 4, True))
        return [asyncio.run(_http(port, f"/{what}", "", clients, own)) for clients, own in CASES]


# ── In processes, with threads ──────────────────────────────────────────────────────────────────────────────


def _work(attempt: Callable[[str], Callable[[], float]], mine: list[str], ready, start, counts) -> None:
    """In a child: one thread per name; attempt(name)() does a pair and returns 0, or how long to wait."""
    total, lock = [0], threading.Lock()

    def run(name: str) -> None:
        act, pairs = attempt(name), 0
        act()
        waiting.wait()
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            wait_s = act()
            if wait_s:
                time.sleep(wait_s)
            else:
                pairs += 1
        with lock:
            total[0] += pairs

    waiting = threading.Barrier(len(mine) + 1)
    threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in mine]
    for thread in threads:
        thread.start()
    ready.release()
    start.wait()
    waiting.wait()
    for thread in threads:
        thread.join()
    counts.put(total[0])


def in_processes(attempt: Callable[[str], Callable[[], float]], clients: int, own: bool) -> float:
    """Pairs per second of so many clients, spread over PROCESSES."""
    context = multiprocessing.get_context("fork")
    ready, start, counts = context.Semaphore(0), context.Event(), context.Queue()
    everybody = names(clients, own)
    shares = [share for share in (everybody[number::PROCESSES] for number in range(PROCESSES)) if share]
    children = [context.Process(target=_work, args=(attempt, share, ready, start, counts), daemon=True) for share in shares]
    for child in children:
        child.start()
    for _ in children:
        ready.acquire()
    start.set()
    done = sum(counts.get(timeout=SECONDS + 60) for _ in children)
    for child in children:
        child.join(10)
    return done / SECONDS


def statement(namespace_id: int) -> Callable[[str], Callable[[], float]]:
    """The bare statements of locks/sql.py, each client on a connection of its own."""
    from django.db import connection

    from locks import sql
    from locks.states import wait_for

    def attempt(name: str) -> Callable[[], float]:
        key, who = sql.key_of(namespace_id, "bare", name), f"t-{os.getpid()}-{threading.get_ident()}"
        sql.make(namespace_id, key, "bare", name)
        look = connection.vendor == "sqlite"

        def refused(seen: sql.State | None) -> float:
            if seen is None:
                return 0.001
            left_ms, held_ms = seen.until_ms - seen.now_ms, seen.now_ms - seen.acquired_ms
            return wait_for(left_ms=left_ms, held_ms=held_ms, crowd=CROWD / PROCESSES).ms / 1000

        def act() -> float:
            seen = sql.read(key) if look else None
            if seen and seen.held:
                return refused(seen)
            if sql.lock(key, who, TTL_S * 1000) is None:
                return refused(sql.read(key))
            sql.unlock(key, who)
            return 0.0

        return act

    return attempt


def redis_lock(name: str) -> Callable[[], float]:
    """redis-py's own."""
    import redis

    client = redis.Redis.from_url(REDIS_URL)
    lock = client.lock(f"gs2admin-bench:{os.getppid()}:{name}", timeout=TTL_S, sleep=0.005, thread_local=True)

    def act() -> float:
        if not lock.acquire(blocking=True, blocking_timeout=5):
            return 0.005
        lock.release()
        return 0.0

    return act


def advisory_lock(name: str) -> Callable[[], float]:
    """PostgreSQL's, each client on a connection of its own."""
    import psycopg

    link = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)

    def act() -> float:
        link.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (name,))
        link.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (name,))
        return 0.0

    return act


def redis_answers() -> bool:
    """Whether it can be measured against."""
    import redis

    with contextlib.suppress(redis.RedisError):
        return bool(redis.Redis.from_url(REDIS_URL, socket_connect_timeout=2).ping())
    return False


def _rows() -> Iterator[tuple[str, list[float]]]:
    from django.db import connections

    from gs2admin.identity.actors import SYSTEM
    from locks.services.namespaces import create_namespace

    made = world()
    namespace = create_namespace(actor=SYSTEM, project=made.project, name="bench")
    postgres, on_redis = os.environ["DATABASE_URL"].startswith("postgres"), redis_answers()
    yield "lock + unlock through HTTP", http("bench", made.client_id, made.secret)
    yield "  of one web process", http("bench", made.client_id, made.secret, WEB_WORKERS="1", WEB_THREADS=str(THREADS))
    if on_redis:
        yield "  redis-py Lock, bare view", bare("redis")
    if postgres:
        yield "  advisory lock, bare view", bare("advisory")
    connections.close_all()  # children must not share a connection
    act = statement(namespace.pk)
    yield "the bare statements", [in_processes(act, clients, own) for clients, own in CASES]
    if on_redis:
        yield "redis-py Lock", [in_processes(redis_lock, clients, own) for clients, own in CASES]
    if postgres:
        yield "advisory lock", [in_processes(advisory_lock, clients, own) for clients, own in CASES]


def main() -> bool:
    """Prints the table; True always: it judges nothing."""
    kind = "PostgreSQL" if os.environ["DATABASE_URL"].startswith("postgres") else "SQLite"
    rows = [[name, *(f"{rate:.0f}" for rate in rates)] for name, rates in _rows()]
    table(f"lock + unlock pairs/s on {kind}, {SECONDS:g} s each", ["", *TITLES], rows)
    return True
