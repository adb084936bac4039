"""The sweep and the cleaning, in threads of the supervisor: outside django-q2, so that they do not stop with it."""
from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

from django import db
from django.db.models.functions import Now

from gs2admin import outage
from gs2admin.db import patience
from gs2admin.engine import connections
from gs2admin.engine.models import EngineChore
from gs2admin.engine.registry import CLEANERS, SWEEPERS, TICKERS, Cleaner

log = logging.getLogger(__name__)
LOOK_S = 5.0
TICK_S = 0.5
_away: set[str] = set()


def sweep_once() -> int:
    """Call every sweeper; a failure of one is logged and does not touch the others. Returns the rows woken."""
    woken = 0
    for name, run in list(SWEEPERS.items()):
        woken += _guarded("sweeper", name, run)
    return woken


def clean_once() -> int:
    """Call every cleaner that is due and that no other host has taken. Returns the rows removed."""
    return sum(_guarded("cleaner", cleaner.name, cleaner.run) for cleaner in list(CLEANERS.values()) if _claim(cleaner))


def sweep_for_ever(ended: threading.Event, every_s: float) -> None:
    """Until `ended` is set; the first time at once."""
    while not ended.is_set():
        sweep_once()
        # Apart by chance, so that several hosts do not all look at the same moment.
        ended.wait(every_s * random.uniform(0.9, 1.1))
    db.connections.close_all()


def tick_for_ever(ended: threading.Event) -> None:
    """Until `ended` is set, about twice a second."""
    while not ended.is_set():
        for name, run in list(TICKERS.items()):
            _guarded("ticker", name, run)
        ended.wait(TICK_S * random.uniform(0.9, 1.1))
    db.connections.close_all()


def clean_for_ever(ended: threading.Event) -> None:
    """Until `ended` is set; not in the first seconds, which belong to the start."""
    ended.wait(random.uniform(LOOK_S, 3 * LOOK_S))
    while not ended.is_set():
        clean_once()
        ended.wait(LOOK_S)
    db.connections.close_all()


def _claim(cleaner: Cleaner) -> bool:
    def claim() -> int:
        EngineChore.objects.get_or_create(name=cleaner.name, defaults={"ran_at": datetime(2000, 1, 1, tzinfo=UTC)})
        due = EngineChore.objects.filter(name=cleaner.name, ran_at__lt=Now() - timedelta(seconds=cleaner.every_s))
        return due.update(ran_at=Now())

    return _guarded("claim", cleaner.name, claim) == 1


def _guarded(kind: str, name: str, run: Callable[[], int]) -> int:
    began = time.monotonic()
    try:
        with nullcontext() if kind == "cleaner" else patience.each(patience.LOOP_S):
            connections.refresh()
            rows = run() or 0
    except db.OperationalError as problem:
        # Said once; the heartbeat says when it is back.
        log.log(logging.DEBUG if name in _away else logging.WARNING, "%s: the database is %s", kind, outage.word(problem),
                extra={"name_of": name, "problem": str(problem)})
        _away.add(name)
        return 0
    except Exception:
        log.exception("%s failed", kind, extra={"name_of": name})
        return 0
    _away.discard(name)
    if rows and kind != "claim":
        log.info("%s found rows", kind, extra={"name_of": name, "rows": rows,
                                               "ms": round((time.monotonic() - began) * 1000)})
    return rows
