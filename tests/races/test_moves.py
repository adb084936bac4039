"""Cancel, success, retry and promote meet in the same instant: one end, one next rollout, pins that fit."""
from __future__ import annotations

import random

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from stages.core import journal
from stages.models import Rollout
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from stages.states import LIVE, RolloutState, StepState
from stages.worker import begin, executor
from tests.conditions import until
from tests.races.conftest import together

ROUNDS = 15


@pytest.fixture
def stage(transactional_db, project):
    """A stage of pins only, so that a rollout takes a few milliseconds."""
    return create_stage(actor=SYSTEM, project=project, name="dev")


def rollout_to(stage, version: str) -> Rollout:
    for name in ("battle", "chat", "mail"):
        register_version(actor=SYSTEM, project=stage.project, microservice=name, version=version)
    return promote_stage(actor=SYSTEM, stage=stage)


def test_cancel_meets_success(stage, project):
    chance, ends = random.Random(4), set()
    first = rollout_to(stage, "0")
    executor.run(first.pk)
    first.refresh_from_db()
    for number in range(ROUNDS):
        stage.refresh_from_db()
        before = stage.current_set_id
        rollout = rollout_to(stage, f"1.{number}")
        lines = Activity.objects.filter(project=project, action="rollout.cancel").count()
        # Another place in the rollout's life each time: from before its first write to after its last.
        place = chance.randint(0, first.revision + 2)

        def cancel(rollout=rollout, place=place):
            rows = Rollout.objects.filter(pk=rollout.pk)
            until(lambda: not rows.filter(revision__lt=place, ended_at=None).exists(), 30, "that place", every_s=0.0005)
            return cancel_rollout(actor=SYSTEM, rollout=rollout)

        _, canceled = together(lambda rollout=rollout: executor.run(rollout.pk), cancel)
        accepted = not isinstance(canceled, Conflict)
        assert not isinstance(canceled, Exception) or not accepted, canceled
        # A cancel that came between two looks of the worker is carried out by the ring that it sent.
        executor.run(rollout.pk)
        rollout.refresh_from_db()
        stage.refresh_from_db()
        ends.add(rollout.state)
        assert rollout.state == (RolloutState.CANCELED if accepted else RolloutState.SUCCEEDED)
        assert stage.current_set_id == (before if accepted else rollout.to_set_id)
        assert Activity.objects.filter(project=project, action="rollout.cancel").count() == lines + accepted
        assert not rollout.steps.filter(state__in=[StepState.PENDING, StepState.RUNNING]).exists()
        assert list(rollout.outputs.order_by("seq").values_list("seq", flat=True)) == list(range(1, rollout.last_seq + 1))
    assert ends == {RolloutState.CANCELED, RolloutState.SUCCEEDED}, "the two never met"


def test_a_cancel_between_the_last_look_and_the_success_is_carried_out_at_once(stage, monkeypatch):
    rollout, finish = rollout_to(stage, "1.0"), journal.finish

    def cancel_first(claim, move, **more):
        if move == "R1":
            cancel_rollout(actor=SYSTEM, rollout=rollout)
        finish(claim, move, **more)

    monkeypatch.setattr(journal, "finish", cancel_first)
    executor.run(rollout.pk)
    rollout.refresh_from_db()
    stage.refresh_from_db()
    assert (rollout.state, stage.current_set_id) == (RolloutState.CANCELED, None)
    assert list(rollout.outputs.order_by("seq").values_list("text", flat=True))[-1].startswith("Canceled.")


def test_a_cancel_just_before_it_begins_is_carried_out_at_once(stage, monkeypatch):
    rollout, start = rollout_to(stage, "1.0"), begin.start

    def cancel_first(claim, lines):
        cancel_rollout(actor=SYSTEM, rollout=rollout)
        start(claim, lines)

    monkeypatch.setattr(begin, "start", cancel_first)
    executor.run(rollout.pk)
    rollout.refresh_from_db()
    assert rollout.state == RolloutState.CANCELED and not rollout.steps.exclude(state=StepState.NO_PROGRESS).exists()


def test_a_fault_before_it_begins_ends_it_instead_of_leaving_it_queued(stage, monkeypatch):
    rollout = rollout_to(stage, "1.0")
    monkeypatch.setattr(executor, "opening", lambda _: 1 / 0)
    executor.run(rollout.pk)
    rollout.refresh_from_db()
    assert rollout.state == RolloutState.ERRORED and "internal fault" in rollout.error


def test_two_cancels_meet(stage, project):
    rollout = rollout_to(stage, "1.0")
    found = together(*[lambda: cancel_rollout(actor=SYSTEM, rollout=rollout)] * 4)
    assert sum(isinstance(one, Conflict) for one in found) == 3, found
    assert Activity.objects.filter(project=project, action="rollout.cancel").count() == 1


def test_retry_meets_promote(stage, project):
    for number in range(ROUNDS):
        rollout = rollout_to(stage, f"1.{number}")
        cancel_rollout(actor=SYSTEM, rollout=rollout)
        rollout.refresh_from_db()
        found = together(
            lambda rollout=rollout: retry_rollout(actor=SYSTEM, rollout=rollout),
            lambda: promote_stage(actor=SYSTEM, stage=stage),
            lambda rollout=rollout: retry_rollout(actor=SYSTEM, rollout=rollout),
        )
        started = [one for one in found if isinstance(one, Rollout)]
        assert len(started) == 1 and sum(isinstance(one, Conflict) for one in found) == 2, found
        assert list(Rollout.objects.filter(stage=stage, state__in=sorted(LIVE))) == started
        executor.run(started[0].pk)
    numbers = list(Rollout.objects.filter(project=project).order_by("number").values_list("number", flat=True))
    assert numbers == list(range(1, 2 * ROUNDS + 1)), "a refused rollout took a number"


def test_two_workers_take_one_rollout(stage):
    for number in range(ROUNDS):
        rollout = rollout_to(stage, f"1.{number}")
        assert together(*[lambda rollout=rollout: executor.run(rollout.pk)] * 3) == [None] * 3
        rollout.refresh_from_db()
        assert (rollout.state, rollout.attempt, rollout.steps_done) == (RolloutState.SUCCEEDED, 1, rollout.steps_total)
        assert not rollout.steps.exclude(attempt=1).exists()
