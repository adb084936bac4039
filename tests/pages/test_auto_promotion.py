"""Auto-promotion in the browser: settings, the held one on board and stage page, letting go."""
from __future__ import annotations

import pytest

from gs2admin.dashboard import attention
from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout
from stages.models.governance import AutoPromotion
from stages.rollouts.services import promote_stage, rollback_stage
from stages.states import RolloutState
from tests.pages.test_moves import at

pytestmark = pytest.mark.django_db


def test_turning_on_holding_and_letting_go(world, producer, sign_in, run):
    client = sign_in(producer)
    url = at("stage-auto", world, stage="stg")
    assert "A rollback of this stage holds its auto-promotion until a person releases it" in client.get(url).content.decode()
    page = client.post(url, {"enabled": "on", "soak_min": "5", "reason": "r"}, follow=True).content.decode()
    assert "is promoted automatically from the next time" in page and "5 min 0 s after dev is Active" in page
    run(promote_stage(actor=SYSTEM, stage=world.stg))
    rollback = rollback_stage(actor=SYSTEM, stage=world.stg)
    assert Rollout.objects.get(pk=rollback.pk).state == RolloutState.QUEUED
    attention.forget()
    board = client.get(at("board", world)).content.decode()
    assert "The auto-promotion of stg is held." in board and at("stage-release", world, stage="stg") in board
    assert "system rolled stg back" in client.get(at("stage", world, stage="stg")).content.decode()
    page = client.post(at("stage-release", world, stage="stg"), {"reason": "x"}, follow=True).content.decode()
    assert "The auto-promotion of stg is on again." in page and AutoPromotion.objects.get().held_at is None
    again = client.post(at("stage-release", world, stage="stg"), {"reason": "x"})
    assert again.status_code == 409 and "is not held" in again.content.decode()


def test_a_stage_without_source_cannot(world, producer, sign_in):
    answer = sign_in(producer).post(at("stage-auto", world, stage="dev"), {"enabled": "on", "soak_min": "5"})
    assert answer.status_code == 400 and "has no source stage" in answer.content.decode()
