"""Calls to other servers, in threads of the supervisor: a slow one keeps no worker, and so no rollout, waiting."""
from __future__ import annotations

import logging
import random
import threading
from typing import Any

from django import db

from gs2admin.db import patience
from gs2admin.engine import connections, due
from gs2admin.engine.registry import DELIVERY_THREADS, DUE, DeliveryThread
from gs2admin.engine.wakeup import CHORES, here

log = logging.getLogger(__name__)
TICK_S = 0.5
# s. A thread whose `leaving` is True ends its call at once; the row is due again after its lease.
LEAVE_S = 0.8
_Under_way = dict[tuple[str, int], threading.Thread]


def deliver_for_ever(ended: threading.Event) -> None:
    """Until `ended` is set; when something is due, and where a kind does not say when, about twice a second."""
    under_way: _Under_way = {}
    while not ended.is_set():
        names = due.deliveries.take() | (DELIVERY_THREADS.keys() - DUE.keys())
        for name, delivery_thread in list(DELIVERY_THREADS.items()):
            if name in names:
                _start_due(name, delivery_thread, under_way, ended)
        due.deliveries.news.wait(TICK_S * random.uniform(0.9, 1.1) if DELIVERY_THREADS.keys() - DUE.keys() else None)
    for thread in list(under_way.values()):
        thread.join(LEAVE_S / max(1, len(under_way)))
    db.connections.close_all()


def _start_due(name: str, delivery_thread: DeliveryThread, under_way: _Under_way, ended: threading.Event) -> None:
    for key in [key for key, thread in under_way.items() if not thread.is_alive()]:
        del under_way[key]
    free = delivery_thread.at_once - sum(key[0] == name for key in under_way)
    if free <= 0:
        return
    with patience.each(patience.LOOP_S):
        found = _guarded(name, delivery_thread.which) or []
    for row_id in [pk for pk in found if (name, pk) not in under_way][:free]:
        work = [name, delivery_thread, row_id, ended]
        thread = threading.Thread(target=_deliver, args=work, name=f"delivery-{row_id}", daemon=True)
        under_way[name, row_id] = thread
        thread.start()


def _deliver(name: str, delivery_thread: DeliveryThread, row_id: int, ended: threading.Event) -> None:
    try:
        _guarded(name, lambda: delivery_thread.run(row_id, ended.is_set))
    finally:
        db.connections.close_all()
        # This thread's place is free for what waits, and what it has delivered in vain is due again at another time.
        due.deliveries.put([name])
        here(CHORES)


def _guarded(name: str, call: Any) -> Any:
    try:
        connections.refresh()
        return call()
    except db.OperationalError as problem:
        # The heartbeat says when it is back; what was under way is due again after its lease.
        log.debug("delivery_thread: the database is away", extra={"name_of": name, "problem": str(problem)})
    except Exception:
        log.exception("delivery_thread failed", extra={"name_of": name})
    return None
