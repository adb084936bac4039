"""Another try at a canary or a blue/green rollout: what still stands is kept, what is gone or not proven is done anew."""
from __future__ import annotations

from types import SimpleNamespace

import pytest

from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Role
from stages.canary.resolve import read
from stages.canary.services import accept_canary, reject_canary
from stages.models import Rollout
from stages.plan.redo import chances
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout
from stages.setup.scenarios import update_scenario
from stages.setup.stages import set_targets
from tests.stages.kinds import breaks, fails, scenario
from tests.stages.test_gates import Door

pytestmark = pytest.mark.django_db
CANARY, COLOURS = ("pre", "canary", "deploy", "post"), ("pre", "deploy", "switch", "post")


@pytest.fixture
def go(run, stage):
    """Promote by the stage's scenario, as far as it goes."""
    return lambda: run(promote_stage(actor=SYSTEM, stage=stage))


@pytest.fixture
def again(run, kind):
    """again(rollout, how) tries it once more with steps that work, and forgets what ran before."""

    def act(rollout: Rollout, how: str = "failed", reason: str = "by hand") -> Rollout:
        kind.acts.clear()
        kind.ran.clear()
        return run(retry_rollout(actor=SYSTEM, rollout=rollout, how=how, reason=reason))

    return act


# --- canary, before it was accepted ---

@pytest.fixture
def half_up(stage, kind, go):
    """A canary of auth and chat whose gray part of chat failed."""
    scenario(stage, phases=CANARY, strategy="canary", canary={"weights": [{"percent": 5}]})
    kind.acts["chat", "canary"] = fails
    kind.acts["auth", "canary"] = lambda ctx: ctx.remember(gray="auth-gray")
    found = go()
    assert found.state == "failed" and kind.ran == ["pre auth a", "pre chat a", "canary auth a", "canary chat a"]
    return found


def test_the_gray_part_that_is_up_stays_and_is_judged_anew(half_up, kind, again, run, pins, stage):
    new = again(half_up)
    assert kind.ran == ["canary chat a"]
    assert (new.state, new.leg, new.gray_weight) == ("canary_hold", "canary", 5)
    accept_canary(actor=SYSTEM, rollout=new)
    assert run(new).state == "succeeded" and pins(stage) == {"auth": "1", "chat": "1"}
    assert kind.ran == ["canary chat a", "deploy auth a", "deploy chat a", "post auth a", "post chat a"]


def test_withdrawing_it_takes_back_what_the_first_try_had_made_too(half_up, kind, again, run):
    new = again(half_up)
    seen = []
    kind.acts["undo", "canary"] = lambda ctx: seen.append((ctx.microservice, ctx.memo["done"]))
    reject_canary(actor=SYSTEM, rollout=new)
    assert run(new).state == "canary_rejected"
    assert seen == [("chat", {}), ("auth", {"gray": "auth-gray"})], "with what the first one remembered"


def test_a_gray_part_that_cannot_be_made_is_left_out(half_up, kind, again, texts):
    new = again(half_up, "skip", "chat has no gray part")
    assert (new.state, kind.ran) == ("canary_hold", [])
    assert new.steps.get(origin="skipped").summary == "Skipped by system: chat has no gray part"
    assert "system skips canary of chat on a: chat has no gray part" in texts(new)


def test_a_gray_part_that_was_taken_back_is_made_again_as_a_whole(stage, kind, go, again):
    scenario(stage, phases=CANARY, strategy="canary", rollback=True)
    kind.acts["chat", "canary"] = fails
    failed = go()
    with pytest.raises(Invalid, match="put back, so it is tried again as a whole"):
        again(failed)
    assert again(failed, "").state == "canary_hold" and len(kind.ran) == 4


def test_after_an_undo_the_failed_step_can_still_be_left_out(stage, kind, go, again):
    scenario(stage, phases=CANARY, strategy="canary", rollback=True)
    kind.acts["chat", "canary"] = fails
    new = again(go(), "skip")
    assert new.state == "canary_hold" and kind.ran == ["pre auth a", "pre chat a", "canary auth a"]


def test_one_that_was_canceled_while_it_was_judged_is_judged_anew(stage, kind, go, again, run):
    scenario(stage, phases=CANARY, strategy="canary")
    up = go()
    cancel_rollout(actor=SYSTEM, rollout=up)
    ended = run(up)
    assert ended.state == "canceled"
    for how in ("skip", "failed"):
        with pytest.raises(Invalid, match="Its canary was withdrawn, so it is tried again as a whole"):
            again(ended, how)
    new = again(ended, "")
    assert (new.state, new.steps_done) == ("canary_hold", 4) and kind.ran[-1] == "canary chat a"


# --- canary, after it was accepted ---

@pytest.fixture
def half_out(stage, kind, go, run):
    """An accepted canary of auth and chat whose deploy of chat failed."""
    scenario(stage, phases=CANARY, strategy="canary", canary={"weights": [{"percent": 50}]})
    up = go()
    accept_canary(actor=SYSTEM, rollout=up)
    kind.acts["chat", "deploy"] = fails
    found = run(up)
    assert (found.state, found.leg) == ("failed", "full")
    return found


def test_an_accepted_canary_is_neither_made_nor_judged_again(half_out, kind, again, pins, stage, texts):
    new = again(half_out)
    assert (new.state, new.leg) == ("succeeded", "full") and kind.ran == ["deploy chat a", "post auth a", "post chat a"]
    assert pins(stage) == {"auth": "1", "chat": "1"} and new.steps_done == new.steps_total == 8
    assert "Its canary was accepted there, so it is not made again." in texts(new)


def test_it_has_no_gray_players_and_is_not_canceled_half_way(half_out, kind, run, stage):
    new = retry_rollout(actor=SYSTEM, rollout=half_out, how="failed")
    seen = []

    def look(ctx):
        seen.append((ctx.leg, ctx.weight, read(stage.project_id, stage.name).weight))
        with pytest.raises(Conflict, match="cannot be canceled"):
            cancel_rollout(actor=SYSTEM, rollout=new)

    kind.acts = {("chat", "deploy"): look}
    assert run(new).state == "succeeded" and seen == [("full", 0, 0)]


def test_it_fails_again_and_goes_on_from_there(half_out, kind, again, run):
    kind.acts = {("chat", "post"): fails}
    second = run(retry_rollout(actor=SYSTEM, rollout=half_out, how="failed"))
    assert (second.state, second.leg) == ("failed", "full")
    assert again(second).state == "succeeded" and kind.ran == ["post chat a"]


def test_past_a_failed_deploy_of_an_accepted_canary(half_out, kind, again):
    assert again(half_out, "skip").state == "succeeded"
    assert kind.ran == ["post auth a", "post chat a"]


def test_another_plan_than_the_accepted_one_is_a_new_canary(half_out, again, stage):
    update_scenario(actor=SYSTEM, scenario=stage.scenario, canary={"weights": [{"percent": 1}]})
    with pytest.raises(Invalid, match="accepted by another plan"):
        again(half_out)
    assert again(half_out, "").state == "canary_hold"


def test_another_gray_part_than_the_accepted_one_is_a_new_canary(half_out, again, stage):
    config = {phase: {} for phase in CANARY} | {"canary": {"other": 1}}
    set_targets(actor=SYSTEM, stage=stage, targets=[{"name": "a", "kind": "fake", "config": config}])
    with pytest.raises(Invalid, match="What its canary was made of was changed"):
        again(half_out)


def test_another_strategy_is_another_way(half_out, again, stage):
    update_scenario(actor=SYSTEM, scenario=stage.scenario, strategy="rolling")
    with pytest.raises(Invalid, match="proceeds in another way now"):
        again(half_out)


# --- blue/green ---

@pytest.fixture
def colours(stage, kind, go, register):
    """Both colours have auth and chat; what is promoted next is a new auth, for blue again."""

    def act(**facts):
        scenario(stage, targets=("a", "b"), phases=COLOURS, strategy="blueGreen", **facts)
        go()
        register(auth="2")
        go()
        register(auth="3")
        kind.ran.clear()

    return act


def colour(stage) -> str:
    stage.refresh_from_db()
    return stage.colour


@pytest.mark.parametrize("undo", [False, True])
def test_the_other_colour_keeps_what_it_has(colours, stage, kind, go, again, pins, undo):
    colours(rollback=undo)
    before = colour(stage)
    kind.acts["b", "deploy"] = fails
    failed = go()
    assert kind.ran == ["pre auth a", "deploy auth a", "pre auth b", "deploy auth b"] and failed.state == "failed"
    new = again(failed)
    assert new.state == "succeeded" and colour(stage) != before and pins(stage) == {"auth": "3", "chat": "1"}
    assert kind.ran == ["deploy auth b", "switch * a", "switch * b", "post auth a", "post auth b"]
    assert not new.steps.filter(microservice="chat").exists(), "it had that before, and nothing touched it since"


def test_as_a_whole_it_trusts_nothing_of_the_other_colour(colours, kind, go, again):
    colours()
    kind.acts["b", "deploy"] = fails
    again(go(), "")
    assert [ran for ran in kind.ran if ran.startswith("deploy")] == [f"deploy {name} {at}" for at in "ab" for name in ("auth", "chat")]


def test_a_switch_that_failed_goes_on_with_the_targets_that_are_left(colours, stage, kind, go, again):
    colours()
    before = colour(stage)
    kind.acts["b", "switch"] = fails
    failed = go()
    assert (failed.state, failed.consistent) == ("failed", False)
    assert again(failed).state == "succeeded" and colour(stage) != before
    assert kind.ran == ["switch * b", "post auth a", "post auth b"]


@pytest.mark.parametrize("act", [fails, breaks])
def test_players_who_were_switched_back_are_switched_again(colours, stage, kind, go, again, act):
    colours(rollback=True)
    kind.acts["b", "post"] = fails
    if act is breaks:
        kind.acts["undo", "switch"] = act
    failed = go()
    assert failed.state == ("failed" if act is fails else "errored") and "post auth a" in kind.ran
    assert again(failed).state == "succeeded"
    assert kind.ran == ["switch * a", "switch * b", "post auth a", "post auth b"], "what came after the switch saw another colour"


def test_past_a_failed_switch(colours, stage, kind, go, again):
    colours()
    before = colour(stage)
    kind.acts["b", "switch"] = fails
    new = again(go(), "skip", "switched by hand")
    assert new.state == "succeeded" and kind.ran == ["post auth a", "post auth b"] and colour(stage) != before


def test_a_target_that_deploys_in_another_way_gets_everything(colours, stage, kind, go, again):
    colours()
    kind.acts["b", "switch"] = fails
    failed = go()
    config = {phase: {} for phase in COLOURS}
    set_targets(actor=SYSTEM, stage=stage, targets=[
        {"name": "a", "kind": "fake", "config": config}, {"name": "b", "kind": "fake", "config": config | {"deploy": {"other": 1}}},
        {"name": "c", "kind": "fake", "config": config},
    ])
    assert again(failed).state == "succeeded"
    assert [ran for ran in kind.ran if ran.startswith(("deploy", "switch"))] == [
        "deploy auth b", "deploy chat b", "deploy auth c", "deploy chat c", "switch * b", "switch * c"]


def test_a_program_goes_on_with_a_canary_too(half_out, project):
    started = Door(project, Role.ADMIN)(f"/api/v1/rollouts/{half_out.number}/retry", {"how": "failed"})
    assert started.status_code == 202 and Rollout.objects.latest("id").leg == "full"


# --- who else is asked ---

@pytest.mark.parametrize(("rollout", "steps", "whole", "held", "accepted"), [
    ({"protocol": "asm"}, ["canary failed"], "mesh release", False, False),
    ({"leg": "base", "strategy": "normal"}, ["base succeeded", "base failed"], "", False, False),
    ({"leg": "base", "strategy": "normal"}, ["base pending"], "None of its steps failed", False, False),
    ({"leg": "canary"}, ["canary succeeded", "full no_progress"], "", True, False),
    ({"leg": "canary"}, ["canary succeeded", "canary pending"], "None of its steps failed", False, False),
    ({"leg": "full"}, ["canary succeeded", "full canceled"], "", False, True),
    ({"leg": "full"}, ["canary succeeded", "full no_progress"], "None of its steps failed", False, False),
    ({"leg": "undo"}, ["canary failed", "undo succeeded"], "put back", False, False),
    ({"leg": "undo", "strategy": "blueGreen"}, ["base failed", "undo failed"], "", False, False),
])
def test_how_it_can_be_tried_again(rollout, steps, whole, held, accepted):
    row = SimpleNamespace(**{"protocol": "freeze", "strategy": "canary", "leg": "canary"} | rollout)
    found = chances(row, [
        SimpleNamespace(leg=leg, state=state, phase="post", kind="command", position=at, pk=at, undoes_id=None, ended_at=None)
        for at, (leg, _, state) in enumerate(step.partition(" ") for step in steps)
    ])
    assert whole in found.whole and bool(whole) == bool(found.whole)
    assert (found.held, found.accepted) == (held, accepted)
