"""Chores: sweepers, tickers and cleaners, in threads beside django-q2, so that they do not stop with it."""
from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

from django import db
from django.conf import settings
from django.db.models import DateTimeField
from django.db.models.functions import Now

from gs2admin import outage
from gs2admin.db import patience
from gs2admin.engine import connections, due
from gs2admin.engine.models import EngineChore
from gs2admin.engine.registry import CLEANERS, DELIVERY_THREADS, DUE, SWEEPERS, TICKERS, Cleaner
from gs2admin.engine.wakeup import CHORES, Listener, here

log = logging.getLogger(__name__)
# How often cleaners that are due, by what is known of them, are looked for. s.
LOOK_S = 5.0
# How often a chore that stays due is called again: a ticker, or a delivery; sweepers have settings.SWEEP_S. s.
TICK_S = 0.5
# How often it is asked what is due while something will be; else every SWEEP_S. What a lost wake-up costs. s.
PENDING_S = 1.0
# A sweeper is called so often at least, whatever its `due` says. s.
ANYWAY_S = 300.0
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
_away: set[str] = set()


def sweep_once() -> int:
    """Call every sweeper; a failure of one is logged and does not touch the others. Returns the rows woken."""
    return _sweep(list(SWEEPERS))


def _sweep(names: list[str]) -> int:
    return sum(_guarded("sweeper", name, SWEEPERS[name]) or 0 for name in names)


def sweep_for_ever(ended: threading.Event, every_s: float) -> None:
    """Until `ended` is set; the first time at once. Those that are found due, and those that do not say when, every every_s."""
    anyway_at = every_at = 0.0
    while not ended.is_set():
        now, names = time.monotonic(), due.sweepers.take()
        if now >= every_at:
            # Apart by chance, so that several hosts do not all look at the same moment.
            every_at = now + every_s * random.uniform(0.9, 1.1)
            names |= {name for name in SWEEPERS if name not in DUE}
        if now >= anyway_at:
            anyway_at, names = now + ANYWAY_S, set(SWEEPERS)
        _sweep([name for name in SWEEPERS if name in names])
        due.sweepers.news.wait(max(0.0, every_at - time.monotonic()))
    db.connections.close_all()


class _Ticker:
    """Asks what is due, calls tickers, and tells the other threads what they have to do."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._question: due.Question | None = None
        self._next: dict[str, float] = {}

    def turn(self) -> float:
        """Ask once, and call or tell what is due. Returns in how many seconds to ask again, unless something happens."""
        found = self._ask()
        now = time.monotonic()
        self._next = {name: at for name, at in self._next.items() if found.get(name, 1.0) <= 0.0}
        ready = {name for name, in_s in found.items() if in_s <= 0.0 and self._next.get(name, 0.0) <= now}
        due.sweepers.put(ready & SWEEPERS.keys())
        due.deliveries.put(ready & DELIVERY_THREADS.keys())
        due.cleaners.put(ready & CLEANERS.keys())
        for name in ready:
            self._next[name] = now + (self.every_s if name in SWEEPERS or name in CLEANERS else TICK_S)
        for name in [name for name in TICKERS if name in ready or name not in DUE]:
            _guarded("ticker", name, TICKERS[name])
        later = [max(in_s, self._next.get(name, 0.0) - now) for name, in_s in found.items()]
        later += [PENDING_S if found else self.every_s, *([TICK_S] if TICKERS.keys() - DUE.keys() else [])]
        # What is due in 0.1 ms is due: databases and processes round moments differently.
        return max(0.002, min(later)) - (time.monotonic() - now)

    def _ask(self) -> dict[str, float]:
        asked: dict[str, float] = {}

        def ask() -> int:
            if self._question is None:
                self._question = due.Question(DUE)
            asked.update(self._question.ask())
            return 0

        # Who cannot be asked is called as often as it may be.
        return asked if _guarded("look", "due", ask) is not None else dict.fromkeys(DUE, 0.0)


def tick_for_ever(ended: threading.Event, every_s: float | None = None) -> None:
    """Until `ended` is set. every_s: how often to ask what is due where nothing is expected; None: settings.SWEEP_S."""
    ticker, listener = _Ticker(every_s or settings.SWEEP_S), Listener(CHORES)
    try:
        while not ended.is_set():
            _guarded("look", "listen", lambda: listener.attend() or 0)
            in_s = ticker.turn()
            if not ended.is_set():
                listener.wait(in_s if listener.works else min(in_s, TICK_S))
    finally:
        listener.close()
        db.connections.close_all()


def clean_once() -> int:
    """Call every cleaner that is due and that no other host has taken. Returns the rows removed."""
    return _Cleaning().once(set(CLEANERS))


def clean_for_ever(ended: threading.Event) -> None:
    """Until `ended` is set; not in the first seconds, which belong to the start. Ends the waits of the other threads, too."""
    cleaning, found = _Cleaning(), set()
    ended.wait(random.uniform(LOOK_S, 3 * LOOK_S))
    while not ended.is_set():
        found |= due.cleaners.take()
        if any(cleaning.is_due(cleaner, found) for cleaner in CLEANERS.values()):
            cleaning.once(found)
            found.clear()
        ended.wait(LOOK_S)
    for board in (due.sweepers, due.deliveries):
        board.news.set()
    here(CHORES)
    db.connections.close_all()


class _Cleaning:
    """When each cleaner is due, as far as this host knows: it asks only when one may be."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def is_due(self, cleaner: Cleaner, found: set[str]) -> bool:
        """As far as is known. found: of those that say when they have something to do, those that have."""
        return self._at.get(cleaner.name, 0.0) <= time.monotonic() and (cleaner.name not in DUE or cleaner.name in found)

    def once(self, found: set[str]) -> int:
        """Read when each cleaner ran, and call those that are due and that this host can take. found: as in `is_due`."""
        removed = 0
        ages: dict[str, float] = {}

        def read() -> int:
            rows = EngineChore.objects.annotate(now=Now(output_field=DateTimeField())).values_list("name", "ran_at", "now")
            ages.update({name: (now - ran_at).total_seconds() for name, ran_at, now in rows})
            return 0

        if _guarded("look", "cleaners", read) is None:
            return 0
        now = time.monotonic()
        for cleaner in list(CLEANERS.values()):
            age = ages.get(cleaner.name)
            left_s = 0.0 if age is None else cleaner.every_s - age
            self._at[cleaner.name] = now + max(0.0, left_s)
            if left_s <= 0.0 and (cleaner.name not in DUE or cleaner.name in found):
                self._at[cleaner.name] = now + cleaner.every_s
                if _claim(cleaner, new=age is None):
                    removed += _guarded("cleaner", cleaner.name, cleaner.run) or 0
        return removed


def _claim(cleaner: Cleaner, *, new: bool) -> bool:
    def claim() -> int:
        if new:
            EngineChore.objects.get_or_create(name=cleaner.name, defaults={"ran_at": NEVER})
        ready = EngineChore.objects.filter(name=cleaner.name, ran_at__lt=Now() - timedelta(seconds=cleaner.every_s))
        return ready.update(ran_at=Now())

    return _guarded("claim", cleaner.name, claim) == 1


def _guarded(kind: str, name: str, run: Callable[[], int]) -> int | None:
    """Returns what `run` does; None when it failed, which is logged."""
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
        return None
    except Exception:
        log.exception("%s failed", kind, extra={"name_of": name})
        return None
    _away.discard(name)
    if rows and kind != "claim":
        log.info("%s found rows", kind, extra={"name_of": name, "rows": rows,
                                               "ms": round((time.monotonic() - began) * 1000)})
    return rows
