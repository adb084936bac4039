"""django-q2 brokers for a queue that only wakes: a task is gone when it is taken (our rows and the sweep repair a loss).

Compared with the stock brokers: nothing is taken while no worker is idle or the cluster drains; a database or
Redis that is away is waited for in half-second steps (stock: ten seconds and a new pusher); a task whose worker dies is not
run again by the queue, so one that kills its worker is not run for ever; and every cluster has a private queue,
looked at first, for the heartbeats of its own supervisor.
"""
from __future__ import annotations

import logging
import time

import redis
from django import db
from django.conf import settings
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.brokers.redis_broker import Redis
from django_q.conf import Conf
from django_q.models import OrmQ

from gs2admin import outage
from gs2admin.db import patience
from gs2admin.db.redis_pool import Pool
from gs2admin.engine import connections, inside

log = logging.getLogger(__name__)
AWAY_S = 0.5
_ADD = """
    INSERT INTO django_q_ormq (key, payload, lock) SELECT %s, %s, %s
    WHERE (SELECT COUNT(*) FROM (SELECT 1 FROM django_q_ormq WHERE key = %s LIMIT %s) waiting) < %s RETURNING id
"""
_ADD_ALONE = f"""
    WITH soon AS (SELECT set_config('synchronous_commit', 'off', TRUE))
    {_ADD.replace("RETURNING", "AND EXISTS (SELECT 1 FROM soon) RETURNING")}
"""
PRIVATE_EVERY_S = 0.1
# How long one look into Redis waits for a task. s.
TAKE_S = 1
Taken = list[tuple[None, str | bytes]]


def private_queue(cluster_id: str) -> str:
    """The queue that only this cluster takes from."""
    return f"beat:{cluster_id}"


class _WakeBroker:
    """What both brokers share: when to take, and what to do when the store is away."""

    _away = False
    # No task is taken while so many wait; 0: all are (settings.TASK_BOUNDS).
    at_most = 0

    def dequeue(self) -> Taken | None:
        if inside.draining() or not inside.take_slot(Conf.POLL):
            time.sleep(Conf.POLL)
            return None
        taken: Taken | None = None
        try:
            with patience.each(patience.LOOP_S):
                taken = self._take()
            if self._away:
                self._away = False
                log.info("the queue can be reached again")
        except (db.Error, redis.RedisError, OSError) as problem:
            if not self._away:
                self._away = True
                facts = {"problem": type(problem).__name__, "reason": outage.word(problem)}
                log.warning("the queue cannot be reached", extra=facts)
            self._let_go()
            time.sleep(AWAY_S)
        finally:
            if not taken:
                inside.give_slot()
        return taken

    def _take(self) -> Taken | None:
        raise NotImplementedError

    def _let_go(self) -> None:
        """Drop a broken connection."""

    def reach(self) -> None:
        """Raise when the queue cannot be reached."""

    def ping(self) -> bool:
        return True  # django-q2 asks once, before it starts, and gives up when the answer is no

    def fail(self, task_id: None) -> None:
        """The pusher could not read the task (another secret key): no worker gets it, so the slot is free again."""
        inside.give_slot()

    # django-q2 would write its statistics to the cache twice a second, and its sentinel dies when that fails.
    def set_stat(self, key: str, value: str, timeout: int) -> None:
        return None

    def get_stat(self, key: str) -> None:
        return None

    def get_stats(self, pattern: str) -> list:
        return []

    # The last task was refused, because enough wait.
    _refused = False

    def full(self) -> bool:
        """Whether it would take no task now."""
        return False


class DatabaseBroker(_WakeBroker, ORM):
    """The queue in the database: a task is part of the caller's transaction."""

    _private_at = 0.0

    def enqueue(self, task: str) -> int | None:
        """Put a signed task into the queue; returns the row's id, None where enough wait. Raises a database error."""
        # Stock asks for the connection by closing stale ones, in the middle of the caller's work: not needed. And the
        # ORM's way of inserting a row costs as much as all the rest of waking.
        link = db.connections[Conf.ORM]
        with link.cursor() as cursor:
            values = [self.list_key, task, link.ops.adapt_datetimefield_value(timezone.now())]
            if not self.at_most:
                cursor.execute("INSERT INTO django_q_ormq (key, payload, lock) VALUES (%s, %s, %s) RETURNING id", values)
                return cursor.fetchone()[0]
            # On its own, PostgreSQL's commit need not wait for the disk: it may be lost with the server, as any wake-up.
            alone = link.vendor == "postgresql" and not link.in_atomic_block
            cursor.execute(_ADD_ALONE if alone else _ADD, [*values, self.list_key, self.at_most, self.at_most])
            found = cursor.fetchone()
            self._refused = found is None
            return found[0] if found else None

    def _take(self) -> Taken | None:
        connections.refresh()
        now = time.monotonic()
        if inside.cluster_id() and now - self._private_at >= PRIVATE_EVERY_S:
            self._private_at = now
            taken = self._take_from(private_queue(inside.cluster_id()))
            if taken:
                return taken
        taken = self._take_from(self.list_key)
        if not taken:
            time.sleep(Conf.POLL)
        return taken

    def _take_from(self, key: str) -> Taken | None:
        rows = OrmQ.objects.using(Conf.ORM)
        found = rows.filter(key=key).order_by("pk").values_list("pk", "payload").first()
        # Whoever deletes the row has the task.
        if found and rows.filter(pk=found[0]).delete()[0]:
            return [(None, found[1])]
        return None

    def _let_go(self) -> None:
        connections.refresh()

    def full(self) -> bool:
        """Whether a task would be refused, where the last one was: to make one and throw it away costs more than to ask."""
        if self._refused:
            with db.connections[Conf.ORM].cursor() as cursor:
                cursor.execute("SELECT COUNT(*) FROM (SELECT 1 FROM django_q_ormq WHERE key = %s LIMIT %s) waiting",
                               [self.list_key, self.at_most])
                self._refused = cursor.fetchone()[0] >= self.at_most
        return self._refused


class RedisBroker(_WakeBroker, Redis):
    """The queue in Redis: quicker, and written only after the commit."""

    @staticmethod
    def get_connection(list_key: str | None = None) -> redis.Redis:
        # Longer than the longest wait that we ask of the server, in `_take`.
        return redis.Redis(connection_pool=Pool.from_url(settings.REDIS_URL, socket_timeout=TAKE_S + settings.REDIS_WAIT_S))

    def enqueue(self, task: str) -> int | None:
        """As the database's. Raises a Redis error."""
        if self.at_most and self.connection.llen(self.list_key) >= self.at_most:
            return None
        return super().enqueue(task)

    def reach(self) -> None:
        """Raise when Redis does not answer."""
        self.connection.ping()

    def _take(self) -> Taken | None:
        keys = [self.list_key]
        if inside.cluster_id():
            keys.insert(0, f"django_q:{private_queue(inside.cluster_id())}:q")
        found = self.connection.blpop(keys, timeout=TAKE_S)
        return [(None, found[1])] if found else None
