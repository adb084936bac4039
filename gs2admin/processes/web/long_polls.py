"""Requests that may wait for something new: decided about together, many by one look, and held by no thread.

The poller's thread takes them and sends their answers (`poll_intake.py`). A thread of its own decides: about those that arrived
since its last turn, and about held ones whose subject has changed. What has to be made first, the pool makes once for all who
wait for it. What the decider leaves to others goes the ordinary way.
"""
from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from gs2admin.processes.web.connection import Connection

log = logging.getLogger(__name__)
# A request is held for so long at most; proxies wait longer. Each a little less, so that they do not all end together. s.
HOLD_S, EARLIER = 20.0, 0.25
# Between two looks at what is watched; between two looks at who watches; between two turns while many arrive. s.
LOOK_S, CHECK_S, GATHER_S = 0.05, 2.0, 0.01
# Of one client so many are decided about in one turn, and of all.
OF_CLIENT, OF_ALL = 100, 500
# A request for which something was made so often goes the ordinary way.
TRIES = 5
# With nobody left for so long, the connection to the database is given back. s.
REST_S = 1.0


class Decider(Protocol):
    """What the application knows about such requests (settings.WEB_LIVE). An ask has topic, subject, hold, and headers.

    An answer has a status and a body; 204 is held. A making has a key; anything else goes the ordinary way.
    """

    def read(self, head: bytes, peer: str, parse: Callable[[], Any]) -> Any | None: ...
    def decide(self, asks: list[Any]) -> list[Any]: ...
    def facts(self, watched: set[Any]) -> dict[Any, Any]: ...
    def may_have_changed(self) -> bool: ...
    def rest(self) -> None: ...
    def whole(self, ask: Any, answer: Any, *, keep: bool) -> tuple[bytes, bytes]: ...
    def of_problem(self, problem: BaseException) -> Any: ...
    def nothing_new(self) -> Any: ...
    def make(self, making: Any) -> Callable[[], None]: ...
    def tell(self, watchers: int) -> None: ...


class Poll:
    """One request. size: of its head, in bytes. until: it is held no longer; on the monotonic clock. gone: its client is."""

    __slots__ = ("ask", "caller", "connection", "gone", "held", "size", "tries", "until")

    def __init__(self, connection: Connection, ask: Any, size: int, caller: str) -> None:
        self.connection, self.ask, self.size, self.caller = connection, ask, size, caller
        self.until = time.monotonic() + HOLD_S * (1 - EARLIER * random.random())
        self.tries, self.held, self.gone = 0, False, False

    @property
    def watched(self) -> tuple[Hashable, Hashable]:
        """What it is about."""
        return self.ask.topic, self.ask.subject


class Made:
    """Something was made, or could not be. An item of the pool while it is made."""

    def __init__(self, key: Hashable, caller: str, make: Callable[[], None], done: Callable[[Made], None]) -> None:
        self.key, self.caller, self._make, self._done = key, caller, make, done
        self.problem: BaseException | None = None

    def run(self) -> None:
        """In a thread of the pool."""
        try:
            self._make()
        except Exception as problem:  # noqa: BLE001  those who wait for it are told
            self.problem = problem
        self._done(self)


class LongPolls:
    """submit: puts what is to be made into the pool. wake: lets the poller look at `settled`.

    settled: what the poller is to do: a poll, and its answer, None to hold it, or an Exception for the ordinary way.
    """

    def __init__(self, decider: Decider, submit: Callable[[Made], None], wake: Callable[[], None]) -> None:
        self.decider, self.submit, self.wake = decider, submit, wake
        self.settled: deque[tuple[Poll, Any]] = deque()
        self.ended = False
        self._arrived: SimpleQueue[Poll | Made | None] = SimpleQueue()
        self._waiting: dict[str, deque[Poll]] = {}
        self._made: list[Made] = []
        self._making: dict[Hashable, list[Poll]] = {}
        self._held: dict[tuple, dict[Poll, None]] = {}
        self._seen: dict[tuple, Any] = {}
        self._next_look = self._next_check = self._turned_at = 0.0
        self._crowd = 0.0
        threading.Thread(target=self._run, name="long-polls", daemon=True).start()

    # ── Any thread ──────────────────────────────────────────────────────────────────────────────────────────

    def put(self, poll: Poll) -> None:
        """Decide about it soon."""
        self._arrived.put(poll)

    def end(self) -> None:
        """Answer all of them now, and take no more."""
        self.ended = True
        self._arrived.put(None)

    # ── The thread of its own ───────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while not self.ended:
            try:
                self._collect(self._patience())
                self._turn(time.monotonic())
            except Exception:
                log.exception("long polls could not be decided about")
            if self.settled:
                self.wake()
        self._let_go()

    def _patience(self) -> float | None:
        """How long there is nothing to do, if nobody comes."""
        if self._waiting or self._made:
            return 0.0
        if self._held:
            return max(0.0, min(self._next_look, self._next_check) - time.monotonic())
        if self._turned_at:
            return REST_S
        return None

    def _collect(self, patience: float | None) -> None:
        """Wait for who comes, and take all who have come."""
        try:
            self._sort(self._arrived.get(patience != 0.0, patience or None))
            # Who comes alone is decided about at once; of many who come, those of a few milliseconds together.
            pause = self._turned_at + GATHER_S - time.monotonic()
            if 0 < pause <= GATHER_S and not self.ended:
                time.sleep(pause)
        except Empty:
            if patience == REST_S and not self._held:
                self._turned_at = 0.0
                self.decider.rest()
        while True:
            try:
                self._sort(self._arrived.get_nowait())
            except Empty:
                return

    def _sort(self, item: Poll | Made | None) -> None:
        if isinstance(item, Poll):
            self._waiting.setdefault(item.caller, deque()).append(item)
        elif item is not None:
            self._made.append(item)

    def _turn(self, now: float) -> None:
        polls = [poll for poll in (*self._after_making(), *self._next(), *self._again(now)) if not self._is_gone(poll)]
        if polls:
            self._turned_at = now
            for poll, verdict in zip(polls, self._decide(polls), strict=True):
                self._settle(poll, verdict, now)
        held = sum(map(len, self._held.values()))
        self._crowd = max(float(held + len(polls)), self._crowd * 0.98)
        self.decider.tell(int(self._crowd))

    def _decide(self, polls: list[Poll]) -> list[Any]:
        asks = [poll.ask for poll in polls]
        try:
            return self.decider.decide(asks)
        except Exception:  # noqa: BLE001  the connection may have been an old one
            self.decider.rest()
        try:
            return self.decider.decide(asks)
        except Exception as problem:  # noqa: BLE001  whatever it is, they are told
            self.decider.rest()
            return [self.decider.of_problem(problem)] * len(polls)

    def _next(self) -> list[Poll]:
        """Those whose turn it is: of each client some."""
        found: list[Poll] = []
        for caller, waiting in list(self._waiting.items()):
            for _ in range(min(OF_CLIENT, len(waiting), OF_ALL - len(found))):
                found.append(waiting.popleft())
            if not waiting:
                del self._waiting[caller]
            else:
                self._waiting[caller] = self._waiting.pop(caller)  # behind those who got nothing
        return found

    def _again(self, now: float) -> list[Poll]:
        """Held ones that may get an answer now."""
        if not self._held:
            return []
        if now >= self._next_check:
            self._next_check, self._next_look = now + CHECK_S, now + LOOK_S
            return [poll for polls in self._held.values() for poll in polls]
        if now < self._next_look:
            return []
        self._next_look = now + LOOK_S
        try:
            if not self.decider.may_have_changed():
                return []
            facts = self.decider.facts(set(self._held))
        except Exception:  # noqa: BLE001  it is met again, and told, when they are decided about
            facts = {}
        changed = [watched for watched in self._held if watched not in facts or facts[watched] != self._seen.get(watched)]
        self._seen = facts
        return [poll for watched in changed for poll in self._held[watched]]

    def _after_making(self) -> list[Poll]:
        found: list[Poll] = []
        for made in self._made:
            polls = self._making.pop(made.key, [])
            if made.problem is None:
                found += polls
            elif polls:
                answer = self.decider.of_problem(made.problem)
                for poll in polls:
                    self.settled.append((poll, answer))
        self._made.clear()
        return found

    def _settle(self, poll: Poll, verdict: Any, now: float) -> None:
        status = getattr(verdict, "status", None)
        if status == 204 and poll.ask.hold and now < poll.until:
            self._hold(poll)
            return
        self._forget(poll)
        if status is not None:
            self.settled.append((poll, verdict))
        elif hasattr(verdict, "key") and poll.tries < TRIES:
            self._wait_for(poll, verdict)
        else:
            self.settled.append((poll, ORDINARY))

    def _hold(self, poll: Poll) -> None:
        if not self._held:
            self._next_check = time.monotonic() + CHECK_S
        self._held.setdefault(poll.watched, {})[poll] = None
        if not poll.held:
            poll.held = True
            self.settled.append((poll, None))

    def _forget(self, poll: Poll) -> None:
        polls = self._held.get(poll.watched)
        if polls is not None and poll in polls:
            del polls[poll]
            if not polls:
                del self._held[poll.watched]

    def _is_gone(self, poll: Poll) -> bool:
        if poll.gone:
            self._forget(poll)
        return poll.gone

    def _wait_for(self, poll: Poll, making: Any) -> None:
        poll.tries += 1
        waiting = self._making.get(making.key)
        if waiting is not None:
            waiting.append(poll)
            return
        self._making[making.key] = [poll]
        self.submit(Made(making.key, poll.caller, self.decider.make(making), self._arrived.put))

    def _let_go(self) -> None:
        """Everybody asks again, and another process answers."""
        self._collect(0.0)
        nothing = self.decider.nothing_new()
        groups = (*self._waiting.values(), *self._making.values(), *self._held.values())
        self.settled.extend((poll, nothing) for polls in groups for poll in polls)
        self.wake()


ORDINARY = object()
