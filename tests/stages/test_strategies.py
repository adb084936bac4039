"""How rollouts proceed by a scenario: batches, at the same time, undo, blue/green."""
from __future__ import annotations

import threading

import pytest

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from stages.api.sourcedeploy.target_states import target_states
from stages.core.status import status_of
from stages.models import Rollout
from stages.plan.previews import preview_promote, preview_rollback
from stages.rollouts.services import cancel_rollout, promote_stage, rollback_stage
from stages.setup.scenarios import update_scenario
from stages.steps.base import LeaseLost
from stages.worker import context, lanes
from tests.stages.kinds import breaks, fails, scenario

pytestmark = pytest.mark.django_db


@pytest.fixture
def go(run, stage):
    """Promote with the stage's scenario, to the end."""
    return lambda **more: run(promote_stage(actor=SYSTEM, stage=stage, **more))


def statuses(rollout: Rollout) -> list[str]:
    found = target_states(rollout.state, False, rollout.targets.all(), rollout.steps.all(), started=bool(rollout.started_at))
    return [each.status for each in found]


def test_a_target_is_in_one_phase_at_a_time_and_targets_follow_each_other(stage, kind, go):
    scenario(stage, targets=("a", "b"))
    rollout = go()
    assert rollout.state == "succeeded" and rollout.scenario_copy["name"] == "careful"
    assert kind.ran == [f"{phase} {name} {at}" for at in "ab" for phase in ("pre", "deploy") for name in ("auth", "chat")]
    assert statuses(rollout) == ["success", "success"] and kind.most == 1


def test_all_targets_at_the_same_time(stage, kind, go):
    scenario(stage, targets=("a", "b", "c"), sequence=False)
    meet = threading.Barrier(3, timeout=20)

    def act(ctx):
        ctx.emit(f"at {ctx.target}")
        meet.wait()

    for name in "abc":
        kind.acts[name, "deploy"] = act
    rollout = go()
    assert (rollout.state, kind.most) == ("succeeded", 3)
    assert sorted(rollout.outputs.filter(stream="stdout").values_list("text", flat=True)) == sorted(["at a", "at b", "at c"] * 2)
    assert list(rollout.outputs.order_by("seq").values_list("seq", flat=True)) == list(range(1, rollout.last_seq + 1))


def test_one_failure_among_many_is_judged_when_none_is_moving(stage, kind, go):
    scenario(stage, targets=("a", "b"), sequence=False)
    kind.acts["a", "deploy"] = fails
    rollout = go()
    assert rollout.state == "failed" and rollout.error == "deploy of auth on a failed: the game said no"
    assert statuses(rollout) == ["fail", "success"]


def test_rolling_goes_in_batches_and_stops_at_the_first_that_fails(stage, kind, go):
    scenario(stage, targets=("a", "b", "c", "d", "e"), strategy="rolling", batch_size=2)
    kind.acts["d", "deploy"] = fails
    pairs = {name: threading.Barrier(2, timeout=20) for name in ("ab", "cd")}
    for pair, barrier in pairs.items():
        for name in pair:
            kind.acts[name, "pre"] = lambda ctx, barrier=barrier: barrier.wait() and None
    rollout = go()
    assert rollout.state == "failed" and kind.most == 2
    assert statuses(rollout) == ["success", "success", "success", "fail", "no progress"]
    assert [target.batch for target in rollout.targets.all()] == [0, 0, 1, 1, 2]
    first = [ran[-1] for ran in kind.ran]
    assert max(first.index("a"), first.index("b")) < min(first.index("c"), first.index("d")) and "e" not in first


def test_undo_takes_back_what_was_begun_in_reverse_and_the_pins_never_move(stage, kind, go, pins, register):
    scenario(stage, targets=("a", "b"), rollback=True)
    go()
    register(auth="2")
    kind.acts["b", "deploy"] = fails
    kind.ran.clear()
    seen = []
    kind.acts["undo", "deploy"] = lambda ctx: seen.append((ctx.target, ctx.old_version, ctx.new_version, ctx.memo["done"]))
    kind.acts["a", "deploy"] = lambda ctx: ctx.remember(backup="x1")
    rollout = go()
    assert (rollout.state, rollout.consistent, rollout.leg, rollout.cause) == ("failed", True, "undo", "step")
    assert kind.ran[-2:] == ["undo deploy auth b", "undo deploy auth a"]
    assert seen == [("b", "2", "1", {}), ("a", "2", "1", {"backup": "x1"})]
    assert rollout.error == "deploy of auth on b failed: the game said no"
    assert [target.undone for target in rollout.targets.all()] == [True, True]
    assert statuses(rollout) == ["success", "fail"], "undo does not rewrite history"
    assert pins(stage) == {"auth": "1", "chat": "1"} and status_of(stage) == "UpdateFailed"
    assert {c.kind for c in preview_promote(stage).changes} == {"changed", "same"}, "nothing is unsure after an undo"


@pytest.mark.parametrize("act", [fails, breaks])
def test_an_undo_that_breaks_errs_and_says_so(stage, kind, go, act):
    scenario(stage, rollback=True)
    kind.acts["auth", "deploy"] = fails
    kind.acts["undo", "deploy"] = act
    rollout = go()
    assert (rollout.state, rollout.consistent) == ("errored", False)
    assert "undo of deploy of auth on a" in rollout.error or "deploy of auth on a" in rollout.error


def test_an_undo_cannot_be_canceled(stage, kind, go):
    scenario(stage, rollback=True)
    kind.acts["auth", "deploy"] = fails
    refused = []

    def act(ctx):
        try:
            cancel_rollout(actor=SYSTEM, rollout=Rollout.objects.get(number=ctx.rollout_number))
        except Exception as refusal:  # noqa: BLE001
            refused.append(str(refusal))

    kind.acts["undo", "deploy"] = act
    assert go().state == "failed"
    assert refused == ["Rollout 1 is undoing its changes; it cannot be canceled."]


def test_a_cancel_stops_all_lanes(stage, kind, run, monkeypatch):
    scenario(stage, targets=("a", "b"), sequence=False)
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    asked = threading.Event()

    def wait(ctx):
        if ctx.target == "a":
            asked.set()
        for _ in range(2000):
            ctx.tick()
            threading.Event().wait(0.01)

    kind.acts["a", "deploy"] = kind.acts["b", "deploy"] = wait
    real = lanes.journal.state

    def state(claim):
        if asked.is_set():
            asked.clear()
            cancel_rollout(actor=SYSTEM, rollout=rollout)
        return real(claim)

    monkeypatch.setattr(lanes.journal, "state", state)
    ended = run(rollout)
    assert (ended.state, ended.consistent) == ("canceled", False)
    assert sorted(ended.steps.filter(state="canceled").values_list("target_name", flat=True)) == ["a", "b"]


def test_lanes_stop_when_another_worker_has_the_rollout(stage, kind, run, monkeypatch):
    scenario(stage, targets=("a", "b"), sequence=False)
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    stopped, begun = [], set()

    def wait(ctx):
        begun.add(ctx.target)
        try:
            for _ in range(2000):
                ctx.tick()
                threading.Event().wait(0.01)
        except LeaseLost:
            stopped.append(ctx.target)
            raise

    kind.acts["a", "deploy"] = kind.acts["b", "deploy"] = wait
    real = lanes.journal.state

    def state(claim):
        if len(begun) == 2:
            Rollout.objects.filter(pk=rollout.pk).update(attempt=99)
        return real(claim)

    monkeypatch.setattr(lanes.journal, "state", state)
    assert run(rollout).state == "running"
    assert sorted(stopped) == ["a", "b"]


def test_a_stopping_worker_lets_the_running_steps_end_and_hands_over(stage, kind, run, monkeypatch):
    scenario(stage, targets=("a", "b"), sequence=False)
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    monkeypatch.setattr(context, "LOOK_S", 0.0)
    monkeypatch.setattr(engine, "beat", lambda *_: True)
    assert run(rollout).lease_until is None
    monkeypatch.setattr(engine, "beat", lambda *_: False)
    assert run(rollout).state == "succeeded"
    assert len(kind.ran) == len(set(kind.ran)) == 8, "nothing is run twice"


def test_blue_green_completes_the_other_colour_before_the_one_switch(stage, kind, go, register):
    scenario(stage, targets=("a", "b"), phases=("pre", "deploy", "switch", "post"), strategy="blueGreen")
    go()
    stage.refresh_from_db()
    assert (stage.colour, stage.idle_set) == ("green", None)
    first = kind.ran.index("switch * a")
    assert all(ran.startswith(("pre", "deploy")) for ran in kind.ran[:first]) and len(kind.ran[:first]) == 8
    assert kind.ran[first : first + 2] == ["switch * a", "switch * b"]
    register(auth="2")
    kind.ran.clear()
    colours = []
    kind.acts["a", "deploy"] = lambda ctx: colours.append(ctx.colour)
    kind.acts["a", "switch"] = lambda ctx: colours.append((ctx.old_version, ctx.new_version, ctx.config["services"]))
    go()
    assert colours == ["blue", "blue", ("green", "blue", ["auth", "chat"])], "all of it: blue never had these versions"
    stage.refresh_from_db()
    assert (stage.colour, stage.idle_set.versions) == ("blue", {"auth": "1", "chat": "1"})


def test_going_back_to_the_old_colour_is_one_switch(stage, kind, go, run, register, pins):
    scenario(stage, phases=("pre", "deploy", "switch", "post"), strategy="blueGreen")
    go()
    register(auth="2")
    go()
    kind.ran.clear()
    back = preview_rollback(stage)
    assert back.instant and "switched over at once" in back.summary[0]
    rollout = run(rollback_stage(actor=SYSTEM, stage=stage, preview_digest=back.digest))
    assert rollout.state == "succeeded" and kind.ran == ["switch * a"]
    assert pins(stage) == {"auth": "1", "chat": "1"} and stage.colour == "green"
    register(chat="2")
    kind.ran.clear()
    go()
    assert [ran for ran in kind.ran if ran.startswith("deploy")] == ["deploy chat a"], "blue has auth 2 still"


def test_a_failed_other_colour_leaves_the_stage_as_it_was_and_is_deployed_whole_the_next_time(stage, kind, go, register):
    scenario(stage, phases=("deploy", "switch"), strategy="blueGreen", rollback=True)
    go()
    register(auth="2")
    go()
    register(auth="3")
    kind.acts["auth", "deploy"] = fails
    kind.ran.clear()
    rollout = go()
    assert (rollout.state, rollout.consistent) == ("failed", True), "players never saw it"
    assert not any(ran.startswith("undo") for ran in kind.ran)
    stage.refresh_from_db()
    assert (stage.colour, stage.idle_set) == ("blue", None)
    kind.acts.clear()
    kind.ran.clear()
    go()
    assert kind.ran == ["deploy auth a", "deploy chat a", "switch * a"]


def test_a_failed_switch_is_switched_back(stage, kind, go, register):
    scenario(stage, targets=("a", "b"), phases=("deploy", "switch"), strategy="blueGreen", rollback=True)
    go()
    register(auth="2")
    kind.acts["b", "switch"] = fails
    back = []
    kind.acts["undo", "switch"] = lambda ctx: back.append((ctx.target, ctx.old_version, ctx.new_version, ctx.colour))
    rollout = go()
    assert rollout.state == "failed" and rollout.consistent
    assert back == [("b", "blue", "green", "green"), ("a", "blue", "green", "green")]
    stage.refresh_from_db()
    assert stage.colour == "green"


def test_a_scenario_s_commands_replace_what_the_target_has(stage, kind, go):
    scenario(stage, commands={"pre": [{"kind": "fake", "config": {"n": 1}}, {"kind": "fake", "config": {"n": 2}}]})
    told = []
    kind.acts["auth", "pre"] = lambda ctx: told.append(ctx.config["n"])
    assert go().state == "succeeded"
    assert told == [1, 2]


def test_a_rollback_takes_no_canary(stage, kind, go, run, register, pins):
    scenario(stage)
    go()
    register(auth="2")
    go()
    update_scenario(actor=SYSTEM, scenario=stage.scenario, strategy="canary")
    rollout = run(rollback_stage(actor=SYSTEM, stage=stage))
    assert (rollout.state, rollout.strategy) == ("succeeded", "normal") and pins(stage)["auth"] == "1"
