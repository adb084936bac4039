"""What a worker may write about its rollout, and in which states."""
from __future__ import annotations

import pytest
from django.db.models.functions import Now

from gs2admin.identity.actors import SYSTEM
from stages.core import journal
from stages.core.journal import Line, MoveRefused
from stages.models import Rollout
from stages.rollouts.services import cancel_rollout, promote_stage
from stages.states import FINAL, RolloutState
from stages.worker import begin
from tests.stages.kinds import scenario

pytestmark = pytest.mark.django_db
MAY_BEGIN_STEPS = {"running", "rolling_back", "canary_rejecting"}


@pytest.fixture
def claimed(stage):
    """(claim, rollout) of a rollout that a worker began."""
    scenario(stage)
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    claim = journal.claim(rollout.pk, "worker")
    begin.start(claim, [])
    return claim, rollout


def seen(rollout) -> tuple[str, int, int]:
    """State and attempt of the first step, and the lines of output."""
    step = rollout.steps.first()
    return step.state, step.attempt, rollout.outputs.count()


def test_a_cancel_that_was_answered_lets_no_step_begin(claimed):
    claim, rollout = claimed
    cancel_rollout(actor=SYSTEM, rollout=rollout)
    before = seen(rollout)
    with pytest.raises(MoveRefused):
        journal.start_step(claim, rollout.steps.first(), [Line("it begins")])
    assert seen(rollout) == before and before[0] == "pending"


@pytest.mark.parametrize("state", RolloutState.values)
def test_steps_begin_only_while_the_rollout_works(claimed, state):
    claim, rollout = claimed
    ended = {"ended_at": Now()} if state in FINAL else {}
    Rollout.objects.filter(pk=rollout.pk).update(state=state, lease_until=None, **ended)
    before = seen(rollout)
    if state in MAY_BEGIN_STEPS:
        journal.start_step(claim, rollout.steps.first(), [Line("it begins")])
        assert seen(rollout) == ("running", before[1] + 1, before[2] + 1)
    else:
        with pytest.raises(MoveRefused):
            journal.start_step(claim, rollout.steps.first(), [Line("it begins")])
        assert seen(rollout) == before
