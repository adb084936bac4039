"""Canaries: up, weights, people's decisions, the clock's, and every way out."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM
from stages.canary.services import accept_canary, advance_canary, reject_canary, set_weight
from stages.core.status import status_of
from stages.models import Leftover, Rollout, Stage
from stages.rollouts.services import cancel_rollout, promote_stage
from stages.setup.scenarios import create_scenario
from stages.worker.chores import move_canaries, wake_lost_rollouts
from tests.stages.canaries import now, pass_time, status
from tests.stages.kinds import breaks, fails

pytestmark = pytest.mark.django_db


def test_a_canary_that_a_person_judges_waits_without_a_worker(stage, kind, up, pins, rings):
    rollout = up(weights=[{"percent": 5}])
    assert (rollout.state, rollout.leg, rollout.gray_weight, rollout.lease_until) == ("canary_hold", "canary", 5, None)
    assert kind.ran == ["pre auth a", "pre chat a", "canary auth a", "canary chat a"]
    assert status_of(stage) == "Updating" and pins(stage) == {} and status(rollout) == "pre"
    Rollout.objects.update(created_at=Now() - timedelta(hours=1), woken_at=None)
    assert wake_lost_rollouts() == 0 and move_canaries() == 0, "nothing is due"


def test_accepting_gives_it_to_everybody(stage, kind, up, run, pins, rings):
    rollout = up()
    kind.ran.clear()
    seen = []
    kind.acts["auth", "deploy"] = lambda ctx: seen.append((ctx.leg, ctx.weight))
    accept_canary(actor=SYSTEM, rollout=rollout)
    assert rings[-1] == ("stages.worker.tasks.run_rollout", rollout.pk)
    assert (now(rollout).state, now(rollout).leg, now(rollout).gray_weight) == ("running", "full", 5)
    with pytest.raises(Conflict, match="cannot be canceled"):
        cancel_rollout(actor=SYSTEM, rollout=rollout)
    ended = run(rollout)
    assert ended.state == "succeeded" and pins(stage) == {"auth": "1", "chat": "1"}
    assert kind.ran == ["deploy auth a", "deploy chat a", "post auth a", "post chat a"]
    assert seen == [("full", 5)] and status(rollout) == "success"
    assert ended.steps_done == ended.steps_total == 8


def test_rejecting_withdraws_the_gray_part_alone(stage, kind, up, run, texts):
    rollout = up(targets=("a", "b"))
    kind.ran.clear()
    legs = []
    kind.acts["undo", "canary"] = lambda ctx: legs.append(ctx.leg)
    reject_canary(actor=SYSTEM, rollout=rollout, reason="errors")
    assert now(rollout).gray_weight == 0, "its players go back at once"
    ended = run(rollout)
    assert (ended.state, ended.cause, ended.consistent) == ("canary_rejected", "user", True)
    assert kind.ran == [f"undo canary {name} {at}" for at in "ba" for name in ("chat", "auth")] and set(legs) == {"canary"}
    assert status_of(stage) == "Active"
    assert texts(ended)[-1] == "The canary is withdrawn: somebody rejected it. The pins did not move."


def test_the_time_limit_withdraws_it(stage, kind, up, run):
    rollout = up(time_limit_s=3600)
    pass_time(rollout, 3599)
    assert move_canaries() == 0
    pass_time(rollout, 2)
    assert move_canaries() == 1 and now(rollout).state == "canary_rejecting"
    ended = run(rollout)
    assert (ended.state, ended.cause) == ("canary_timeout", "timeout")
    assert status_of(stage) == "Active"


def test_a_withdrawal_that_breaks_errs(stage, kind, up, run):
    for act in (fails, breaks):
        rollout = up() if act is fails else run(promote_stage(actor=SYSTEM, stage=stage))
        kind.acts["undo", "canary"] = act
        reject_canary(actor=SYSTEM, rollout=rollout)
        ended = run(rollout)
        assert (ended.state, ended.consistent) == ("errored", False)
        assert "canary of" in ended.error
        kind.acts.clear()


@pytest.mark.parametrize("when", ["held", "analyzed", "made", "not begun"])
def test_a_cancel_withdraws_what_would_serve_players(stage, kind, up, run, texts, when):
    if when == "analyzed":
        plan = {"analysis": "auto", "url": "http://127.0.0.1:9/", "metrics": [{"name": "e", "query": "q", "threshold": 1}]}
        rollout = up(**plan)
        assert rollout.state == "canary_analyzing"
    elif when == "held":
        rollout = up()
    else:
        at = ("chat", "canary") if when == "made" else ("auth", "pre")
        kind.acts[at] = lambda ctx: cancel_rollout(actor=SYSTEM, rollout=Rollout.objects.get()) and None
        rollout = up()
    if when in {"held", "analyzed"}:
        kind.ran.clear()
        cancel_rollout(actor=SYSTEM, rollout=rollout)
        assert now(rollout).gray_weight == 0
        rollout = run(rollout)
    assert (rollout.state, rollout.consistent) == ("canceled", True)
    undone = [each for each in kind.ran if each.startswith("undo")]
    assert undone == ([] if when == "not begun" else ["undo canary chat a", "undo canary auth a"])
    assert status_of(stage) == "Active" and not Leftover.objects.exists()
    assert texts(rollout)[-1].startswith("Canceled." if when == "not begun" else "Canceled, and the canary is withdrawn.")


def test_a_cancel_whose_withdrawal_breaks_says_what_stays(stage, kind, up, run):
    rollout = up()
    kind.acts["undo", "canary"] = fails
    cancel_rollout(actor=SYSTEM, rollout=rollout)
    ended = run(rollout)
    assert (ended.state, ended.consistent) == ("errored", False)
    assert ended.error == (
        "It was canceled, but withdrawing the canary broke: undo of canary of chat on a failed: the game said no. "
        "0 of 2 changes were put back; not put back: canary of chat on a, canary of auth on a."
    )
    assert status_of(stage) == "UpdateFailed"


def test_weights_go_on_by_their_pauses_and_by_hand(stage, up, rings):
    rollout = up(weights=[{"percent": 5, "pause_s": 60}, {"percent": 20}, {"percent": 50, "pause_s": 60}])
    pass_time(rollout, 61)
    assert move_canaries() == 1 and (now(rollout).gray_weight, now(rollout).canary.wake_at) == (20, None)
    assert move_canaries() == 0, "this one waits for somebody"
    with pytest.raises(Conflict, match="at 20 % already"):
        advance_canary(actor=SYSTEM, rollout=rollout, seen=5)
    advance_canary(actor=SYSTEM, rollout=rollout, seen=20)
    assert now(rollout).gray_weight == 50
    with pytest.raises(Conflict, match="the last weight"):
        advance_canary(actor=SYSTEM, rollout=rollout)
    pass_time(rollout, 61)
    assert move_canaries() == 0 and now(rollout).state == "canary_hold", "a person judges"
    assert now(rollout).canary.wake_at is None and move_canaries() == 0


def test_where_nobody_judges_the_end_of_the_last_pause_accepts(stage, up, run, pins):
    rollout = up(analysis="none", weights=[{"percent": 5, "pause_s": 60}, {"percent": 50, "pause_s": 60}])
    for percent in (5, 50):
        assert now(rollout).gray_weight == percent
        pass_time(rollout, 61)
        assert move_canaries() == 1
    assert now(rollout).leg == "full" and run(rollout).state == "succeeded"
    assert pins(stage)["auth"] == "1"


def test_a_failed_gray_part_is_taken_back_or_left(stage, kind, up, run):
    kind.acts["chat", "canary"] = fails
    rollout = up()
    assert (rollout.state, rollout.consistent) == ("failed", False)
    Stage.objects.update(scenario=create_scenario(
        actor=SYSTEM, stage=stage, name="undoes", strategy="canary", rollback=True
    ))
    kind.ran.clear()
    again = run(promote_stage(actor=SYSTEM, stage=stage))
    assert (again.state, again.consistent) == ("failed", True)
    assert kind.ran[-2:] == ["undo canary chat a", "undo canary auth a"]


def test_a_failed_full_leg_takes_back_the_deploy_and_the_gray_part(stage, kind, up, run):
    rollout = up(rollback=True)
    kind.acts["chat", "deploy"] = fails
    kind.ran.clear()
    accept_canary(actor=SYSTEM, rollout=rollout)
    ended = run(rollout)
    assert (ended.state, ended.consistent) == ("failed", True)
    assert kind.ran[2:] == ["undo deploy chat a", "undo deploy auth a", "undo canary chat a", "undo canary auth a"]


def test_who_may_decide(stage, up, actor_of, producer, viewer, stranger, other_project):
    rollout = up()
    for act in (accept_canary, reject_canary, advance_canary):
        with pytest.raises(Denied):
            act(actor=actor_of(viewer), rollout=rollout)
        with pytest.raises(NotFound):
            act(actor=actor_of(stranger), rollout=rollout)
    assert accept_canary(actor=actor_of(producer), rollout=rollout).leg == "full"


def test_weights_are_set_freely_by_mesh_releases_only(stage, up):
    rollout = up()
    with pytest.raises(Conflict):
        set_weight(actor=SYSTEM, rollout=rollout, weight=30)
    Rollout.objects.filter(pk=rollout.pk).update(protocol="asm")
    assert set_weight(actor=SYSTEM, rollout=rollout, weight=30).gray_weight == 30
    with pytest.raises(Conflict, match="does not have all the traffic"):
        accept_canary(actor=SYSTEM, rollout=rollout)
    with pytest.raises(Conflict, match="does not have all the traffic"):
        reject_canary(actor=SYSTEM, rollout=rollout)
    with pytest.raises(Invalid):
        set_weight(actor=SYSTEM, rollout=rollout, weight=101)
    set_weight(actor=SYSTEM, rollout=rollout, weight=100)
    assert accept_canary(actor=SYSTEM, rollout=rollout).leg == "full"
