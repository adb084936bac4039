"""The checker itself: it takes what a real mutex does, however calls overlap and answers get lost, and finds planted bugs."""
from __future__ import annotations

import random
from dataclasses import dataclass, replace

import pytest

from tests.races.linearizability import Call, check

CLIENTS, MUTEXES, CALLS = 8, 2, 160


@dataclass
class Row:
    holder: str = ""
    count: int = 0
    revision: int = 0
    until: float = 0.0


class Mutex:
    """A mutex that is right; bugs override a rule."""

    def __init__(self) -> None:
        self.row = Row()

    def live(self, at: float) -> bool:
        return self.row.count > 0 and self.row.until > at

    def do(self, kind: str, who: str, ttl: float, at: float) -> tuple[str, Row]:
        row, live = self.row, self.live(at)
        mine = live and row.holder == who
        if kind == "lock":
            return self.lock(who, ttl, at, live, mine)
        if not live:
            return "free", row
        if kind == "unlock":
            return self.unlock(mine)
        seen = replace(row)
        if kind == "delete":
            row.count = 0
        return "ok", seen

    def lock(self, who, ttl, at, live, mine):
        row = self.row
        if live and not mine:
            return "locked", row
        if mine:
            row.count, row.until = row.count + 1, max(row.until, at + ttl)
        else:
            self.row = row = Row(who, 1, self.next_revision(), at + ttl)
        return "ok", replace(row)

    def next_revision(self) -> int:
        return self.row.revision + 1

    def unlock(self, mine):
        if not mine:
            return "foreign", self.row
        seen = replace(self.row)
        self.row.count -= 1
        return "ok", seen


class TwoHolders(Mutex):
    """Now and then the check and the write are two steps, and somebody gets in between."""

    def lock(self, who, ttl, at, live, mine):
        return super().lock(who, ttl, at, live and random.random() < 0.8, mine)


class AnybodyUnlocks(Mutex):
    def unlock(self, mine):
        return super().unlock(True)


class TokenStays(Mutex):
    def next_revision(self):
        return self.row.revision + (random.random() < 0.7)


class TokenFalls(Mutex):
    """A row was removed and the next one begins anew."""

    def next_revision(self):
        return self.row.revision + 1 if self.row.revision % 4 else 1


class RelockIsAnAcquire(Mutex):
    def lock(self, who, ttl, at, live, mine):
        return super().lock(who, ttl, at, live, mine and random.random() < 0.5)


class FirstUnlockFrees(Mutex):
    def unlock(self, mine):
        found = super().unlock(mine)
        if mine:
            self.row.count = 0
        return found


class UnlockIsLost(Mutex):
    def unlock(self, mine):
        before = replace(self.row)
        found = super().unlock(mine)
        if mine and random.random() < 0.3:
            self.row = before
        return found


class ExpiresEarly(Mutex):
    def live(self, at):
        return super().live(at + 150)


class NeverExpires(Mutex):
    def live(self, at):
        return super().live(at - 2_000)


class LockIsForgotten(Mutex):
    """Acknowledged, and lost in a crash."""

    def lock(self, who, ttl, at, live, mine):
        before = replace(self.row)
        found = super().lock(who, ttl, at, live, mine)
        if found[0] == "ok" and random.random() < 0.2:
            self.row = before
        return found


class RelockShortens(Mutex):
    def lock(self, who, ttl, at, live, mine):
        found = super().lock(who, ttl, at, live, mine)
        if mine:
            self.row.until = at + ttl / 4
            found = "ok", replace(self.row)
        return found


class StaleReads(Mutex):
    def do(self, kind, who, ttl, at):
        if kind == "get" and random.random() < 0.5:
            old, self.old = getattr(self, "old", Row()), replace(self.row)
            return ("ok", old) if old.count and old.until > at else ("free", old)
        return super().do(kind, who, ttl, at)


BUGS = [TwoHolders, AnybodyUnlocks, TokenStays, TokenFalls, RelockIsAnAcquire, FirstUnlockFrees, UnlockIsLost, ExpiresEarly,
        NeverExpires, LockIsForgotten, RelockShortens, StaleReads]  # fmt: skip


def history(kind: type[Mutex], seed: int, *, lost: float = 0.05) -> list[Call]:
    """Clients that lock to a depth, look, and unlock; each call happens at one moment between its question and its answer."""
    random.seed(seed)
    mutexes = {f"m{n}": kind() for n in range(MUTEXES)}
    now, calls = 1_000_000.0, []
    plans: list[list] = [[] for _ in range(CLIENTS)]
    free_from = [now] * CLIENTS
    for number in range(CALLS):
        now += random.expovariate(1 / 6)
        client = min(range(CLIENTS), key=lambda n: free_from[n])
        now = max(now, free_from[client] + 0.1)
        if not plans[client]:
            who, mutex, depth = f"t{number}", random.choice(list(mutexes)), random.randint(1, 3)
            plans[client] = [("lock", who, mutex)] * depth + [("get", who, mutex)] * random.randint(0, 1)
            plans[client] += [("unlock", who, mutex)] * depth + [("delete", who, mutex)] * (random.random() < 0.1)
        what, who, mutex = plans[client].pop(0)
        ttl = random.choice([60.0, 200.0, 600.0])
        asked = now - random.uniform(0, 12)
        asked = max(asked, free_from[client] + 0.01)
        answered = now + random.uniform(0, 12)
        chance = random.random()
        if chance < lost / 2:  # never arrived
            calls.append(Call(what, mutex, who, asked, ttl_ms=ttl))
        else:
            answer, row = mutexes[mutex].do(what, who, ttl, now)
            if chance < lost:  # arrived; its answer did not
                calls.append(Call(what, mutex, who, asked, ttl_ms=ttl))
            else:
                ok = answer == "ok"
                calls.append(Call(what, mutex, who, asked, answered, answer, row.holder if ok else "", row.revision if ok else 0,
                                  row.until if ok else 0.0, ttl))  # fmt: skip
            if what == "lock" and answer == "locked":
                plans[client] = []
        free_from[client] = answered
    return calls


@pytest.mark.parametrize("seed", range(60))
def test_what_a_right_mutex_does_is_explained(seed):
    verdict = check(history(Mutex, seed, lost=(seed % 4) * 0.05))
    assert verdict.ok, verdict


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(bug):
    found = sum(not check(history(bug, seed)).ok for seed in range(12))
    assert found >= 9, f"in {found} of 12 histories"


def call(kind: str, who: str, asked: float, answered: float, answer: str = "ok", revision: int = 1, until: float = 0.0, **more):
    more.setdefault("holder", who)
    return Call(kind, "m", who, asked, answered, answer, revision=revision, until=until, ttl_ms=100.0, **more)


LOCK = call("lock", "a", 0, 10, until=105)
CASES = {
    "two holders one after the other": (False, [LOCK, call("lock", "b", 20, 30, revision=2, until=125)]),
    "the second after the first ran out": (True, [LOCK, call("lock", "b", 104, 110, revision=2, until=208)]),
    "the second before the first ran out": (False, [LOCK, call("lock", "b", 60, 90, revision=2, until=180)]),
    "refused although free": (False, [LOCK, call("unlock", "a", 20, 30, until=105), call("lock", "b", 40, 50, "locked")]),
    "refused while the unlock is under way": (True, [LOCK, call("unlock", "a", 20, 60, until=105), call("lock", "b", 40, 50, "locked")]),
    "a lock without an answer explains a refusal": (True, [Call("lock", "m", "a", 0, ttl_ms=100.0), call("lock", "b", 20, 30, "locked")]),
    "a lock that was never sent does not": (False, [Call("lock", "m", "a", 40, ttl_ms=100.0), call("lock", "b", 20, 30, "locked")]),
    "an unlock without an answer explains a new holder": (True, [LOCK, Call("unlock", "m", "a", 12), call("lock", "b", 20, 30, revision=2, until=125)]),
    "a second unlock of one lock": (False, [LOCK, call("unlock", "a", 20, 30, until=105), call("unlock", "a", 40, 50, until=105)]),
    "a token is skipped": (False, [LOCK, call("unlock", "a", 20, 30, until=105), call("lock", "b", 40, 50, revision=3, until=145)]),
    "an end that was not asked for": (False, [call("lock", "a", 0, 10, until=500)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_small_histories(name):
    expected, calls = CASES[name]
    assert check(calls).ok is expected


def test_a_verdict_names_the_mutex_and_the_calls_that_do_not_fit():
    verdict = check([LOCK, replace(LOCK, mutex="n"), call("lock", "b", 20, 30, revision=2, until=125)])
    assert (verdict.ok, verdict.mutex, verdict.explained) == (False, "m", 1) and verdict.stuck[0].who == "b"
