"""Deploys that come at the same instant: one begins, the others wait, and each has its turn once, in order, on any host."""
from __future__ import annotations

import pytest

from gs2admin import engine
from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout
from stages.rollouts.queue import MOST, start_next
from stages.rollouts.services import cancel_rollout, promote_stage
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from stages.worker import executor
from tests.races.conftest import together

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage(project, monkeypatch):
    """A stage with something to deploy, and no worker that hears."""
    monkeypatch.setattr(engine, "wake", lambda task, pk: None)
    monkeypatch.setattr(engine, "beat", lambda *_: False)
    monkeypatch.setattr(engine, "worker_label", lambda: "test:worker")
    register_version(actor=SYSTEM, project=project, microservice="auth", version="1.0")
    return create_stage(actor=SYSTEM, project=project, name="live")


def deploy(stage):
    return promote_stage(actor=SYSTEM, stage=stage, protocol="sourcedeploy", queue=True)


def live(stage) -> list[Rollout]:
    return list(Rollout.objects.live().filter(stage=stage).order_by("id"))


def test_each_has_its_turn_once_and_in_order(stage):
    found = together(*[lambda: deploy(stage)] * (MOST + 3))
    refused = [one for one in found if isinstance(one, Exception)]
    assert len(refused) == 2 and all(isinstance(one, Conflict) for one in refused)
    rows = live(stage)
    assert [row.waiting for row in rows] == [False] + [True] * MOST
    for turn, row in enumerate(rows):
        assert together(*[lambda: start_next(stage.pk)] * 3).count(True) == (1 if turn else 0)
        assert [one.pk for one in live(stage) if not one.waiting] == [row.pk]
        executor.run(row.pk)
    assert live(stage) == [] and Rollout.objects.filter(stage=stage, state="succeeded").count() == MOST + 1


def test_a_cancel_against_its_turn_leaves_one_of_the_two(stage):
    for _ in range(5):
        first, second = deploy(stage), deploy(stage)
        executor.run(first.pk)
        together(lambda: start_next(stage.pk), lambda row=second: cancel_rollout(actor=SYSTEM, rollout=row))
        second.refresh_from_db()
        assert (second.state, second.waiting) == ("canceled", False), "a queued one can be canceled before and after its turn"
        assert live(stage) == [] and start_next(stage.pk) is False
