"""Random moves in one process against a mutex of ten lines: after each move both say the same."""
from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from locks import chores, reads
from locks.models import Holding, LockNamespace, Mutex
from tests.locks.conftest import FREE, LOCKED, NOT_MATCH

pytestmark = pytest.mark.django_db
WHO, PROPERTIES, MOVES = ("a", "b", "c"), ("p", "q"), 120


@dataclass
class Model:
    """left: seconds until it runs out. ends: holdings that are over. floor: no new revision is at or below it."""

    who: str = ""
    count: int = 0
    revision: int = 0
    left: float = 0.0
    ends: int = 0
    floor: int = 0

    def lock(self, who: str, ttl: int) -> tuple | str:
        if self.count and self.who != who:
            return LOCKED
        if self.count:
            self.count, self.left = self.count + 1, max(self.left, ttl)
        else:
            self.who, self.count, self.revision, self.left = who, 1, max(self.revision, self.floor) + 1, ttl
        return self.count, self.revision

    def unlock(self, who: str) -> tuple | str:
        if not self.count:
            return FREE
        if self.who != who:
            return NOT_MATCH
        self.count -= 1
        self.ends += self.count == 0
        return self.count, self.revision

    def release(self) -> tuple | str:
        if not self.count:
            return FREE
        self.count, self.ends = 0, self.ends + 1
        return 0, self.revision

    def age(self, seconds: float) -> None:
        self.left -= seconds
        if self.count and self.left <= 0:
            self.count, self.ends = 0, self.ends + 1


@pytest.mark.parametrize("seed", range(8))
def test_rows_and_model_agree(mutexes, seed):
    chance = random.Random(seed)
    models = {name: Model() for name in PROPERTIES}
    for number in range(MOVES):
        name, who, ttl = chance.choice(PROPERTIES), chance.choice(WHO), chance.choice((5, 20, 100))
        model = models[name]
        move = chance.choices(("lock", "unlock", "delete", "force", "age", "note", "remove"), (9, 9, 1, 1, 4, 2, 2))[0]
        if move in ("force", "age") and mutexes.row(name) is None:
            continue
        found = expected = None
        if move == "lock":
            found, expected = mutexes.lock(who, ttl, of=name), model.lock(who, ttl)
        elif move == "unlock":
            found, expected = mutexes.unlock(who, of=name), model.unlock(who)
        elif move in ("delete", "force"):
            found, expected = getattr(mutexes, move)(of=name), model.release()
        elif move == "age":
            seconds = chance.choice((3, 10, 60))
            mutexes.age(seconds, of=name), model.age(seconds)
        elif move == "note":
            chores.note_expired()
        elif model.count == 0 and mutexes.row(name):
            _remove(mutexes, name)
            model.ends, floor = 0, max(model.revision, model.floor)
            for one in models.values():
                one.floor = floor
        if found is not None and not isinstance(found, str):
            found = found.counter, found.revision
        assert found == expected, (number, move, name, who)
        state = mutexes.state(name)
        assert (state.held if state else False) == (model.count > 0), (number, move, name)
        if model.count:
            assert (state.transaction_id, state.counter, state.revision) == (model.who, model.count, model.revision)
    chores.note_expired()
    for name, model in models.items():
        assert len(mutexes.history(name)) == model.ends
    held = {name for name, model in models.items() if model.count}
    assert {row.property_id for row in reads.held(mutexes.namespace, limit=9).rows} == held


def _remove(mutexes, name: str) -> None:
    """The row goes, as after a long time."""
    chores.note_expired()
    row = mutexes.row(name)
    Holding.objects.filter(mutex=row).delete()
    Mutex.objects.filter(pk=row.pk).update(ended_ms=1)
    chores.remove_idle_mutexes()
    assert mutexes.row(name) is None
    assert LockNamespace.objects.get(pk=mutexes.namespace.pk).floor >= row.revision
