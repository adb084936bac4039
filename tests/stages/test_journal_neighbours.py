"""What a worker writes about its rollout touches no other, and takes the project's lock first."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from gs2admin.identity.actors import SYSTEM
from stages.core import journal
from stages.core.journal import Line
from stages.models import Output, Rollout, RolloutCanary, RolloutTarget, Stage, Step
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage
from stages.states import StepState
from stages.worker import begin
from tests.stages.kinds import scenario

pytestmark = pytest.mark.django_db


def begun(stage):
    """(claim, rollout) of a rollout that a worker began, with two targets and a canary whose clock has come."""
    scenario(stage, name=f"of-{stage.name}", targets=("a", "b"))
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    claim = journal.claim(rollout.pk, "worker")
    begin.start(claim, [])
    RolloutCanary.objects.create(rollout=rollout, wake_at=Now(), weight_until=Now(), hold_until=Now())
    return claim, rollout


@pytest.fixture
def mine(stage):
    """(claim, rollout) on dev."""
    return begun(stage)


@pytest.fixture
def other(stage, project):
    """A rollout of another stage of the project: one step runs, the last has taken something back on target b."""
    claim, rollout = begun(create_stage(actor=SYSTEM, project=project, name="other", sort_number=1))
    journal.start_step(claim, rollout.steps.first(), [])
    Step.objects.filter(pk=rollout.steps.last().pk).update(leg="undo", target_name="b")
    Rollout.objects.filter(pk=rollout.pk).update(lease_until=None)
    return rollout


def rows_of(rollout) -> list:
    """Everything that is stored of a rollout and its stage."""
    return [list(rows.order_by("pk").values()) for rows in (
        Rollout.objects.filter(pk=rollout.pk), Stage.objects.filter(pk=rollout.stage_id),
        *(model.objects.filter(rollout=rollout) for model in (Step, Output, RolloutTarget, RolloutCanary)),
    )]  # fmt: skip


def test_no_write_touches_another_rollout_of_the_project(mine, other):
    claim, rollout = mine
    before, first = rows_of(other), rollout.steps.first()
    Rollout.objects.filter(pk=rollout.pk).update(lease_until=None)
    claim = journal.claim(rollout.pk, "worker")
    ended = {"error": "", "consistent": True, "lines": [Line("the end")]}
    for name, act in {
        "renew": lambda: journal.renew(claim), "release": lambda: journal.release(claim),
        "write": lambda: journal.write(claim, [Line("one")]), "start": lambda: journal.start_step(claim, first, []),
        "remember": lambda: journal.remember(claim, first, {"n": 1}),
        "finish a step": lambda: journal.finish_step(claim, first, StepState.SUCCEEDED, "well", []),
        "start the next": lambda: journal.start_step(claim, rollout.steps.exclude(state="succeeded").first(), []),
        "finish": lambda: journal.finish(claim, "R1", **ended),
    }.items():  # fmt: skip
        act()
        assert rows_of(other) == before, name
    assert {step.state for step in rollout.steps.all()} == {"succeeded", "failed", "no_progress"}


def test_an_undo_marks_its_own_targets_alone(mine, other):
    claim, rollout = mine
    Step.objects.filter(pk=rollout.steps.first().pk).update(leg="undo", target_name="a", state="succeeded")
    Rollout.objects.filter(pk=rollout.pk).update(state="rolling_back")
    before = rows_of(other)
    journal.finish(claim, "B1", error="", consistent=True, lines=[])
    assert rows_of(other) == before
    assert list(RolloutTarget.objects.filter(rollout=rollout, undone=True).values_list("name", flat=True)) == ["a"]


def test_the_clock_of_another_canary_and_that_of_another_state_count_nothing(mine, other):
    _, rollout = mine
    Rollout.objects.filter(pk=rollout.pk).update(state="canary_hold", lease_until=None)
    assert journal.claim(rollout.pk, "worker") is None, "its own has come, but it waits for a person"
    Rollout.objects.filter(pk=rollout.pk).update(state="canary_analyzing")
    RolloutCanary.objects.filter(pk=rollout.pk).update(wake_at=Now() + timedelta(minutes=1))
    assert journal.claim(rollout.pk, "worker") is None, "the other's has come"


def test_a_canarys_clocks_are_stopped_with_what_else_is_to_be_written(mine):
    _, rollout = mine
    journal.end_canary(rollout.pk, weight=40)
    assert RolloutCanary.objects.values_list("wake_at", "weight_until", "hold_until", "weight").get() == (None, None, None, 40)


@pytest.mark.parametrize(("strategy", "colour"), [("normal", ""), ("blueGreen", "green")])
def test_only_blue_green_turns_the_colours(mine, strategy, colour):
    claim, rollout = mine
    Rollout.objects.filter(pk=rollout.pk).update(strategy=strategy, colour="green")
    journal.finish(claim, "R1", error="", consistent=True, lines=[])
    assert Stage.objects.get(pk=rollout.stage_id).colour == colour


def test_the_ends_of_steps_and_rollouts_take_the_projects_lock_before_any_other(mine):
    claim, rollout = mine
    first = rollout.steps.first()
    journal.start_step(claim, first, [])
    for act in (
        lambda: journal.finish_step(claim, first, StepState.SUCCEEDED, "well", []),
        lambda: journal.finish(claim, "R1", error="", consistent=True, lines=[]),
    ):
        with CaptureQueriesContext(connection) as asked:
            act()
        written = [query["sql"] for query in asked if query["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]
        assert written[0].startswith('UPDATE "stages_ledger"') and len(written) > 2
