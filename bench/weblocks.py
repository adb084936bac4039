"""For `bench.locks`: other locks behind the same web server, each by a bare view.

redis-py's Lock, and PostgreSQL's advisory locks. An advisory lock belongs to a connection, so that whoever unlocks must reach the
process that holds it: one web process, with a connection per lock that is held.
"""
import os
import threading
from functools import cache

import psycopg
import redis
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from redis.exceptions import LockError

TTL_S = 30
_REFUSED = {"Retry-After-Ms": "5"}
_held: dict[str, tuple[str, psycopg.Connection]] = {}
_free: list[psycopg.Connection] = []
_lock = threading.Lock()


@cache
def client() -> redis.Redis:
    return redis.Redis.from_url(os.environ["BENCH_REDIS_URL"])


def by_redis(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    who, lock = request.headers["X-Who"], client().lock(f"gs2admin-bench:{name}", timeout=TTL_S, thread_local=False)
    if verb == "lock":
        taken = lock.acquire(blocking=False, token=who)
        return JsonResponse({"taken": True}) if taken else HttpResponse(status=409, headers=_REFUSED)
    lock.local.token = who.encode()
    try:
        lock.release()
    except LockError:
        return HttpResponse(status=409, headers=_REFUSED)
    return JsonResponse({"taken": False})


def by_advisory_lock(request: HttpRequest, name: str, verb: str) -> HttpResponse:
    who = request.headers["X-Who"]
    if verb == "lock":
        with _lock:
            link = _free.pop() if _free else None
        link = link or psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        if link.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (name,)).fetchone()[0]:
            with _lock:
                _held[name] = who, link
            return JsonResponse({"taken": True})
        with _lock:
            _free.append(link)
        return HttpResponse(status=409, headers=_REFUSED)
    with _lock:
        holder, link = _held.get(name, ("", None))
        if holder != who:
            return HttpResponse(status=409, headers=_REFUSED)
        del _held[name]
    link.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (name,))
    with _lock:
        _free.append(link)
    return JsonResponse({"taken": False})


urlpatterns = [
    path("one", lambda request: JsonResponse({})), path("redis/<str:name>/<str:verb>", by_redis),
    path("advisory/<str:name>/<str:verb>", by_advisory_lock),
]  # fmt: skip
