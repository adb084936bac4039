"""django-q2 brokers for a queue that only wakes: a task is gone when it is taken (our rows and the sweep repair a loss).

Compared with the stock brokers: the pusher is woken (wakeup.py) instead of asking many times a second; nothing is taken while no
worker is idle or the cluster drains; a database or Redis that is away is waited for in half-second steps (stock: ten seconds and
a new pusher); a task whose worker dies is not run again by the queue, so one that kills its worker is not run for ever; and every
cluster has a private queue, looked at first, for the heartbeats of its own supervisor.
"""
from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

import redis
from django import db
from django.conf import settings
from django_q.brokers.orm import ORM
from django_q.brokers.redis_broker import Redis
from django_q.conf import Conf

from gs2admin import outage
from gs2admin.db import patience
from gs2admin.db.redis_pool import Pool
from gs2admin.engine import connections, inside, task_rows
from gs2admin.engine.hosts import tell_hosts
from gs2admin.engine.wakeup import TASKS, Listener, wait_for, wake_up

log = logging.getLogger(__name__)
AWAY_S = 0.5
# How often the queue is looked into without a wake-up: what a lost one costs. s.
LOOK_S = 1.0
# How long one look into Redis waits for a task. s.
TAKE_S = 1


class Taken(NamedTuple):
    """A task. queue: whose slot it has; for django-q2 the acknowledgement's id, which we need none of."""

    queue: str
    payload: str | bytes


# Queue, and the hex id under which it has heartbeats of its own; empty outside a supervised cluster.
Source = tuple[str, str]


def private_queue(cluster_id: str) -> str:
    """The queue that only this cluster takes from."""
    return f"beat:{cluster_id}"


class _WakeBroker:
    """What both brokers share: when to take, and what to do when the store is away."""

    _away = False
    _turn = 0
    # No task is taken while so many wait; 0: all are (settings.TASK_BOUNDS).
    at_most = 0

    def sources(self) -> list[Source]:
        """What is taken from. Each is the first in its turn: a flood in one does not keep the pusher from the others."""
        found = inside.queues() or [(self.list_key, "")]
        self._turn += 1
        first = self._turn % len(found)
        return [*found[first:], *found[:first]]

    def dequeue(self) -> list[Taken] | None:
        """One task that can be started at once; None after a wait without one. The pusher calls it again and again."""
        if inside.draining():
            self._stop()
            time.sleep(Conf.POLL)
            return None
        free = [source for source in self.sources() if inside.take_slot(source[0], 0)]
        taken: Taken | None = None
        try:
            with patience.each(patience.LOOP_S):
                taken = self._take(free)
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
            for queue, _ in free:
                if taken is None or queue != taken.queue:
                    inside.give_slot(queue)
        if taken is None and not self._away:
            self._rest(bool(free))
        return [taken] if taken else None

    def _take(self, free: Sequence[Source]) -> Taken | None:
        """A task of one of these, which have an idle worker; None where there is none, or nothing new since the last look."""
        raise NotImplementedError

    def _rest(self, any_free: bool) -> None:
        """Wait for a moment, or until there may be something to take. any_free: some worker is idle."""

    def _let_go(self) -> None:
        """Drop a broken connection."""

    def _stop(self) -> None:
        """The cluster drains: it takes no more tasks."""

    def reach(self) -> None:
        """Raise when the queue cannot be reached."""

    def ping(self) -> bool:
        return True  # django-q2 asks once, before it starts, and gives up when the answer is no

    def fail(self, queue: str) -> None:
        """The pusher could not read the task (another secret key): no worker gets it, so the slot is free again."""
        inside.give_slot(queue)

    def acknowledge(self, queue: str) -> None:
        """A task is gone when it is taken."""

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
    """The queue in the database: a task is part of the caller's transaction.

    Whoever adds one wakes the pushers of its machine. One that has no idle worker left for it passes that on to other hosts.
    """

    _listener: Listener | None = None
    _looked_at = float("-inf")
    # The queues in which no task waits, since the last look; and whether other hosts may have to be told of a task.
    _empty: frozenset[str] = frozenset()
    _tell = False

    def enqueue(self, task: str) -> int | None:
        """Put a signed task into the queue, and wake who takes it after the commit; returns the row's id.

        None where enough wait. Raises a database error.
        """
        # Stock asks for the connection by closing stale ones, in the middle of the caller's work: not needed. And the
        # ORM's way of inserting a row costs as much as all the rest of waking.
        found = task_rows.add(self.list_key, task, at_most=self.at_most)
        self._refused = found is None
        if found is not None:
            wake_up(TASKS)
        return found

    def _take(self, free: Sequence[Source]) -> Taken | None:
        if self._listener is None:
            self._listener = Listener(TASKS)
        queues = {queue for queue, _ in free}
        if not free:
            self._pass_on()
        if not free or (self._empty.issuperset(queues) and not self._is_due()):
            return None
        connections.refresh()
        self._listener.attend()
        self._looked_at = time.monotonic()
        sources = {private_queue(lane): queue for queue, lane in free if lane} | {queue: queue for queue, _ in free}
        found, more = task_rows.take_first(list(sources))
        self._empty = frozenset() if more else frozenset(queues)
        if not more:
            self._pass_on(needed=len(queues) < len(inside.queues()))
        return found and Taken(sources[found[0]], found[1])

    def _is_due(self) -> bool:
        return not self._listener.works or time.monotonic() - self._looked_at >= LOOK_S

    def _rest(self, any_free: bool) -> None:
        # Until a wake-up, a slot that was refused, or the next look; not where the last look left something.
        timeout_s = self._looked_at + LOOK_S - time.monotonic() if any_free else LOOK_S
        if self._listener.wait(timeout_s if self._empty or not any_free else 0.0, *inside.interrupts()):
            self._empty, self._tell = frozenset(), self._tell or self._listener.local

    def _pass_on(self, needed: bool = True) -> None:
        """Tell other hosts of what this machine was woken for and may have no idle worker for."""
        told, self._tell = self._tell, False
        if told and needed:
            tell_hosts(TASKS)

    def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()

    def _let_go(self) -> None:
        self._empty = frozenset()
        connections.refresh()

    def full(self) -> bool:
        """Whether a task would be refused, where the last one was: to make one and throw it away costs more than to ask."""
        if self._refused:
            self._refused = task_rows.waiting(self.list_key, self.at_most) >= self.at_most
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

    def _take(self, free: Sequence[Source]) -> Taken | None:
        # A queue whose workers are all busy is looked into again soon.
        if not free:
            return None
        lists = {f"django_q:{private_queue(lane)}:q": queue for queue, lane in free if lane}
        lists |= {self.list_key if queue == self.list_key else f"django_q:{queue}:q": queue for queue, _ in free}
        found = self.connection.blpop(list(lists), timeout=TAKE_S if len(free) >= len(inside.queues()) else Conf.POLL)
        return Taken(lists[found[0].decode()], found[1]) if found else None

    def _rest(self, any_free: bool) -> None:
        if not any_free:
            wait_for(Conf.POLL, inside.interrupts())
