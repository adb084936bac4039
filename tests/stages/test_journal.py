"""What a worker may write about its rollout, and in which states."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from gs2admin.identity.actors import SYSTEM
from stages.core import journal
from stages.core.journal import Line, MoveRefused
from stages.models import Rollout, RolloutCanary, RolloutTarget, Stage, Step
from stages.rollouts.services import cancel_rollout, promote_stage
from stages.states import FINAL, RolloutState, StepState
from stages.steps.base import LeaseLost
from stages.worker import begin
from tests.stages.kinds import scenario

pytestmark = pytest.mark.django_db
MAY_BEGIN_STEPS = {"base": {"running"}, "undo": {"rolling_back", "canary_rejecting", "canceling"}}


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


@pytest.mark.parametrize("leg", ["base", "undo"])
@pytest.mark.parametrize("state", RolloutState.values)
def test_steps_begin_only_while_the_rollout_works(claimed, state, leg):
    """Those of an undo in the states in which something is taken back, all others while it runs."""
    claim, rollout = claimed
    Step.objects.filter(pk=rollout.steps.first().pk).update(leg=leg)
    ended = {"ended_at": Now()} if state in FINAL else {}
    Rollout.objects.filter(pk=rollout.pk).update(state=state, lease_until=None, **ended)
    before = seen(rollout)
    if state in MAY_BEGIN_STEPS[leg]:
        journal.start_step(claim, rollout.steps.first(), [Line("it begins")])
        assert seen(rollout) == ("running", before[1] + 1, before[2] + 1)
    else:
        with pytest.raises(MoveRefused):
            journal.start_step(claim, rollout.steps.first(), [Line("it begins")])
        assert seen(rollout) == before


def row(rollout) -> Rollout:
    return Rollout.objects.get(pk=rollout.pk)


@pytest.fixture
def old(claimed, stage):
    """A claim that is no longer the newest."""
    claim, rollout = claimed
    Rollout.objects.filter(pk=rollout.pk).update(attempt=2)
    return claim


@pytest.mark.parametrize(("facts", "taken"), [
    ({"lease_until": Now() + timedelta(seconds=5)}, False), ({"lease_until": Now() - timedelta(seconds=5)}, True),
    ({"lease_until": None}, True), ({"lease_until": None, "state": "canary_hold"}, False),
    ({"lease_until": None, "state": "canary_analyzing"}, False), ({"lease_until": None, "state": "canceling"}, True),
    ({"lease_until": None, "state": "queued", "waiting": True}, False),
])  # fmt: skip
def test_a_rollout_is_claimed_when_it_needs_a_worker_and_has_none(claimed, settings, facts, taken):
    _, rollout = claimed
    Rollout.objects.filter(pk=rollout.pk).update(**facts)
    before = row(rollout)
    claim = journal.claim(rollout.pk, "other")
    after = row(rollout)
    if not taken:
        assert claim is None and (after.attempt, after.leased_by) == (1, "worker")
        return
    assert claim == journal.Claim(rollout.pk, rollout.project_id, rollout.stage_id, 2)
    assert (after.attempt, after.leased_by, after.revision) == (2, "other", before.revision + 1)
    assert settings.LEASE_S - 5 < (after.lease_until - timezone.now()).total_seconds() <= settings.LEASE_S


@pytest.mark.parametrize(("off_s", "taken"), [(-5, True), (5, False)])
def test_a_canary_under_analysis_is_claimed_when_its_clock_has_come(claimed, off_s, taken):
    _, rollout = claimed
    Rollout.objects.filter(pk=rollout.pk).update(state="canary_analyzing", lease_until=None)
    RolloutCanary.objects.create(rollout=rollout, wake_at=timezone.now() + timedelta(seconds=off_s))
    assert (journal.claim(rollout.pk, "other") is not None) is taken


def test_a_lease_is_renewed_while_the_rollout_needs_its_worker(claimed, settings):
    claim, rollout = claimed
    Rollout.objects.filter(pk=rollout.pk).update(lease_until=Now(), state="canceling")
    assert journal.renew(claim) == "canceling"
    assert (row(rollout).lease_until - timezone.now()).total_seconds() > settings.LEASE_S - 5
    Rollout.objects.filter(pk=rollout.pk).update(lease_until=None, state="canary_analyzing")
    assert journal.renew(claim) == "canary_analyzing" and row(rollout).lease_until
    Rollout.objects.filter(pk=rollout.pk).update(lease_until=None, state="canary_hold")
    with pytest.raises(LeaseLost):
        journal.renew(claim)
    assert row(rollout).lease_until is None


def test_a_released_rollout_is_free_for_the_next_worker(claimed):
    claim, rollout = claimed
    Rollout.objects.filter(pk=rollout.pk).update(woken_at=Now())
    journal.release(claim)
    found = row(rollout)
    assert (found.lease_until, found.leased_by, found.woken_at) == (None, "", None)
    Rollout.objects.filter(pk=rollout.pk).update(state="succeeded", ended_at=Now(), leased_by="last")
    journal.release(claim)
    assert row(rollout).leased_by == "last", "who ran it stays"


def test_an_older_claim_writes_nothing(old, claimed):
    _, rollout = claimed
    step, before = rollout.steps.first(), Rollout.objects.values().get(pk=rollout.pk)
    line, ended = [Line("late")], {"error": "late", "consistent": False, "lines": [Line("late")]}
    for write in (
        lambda: journal.renew(old), lambda: journal.state(old), lambda: journal.write(old, line),
        lambda: journal.start_step(old, step, line), lambda: journal.remember(old, step, {"n": 1}),
        lambda: journal.finish_step(old, step, StepState.FAILED, "late", line), lambda: journal.finish(old, "R2", **ended),
    ):
        with pytest.raises(LeaseLost):
            write()
    journal.release(old)
    assert Rollout.objects.values().get(pk=rollout.pk) == before and not rollout.outputs.filter(text="late").exists()
    assert (rollout.steps.first().state, rollout.steps.first().memo) == ("pending", {})


def test_output_is_numbered_without_gaps_and_carries_what_its_line_says(claimed):
    claim, rollout = claimed
    before, seqs = row(rollout), rollout.outputs.order_by("seq")
    journal.write(claim, [Line("one", "auth", 3, "stderr"), Line("two")])
    journal.write(claim, [])
    journal.write(claim, [Line("three")])
    found = list(seqs.values_list("text", "microservice", "step_position", "stream", "stage_id"))[before.last_seq:]
    assert found == [("one", "auth", 3, "stderr", rollout.stage_id), ("two", "", None, "note", rollout.stage_id),
                     ("three", "", None, "note", rollout.stage_id)]
    assert list(seqs.values_list("seq", flat=True)) == list(range(1, before.last_seq + 4))
    assert (row(rollout).last_seq, row(rollout).revision) == (before.last_seq + 3, before.revision), "pages look at last_seq too"


def test_a_long_line_is_split_and_nothing_is_lost():
    most = journal.MAX_TEXT
    assert most == 1024 * 1024
    line = Line("a" * most, "auth", 2, "stdout")
    assert journal.split(line) == [line]
    pieces = journal.split(Line("a" * most + "b" * most + "c", "auth", 2, "stdout"))
    assert pieces == [line, Line("b" * most, "auth", 2, "stdout"), Line("c", "auth", 2, "stdout")]


def test_a_step_keeps_the_moment_at_which_its_first_attempt_began(claimed):
    claim, rollout = claimed
    journal.start_step(claim, rollout.steps.first(), [])
    first = rollout.steps.first()
    assert first.started_at and first.attempt == 1
    before = row(rollout).revision
    journal.start_step(claim, first, [])
    again = rollout.steps.first()
    assert (again.started_at, again.attempt, row(rollout).revision) == (first.started_at, 2, before + 2)
    assert rollout.steps.last().state == "pending"
    journal.remember(claim, again, {"n": 1})
    assert (rollout.steps.first().memo, rollout.steps.last().memo, row(rollout).revision) == ({"n": 1}, {}, before + 3)


@pytest.mark.parametrize(("to", "done"), [("succeeded", 1), ("failed", 0), ("canceled", 0)])
def test_the_end_of_a_step_is_written_once(claimed, to, done):
    claim, rollout = claimed
    step = rollout.steps.first()
    journal.finish_step(claim, step, StepState(to), "early", [])
    assert rollout.steps.first().state == "pending" and row(rollout).steps_done == 0, "it is not running"
    journal.start_step(claim, step, [])
    journal.finish_step(claim, step, StepState(to), "well", [Line("the end")])
    found = rollout.steps.first()
    assert (found.state, found.summary, row(rollout).steps_done) == (to, "well", done) and found.ended_at
    assert rollout.outputs.last().text == "the end" and rollout.steps.last().state == "pending"
    journal.finish_step(claim, step, StepState.SUCCEEDED, "again", [])
    assert (rollout.steps.first().summary, row(rollout).steps_done) == ("well", done)


def ended(claim, move: str, **facts) -> None:
    journal.finish(claim, move, **({"error": "", "consistent": True, "lines": [Line("the end")]} | facts))


def test_success_moves_the_pins_and_ends_what_is_open(claimed, stage):
    claim, rollout = claimed
    RolloutCanary.objects.create(rollout=rollout, wake_at=Now(), weight_until=Now(), hold_until=Now())
    before = Stage.objects.get(pk=stage.pk)
    ended(claim, "R1")
    found, after = row(rollout), Stage.objects.get(pk=stage.pk)
    assert (found.state, found.error, found.consistent, found.lease_until) == ("succeeded", "", True, None) and found.ended_at
    assert (after.current_set_id, after.revision) == (found.to_set_id, before.revision + 1) and after.updated_at > before.updated_at
    assert (after.colour, after.idle_set_id) == (before.colour, before.idle_set_id)
    assert {step.state for step in rollout.steps.all()} == {"no_progress"} and rollout.outputs.last().text == "the end"
    assert RolloutCanary.objects.values_list("wake_at", "weight_until", "hold_until").get() == (None, None, None)


@pytest.mark.parametrize(("state", "move", "step_ends"), [("running", "R2", "failed"), ("canceling", "X1", "canceled")])
def test_another_end_moves_no_pin_and_ends_the_running_step(claimed, stage, state, move, step_ends):
    claim, rollout = claimed
    journal.start_step(claim, rollout.steps.first(), [])
    Rollout.objects.filter(pk=rollout.pk).update(state=state)
    ended(claim, move, error="why", consistent=False)
    found, first = row(rollout), rollout.steps.first()
    assert (found.error, found.consistent, first.state) == ("why", False, step_ends) and first.ended_at
    assert Stage.objects.get(pk=stage.pk).current_set_id is None


def test_an_end_that_the_state_forbids_writes_nothing(claimed, stage):
    claim, rollout = claimed
    cancel_rollout(actor=SYSTEM, rollout=rollout)
    before, revision = seen(rollout), Stage.objects.get(pk=stage.pk).revision
    with pytest.raises(MoveRefused):
        ended(claim, "R1")
    assert seen(rollout) == before and Stage.objects.get(pk=stage.pk).revision == revision


@pytest.mark.parametrize(("protocol", "colour"), [("freeze", "green"), ("asm", "blue")])
def test_blue_green_turns_the_colours_at_success_and_a_mesh_release_has_none(claimed, stage, protocol, colour):
    claim, rollout = claimed
    pinned = row(rollout).to_set
    Stage.objects.filter(pk=stage.pk).update(colour="blue")
    Rollout.objects.filter(pk=rollout.pk).update(strategy="blueGreen", protocol=protocol, colour="green", from_set=pinned)
    ended(claim, "R1")
    found = Stage.objects.get(pk=stage.pk)
    assert (found.colour, found.idle_set_id) == (colour, pinned.pk if protocol == "freeze" else None)


@pytest.mark.parametrize(("state", "move", "back", "undone"), [
    ("rolling_back", "B1", "succeeded", {"a"}), ("canary_rejecting", "J1", "succeeded", {"a"}),
    ("canary_rejecting", "J2", "succeeded", {"a"}), ("rolling_back", "B2", "succeeded", {"a"}),
    ("rolling_back", "B2", "failed", set()), ("rolling_back", "B2", "pending", set()), ("rolling_back", "B2", "running", set()),
    ("canary_rejecting", "J3", "failed", set()),
])  # fmt: skip
def test_targets_on_which_everything_was_taken_back_are_marked(claimed, state, move, back, undone):
    claim, rollout = claimed
    RolloutTarget.objects.filter(rollout=rollout).delete()
    RolloutTarget.objects.create(rollout=rollout, name="a", position=0)
    RolloutTarget.objects.create(rollout=rollout, name="b", position=1)
    first = rollout.steps.first()
    Step.objects.filter(pk=first.pk).update(leg="undo", target_name="a", state=back)
    rollout.steps.exclude(pk=first.pk).update(target_name="b")
    Rollout.objects.filter(pk=rollout.pk).update(state=state)
    ended(claim, move)
    assert set(RolloutTarget.objects.filter(rollout=rollout, undone=True).values_list("name", flat=True)) == undone
