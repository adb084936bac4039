"""What an ended rollout leaves that serves players: known by name, offered to be taken back, gone when it is gone."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid
from gs2admin.identity.actors import SYSTEM
from stages.canary.leftovers import forget, take_back
from stages.canary.services import accept_canary, reject_canary, remake_canary
from stages.core.leftovers import left_by, left_in
from stages.models import Leftover, Rollout, Step
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout
from stages.steps.base import LeaseLost
from stages.worker import leftovers, tasks
from tests.stages.kinds import breaks, fails, scenario

pytestmark = pytest.mark.django_db
CANARY = ("pre", "canary", "deploy", "post")


def makes(ctx):
    ctx.remember(made=f"Deployment {ctx.microservice}-gray")


@pytest.fixture
def go(stage, kind, run):
    """go(phase that fails, …) promotes by a canary whose gray parts are remembered."""
    kind.acts["auth", "canary"] = kind.acts["chat", "canary"] = makes

    def act(*, phases=CANARY, **more):
        if more.get("strategy", "") == "":
            more["strategy"] = "canary"
        scenario(stage, phases=phases, **more)
        return run(promote_stage(actor=SYSTEM, stage=stage))

    return act


def names(rollout) -> list[str]:
    return [left.what for left in left_by(Rollout.objects.get(pk=rollout.pk))]


def act_again(rollout, run, **more):
    return run(retry_rollout(actor=SYSTEM, rollout=rollout, **more))


def test_a_canary_that_goes_its_way_leaves_nothing(go, kind, run, stage):
    for decide in (reject_canary, cancel_rollout, accept_canary):
        rollout = go() if decide is reject_canary else run(promote_stage(actor=SYSTEM, stage=stage))
        assert Leftover.objects.count() == 2 and left_by(rollout) == [], "what is up while it goes on is no leftover"
        decide(actor=SYSTEM, rollout=rollout)
        assert run(rollout).ended_at and not Leftover.objects.exists() and left_in(stage.project_id) == []


def test_each_bad_end_names_what_stays(go, kind, run, stage):
    """Failed without an undo, retried, its withdrawal broke, accepted and half deployed, and past a deploy that was left out."""
    kind.acts["chat", "canary"] = lambda ctx: (makes(ctx), fails(ctx))
    failed = go()
    assert failed.state == "failed" and names(failed) == ["Deployment auth-gray", "Deployment chat-gray"]
    kind.acts["chat", "canary"] = fails  # it had remembered nothing, so it has made nothing
    again = act_again(failed, run, how="failed")
    assert again.state == "failed" and names(again) == ["Deployment auth-gray", "Deployment chat-gray"], "the first one's"
    kind.acts["chat", "canary"] = makes
    up = act_again(again, run)
    assert up.state == "canary_hold" and left_by(up) == []
    kind.acts["undo", "canary"] = breaks
    reject_canary(actor=SYSTEM, rollout=up)
    broken = run(up)
    assert broken.state == "errored" and names(broken) == ["Deployment auth-gray", "Deployment chat-gray"]
    assert left_by(broken)[0].sentence == "Deployment auth-gray: canary of auth 1 on a."
    del kind.acts["undo", "canary"]
    kind.acts["chat", "deploy"] = fails
    up = run(promote_stage(actor=SYSTEM, stage=stage))
    accept_canary(actor=SYSTEM, rollout=up)
    half = run(up)
    assert half.state == "failed" and names(half) == ["Deployment chat-gray"], "auth's was replaced by what everybody gets"
    assert {left.step.microservice for left in left_in(stage.project_id)} == {"chat"}
    kind.acts.clear()
    skipped = act_again(half, run, how="skip", reason="by hand")
    assert skipped.state == "succeeded" and names(half) == ["Deployment chat-gray"], "a deploy that was left out removes nothing"


def test_it_is_taken_back_by_a_worker(go, kind, run, stage, rings, texts, viewer, actor_of):
    kind.acts["chat", "canary"] = lambda ctx: (makes(ctx), fails(ctx))
    failed = go()
    with pytest.raises(Denied):
        take_back(actor=actor_of(viewer), rollout=failed)
    found = take_back(actor=SYSTEM, rollout=failed, reason="still served")
    pks = [left.pk for left in found]
    assert rings[-2:] == [("stages.worker.tasks.take_back", pk) for pk in pks] and all(left.busy for left in left_by(failed))
    kind.ran.clear()
    seen = []
    kind.acts["undo", "canary"] = lambda ctx: (seen.append((ctx.key, ctx.memo["done"], ctx.old_version, ctx.new_version)), ctx.tick())[1]
    for pk in [*pks, *pks]:
        tasks.take_back(pk)
    assert kind.ran == ["undo canary auth a", "undo canary chat a"], "once each"
    step = Step.objects.get(pk=pks[0])
    assert seen[0] == (f"{stage.project.name}/1/{step.position}-back", {"made": "Deployment auth-gray"}, "1", "")
    assert left_by(failed) == [] and "Taken back: Deployment chat-gray." in texts(failed)
    with pytest.raises(Conflict, match="Nothing of rollout 1 is left"):
        take_back(actor=SYSTEM, rollout=failed)
    assert Activity.objects.get(action="rollout.take_back").reason == "still served"


def test_what_can_not_be_taken_back_says_why_and_can_be_tried_again(go, kind, stage, texts, monkeypatch):
    kind.acts["chat", "canary"] = fails
    failed = go()
    kind.acts["undo", "canary"] = fails
    [left] = take_back(actor=SYSTEM, rollout=failed)
    tasks.take_back(left.pk)
    [now] = left_by(failed)
    assert (now.busy, now.problem) == (False, "the game said no")
    assert "It is still there: Deployment auth-gray. the game said no" in texts(failed)
    take_back(actor=SYSTEM, rollout=failed)
    kind.acts["undo", "canary"] = lambda ctx: 1 / 0
    tasks.take_back(left.pk)
    assert left_by(failed)[0].problem == "gs2admin hit an internal fault; its log has the details."
    # A worker that dies in the middle: another one goes on, unless the step may not be repeated.
    take_back(actor=SYSTEM, rollout=failed)

    def dies(ctx):
        raise LeaseLost

    kind.acts["undo", "canary"] = dies
    tasks.take_back(left.pk)
    assert leftovers.wake_lost_leftovers() == 0
    Leftover.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert leftovers.wake_lost_leftovers() == 1
    kind.may_repeat = False
    tasks.take_back(left.pk)
    assert left_by(failed)[0].problem.startswith("its worker was lost, and it may not be run again by itself")
    kind.may_repeat, kind.acts["undo", "canary"] = True, None
    take_back(actor=SYSTEM, rollout=failed)
    monkeypatch.setitem(leftovers.KINDS, "fake", None)
    Step.objects.filter(pk=left.pk).update(kind="gone")
    tasks.take_back(left.pk)
    assert left_by(failed)[0].problem == "this server knows no step of kind gone."


def test_it_waits_for_what_runs_and_may_be_forgotten_with_a_reason(go, kind, stage, run, rings):
    kind.acts["chat", "canary"] = fails
    failed = go()
    other = promote_stage(actor=SYSTEM, stage=stage)
    with pytest.raises(Conflict, match=f"Rollout {other.number} goes on on dev"):
        take_back(actor=SYSTEM, rollout=failed)
    with pytest.raises(Conflict, match="what it makes is taken back when it has ended"):
        take_back(actor=SYSTEM, rollout=other)
    cancel_rollout(actor=SYSTEM, rollout=other)
    with pytest.raises(Invalid, match="Say how you know"):
        forget(actor=SYSTEM, rollout=failed, reason=" ")
    forget(actor=SYSTEM, rollout=failed, reason="kubectl delete")
    assert left_by(failed) == [] and Activity.objects.filter(action="rollout.forget_left").exists()


def test_a_switch_that_is_not_pinned_is_left_and_a_pinned_one_is_not(go, kind, stage, run):
    kind.acts["*", "switch"] = lambda ctx: ctx.remember(made=f"Services that send to {ctx.colour}")
    kind.acts["auth", "post"] = fails
    failed = go(strategy="blueGreen", phases=("pre", "deploy", "switch", "post"))
    assert failed.state == "failed" and names(failed) == ["Services that send to green"]
    assert left_by(failed)[0].sentence == "Services that send to green: switch of all services on a."
    kind.acts.pop(("auth", "post"))
    assert run(promote_stage(actor=SYSTEM, stage=stage)).state == "succeeded" and not Leftover.objects.exists()


def test_a_gray_part_that_is_being_made_anew_is_withdrawn_all_the_same(go, kind, run, stage):
    """A mesh release whose image was changed is canceled before a worker has begun with the new one."""
    kind.acts["auth", "canary"] = kind.acts["chat", "canary"] = lambda ctx: ctx.remember(gray=f"{ctx.microservice}-gray")
    up = go()
    Rollout.objects.filter(pk=up.pk).update(protocol="asm")
    remake_canary(actor=SYSTEM, rollout=Rollout.objects.get(pk=up.pk), versions={"auth": "1"})
    kind.ran.clear()
    cancel_rollout(actor=SYSTEM, rollout=up)
    ended = run(up)
    assert (ended.state, kind.ran) == ("canceled", ["undo canary chat a", "undo canary auth a"]) and not Leftover.objects.exists()
