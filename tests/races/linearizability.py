"""Could one mutex have done this? A checker of histories of a re-entrant mutex with a time to live and a fencing token.

A history is what clients saw: when they asked, when they were answered, what was answered. It is linearizable when every call
can be given one moment between the two at which it happened as a whole, so that the answers are those of the model below. The
search goes call by call in an order that respects real time, and gives each the earliest moment that it can have, which is
never worse for those after it (after Wing and Gong, with Lowe's memory of configurations). A call without an answer may have
happened at any time after it was sent, or never. Mutexes do not touch each other, so each is judged alone.

The model: an acquire gets the revision after the last one; locking again by the holder counts up, keeps the revision, and its
end is the later one; as many unlocks free it; at its end it is free whatever was counted. Times are Unix milliseconds, and
clients and database read one clock.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

SLACK_MS = 3.0  # clocks are read to the millisecond, before and after


@dataclass(frozen=True)
class Call:
    """One call. kind: lock, unlock, get or delete. answered: inf without an answer.

    answer: ok, locked (another holds it), free (nobody does), foreign (unlock: another holds it), or "" without one.
    holder, revision, until: of an ok. ttl_ms: asked for by a lock.
    """

    kind: str
    mutex: str
    who: str
    asked: float
    answered: float = inf
    answer: str = ""
    holder: str = ""
    revision: int = 0
    until: float = 0.0
    ttl_ms: float = 0.0


class State(NamedTuple):
    """holder "" is free. It runs out between `soonest` and `latest`: they differ after a lock whose answer is not known."""

    at: float = 0.0
    holder: str = ""
    count: int = 0
    revision: int = 0
    soonest: float = 0.0
    latest: float = 0.0


@dataclass
class Verdict:
    """mutex: the first that cannot be explained, with the longest explanation found and the calls that did not fit."""

    ok: bool
    mutex: str = ""
    explained: int = 0
    stuck: list[Call] = field(default_factory=list)


def check(history: Iterable[Call]) -> Verdict:
    """Judge a whole history."""
    by_mutex: dict[str, list[Call]] = defaultdict(list)
    for call in history:
        by_mutex[call.mutex].append(call)
    for calls in by_mutex.values():
        verdict = check_one(calls)
        if not verdict.ok:
            return verdict
    return Verdict(True)


def check_one(calls: list[Call]) -> Verdict:
    """Judge the history of one mutex."""
    calls = sorted(calls, key=lambda call: call.asked)
    claimed: dict[int, str] = {}
    for call in calls:
        if call.answer == "ok" and claimed.setdefault(call.revision, call.holder) != call.holder:
            return Verdict(False, call.mutex, 0, [call])  # one token, two holders
    known = sum(1 << index for index, call in enumerate(calls) if call.answer)
    first = (0, State())
    seen, stack, best, stuck = {first}, [first], -1, []
    while stack:
        done, state = stack.pop()
        if done & known == known:
            return Verdict(True)
        ready = _ready(calls, done)
        count = (done & known).bit_count()
        if count > best:
            best, stuck = count, [calls[index] for index in ready if calls[index].answer]
        # The stack is last in, first out: calls with an answer are tried first, the one that was answered first before all.
        for index in sorted(ready, key=lambda index: -calls[index].answered):
            for after in _steps(calls[index], state, claimed):
                following = (done | 1 << index, after)
                if following not in seen:
                    seen.add(following)
                    stack.append(following)
    return Verdict(False, calls[0].mutex, best, stuck)


def _ready(calls: list[Call], done: int) -> list[int]:
    """Those that may be next: asked before any that is left was answered."""
    ready, earliest = [], inf
    for index, call in enumerate(calls):
        if call.asked > earliest:
            break
        if not done >> index & 1:
            ready.append(index)
            earliest = min(earliest, call.answered)
    return [index for index in ready if calls[index].asked <= earliest]


def _steps(call: Call, state: State, claimed: dict[int, str]) -> Iterator[State]:
    """The states that this call can lead to, each at the earliest moment; none when its answer cannot be."""
    at = max(state.at, call.asked)
    last = call.answered + SLACK_MS
    if at > last:
        return
    held = bool(state.holder) and at < state.latest + SLACK_MS
    # When it is free: now, or when it has run out, if that comes before the answer.
    free_at = at if not state.holder else max(at, state.soonest - SLACK_MS)
    free = free_at <= last
    mine = held and state.holder == call.who
    if call.kind == "lock":
        yield from _lock(call, state, claimed, at, mine, free_at if free else None)
        if call.answer == "locked" and held and not mine:
            yield state._replace(at=at)
    elif call.answer in ("free", "locked", "foreign"):
        if call.answer == "free" and free:
            yield State(free_at, revision=state.revision)
        if call.answer == "foreign" and held and not mine:
            yield state._replace(at=at)
    elif held and (not call.answer or (call.holder, call.revision) == (state.holder, state.revision)):
        if call.kind == "get":
            yield state._replace(at=at)
        elif call.kind == "delete":
            yield State(at, revision=state.revision)
        elif mine:
            left = state._replace(at=at, count=state.count - 1)
            yield left if left.count else State(at, revision=state.revision)


def _lock(
    call: Call, state: State, claimed: dict[int, str], at: float, mine: bool, free_at: float | None
) -> Iterator[State]:
    known, revision = call.answer == "ok", state.revision + 1
    if call.answer and not known:
        return
    if mine and (not known or (call.revision == state.revision and call.until >= state.soonest - SLACK_MS)):
        soonest, latest = (call.until,) * 2 if known else (max(state.soonest, at + call.ttl_ms), inf)
        yield State(at, state.holder, state.count + 1, state.revision, soonest, latest)
    # A token that was seen with somebody else was not this call's.
    if free_at is not None and claimed.get(revision, call.who) == call.who and (not known or call.revision == revision):
        soonest, latest = (call.until,) * 2 if known else (free_at + call.ttl_ms, inf)
        if not known or call.asked + call.ttl_ms - SLACK_MS <= call.until <= call.answered + call.ttl_ms + SLACK_MS:
            yield State(free_at, call.who, 1, revision, soonest, latest)
