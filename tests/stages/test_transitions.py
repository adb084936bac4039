"""A move is made once, by whoever is first, and whoever listens hears of it once."""
from __future__ import annotations

import pytest

from gs2admin import transitions
from gs2admin.identity.actors import SYSTEM
from gs2admin.transitions import apply, heard
from stages.models import Rollout, Stage
from stages.rollouts.services import promote_stage
from stages.states import BY_ID

pytestmark = pytest.mark.django_db


@pytest.fixture
def moved(monkeypatch):
    """What a listener of rollouts hears, and one of stages, which must hear nothing of it: [(rows, move's id)]."""
    monkeypatch.setattr(transitions, "_listeners", {Rollout: [lambda rows, move: found.append("first")]})
    found = []
    assert heard(Rollout)(listen := lambda rows, move: found.append((rows.get().pk, move.id))) is listen
    heard(Stage)(lambda rows, move: found.append("stage"))
    return found


def test_it_moves_once_and_is_heard_once(stage, moved):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    other = Rollout.objects.exclude(pk=rollout.pk)
    rows = Rollout.objects.filter(pk=rollout.pk)
    moved.clear()
    assert apply(rows, BY_ID["Q1"], error="why") is True
    assert moved == ["first", (rollout.pk, "Q1")] and not other.exists()
    assert rows.values_list("state", "error").get() == ("running", "why")
    moved.clear()
    assert apply(rows, BY_ID["Q1"], error="again") is False
    assert moved == [] and rows.get().error == "why"
    assert apply(rows.none(), BY_ID["R1"]) is False and moved == []


def test_what_nobody_listens_to_moves_too(stage, monkeypatch):
    monkeypatch.setattr(transitions, "_listeners", {})
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    assert apply(Rollout.objects.filter(pk=rollout.pk), BY_ID["Q1"]) is True


def test_a_move_knows_who_makes_it_and_what_it_says():
    assert (BY_ID["R1"].who, BY_ID["R1"].note != "", BY_ID["R4"].note) == ("system", True, "")
