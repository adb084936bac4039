"""Another try goes on from the failed step, or past it: a new rollout that is linked to the old one."""
from __future__ import annotations

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Role
from stages.approval.services import approve_rollout, save_rule
from stages.core import ledger
from stages.models import Rollout
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout
from stages.setup.stages import set_targets
from stages.steps import KINDS
from stages.steps.base import StepFailed
from tests.stages.test_gates import Door

pytestmark = pytest.mark.django_db
PHASE = {"command": "x"}


class Scripted:
    """Notes what runs; `fails` names what does not end well."""

    name = label = "command"

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fails: set[str] = set()

    def validate(self, config):
        return dict(config)

    def made(self, config, memo):
        return None

    def repeatable(self, config, memo):
        return True

    def run(self, ctx):
        word = f"{ctx.phase} {ctx.microservice}"
        self.ran.append(word)
        ctx.remember(was=word)
        if word in self.fails:
            raise StepFailed("no instance became healthy")
        return "fine"


@pytest.fixture
def kind(monkeypatch):
    found = Scripted()
    monkeypatch.setitem(KINDS, "command", found)
    return found


@pytest.fixture
def failed(dev, register, run, kind):
    """A promote of auth and chat whose deploy of chat failed: pre, deploy, post of auth and pre of chat are done."""
    set_targets(actor=SYSTEM, stage=dev, targets=[{"name": "c", "kind": "command",
                "config": {"pre": PHASE, "deploy": PHASE, "post": PHASE}}])
    register(auth="1", chat="1")
    kind.fails = {"deploy chat"}
    found = run(promote_stage(actor=SYSTEM, stage=dev))
    assert found.state == "failed" and kind.ran == ["pre auth", "deploy auth", "post auth", "pre chat", "deploy chat"]
    kind.ran, kind.fails = [], set()
    return found


def states(rollout) -> list[tuple[str, str]]:
    return [(step.state, step.origin) for step in rollout.steps.order_by("position")]


def test_from_the_failed_step(failed, kind, run, pins, dev, texts):
    new = run(retry_rollout(actor=SYSTEM, rollout=failed, how="failed"))
    assert new.state == "succeeded" and new.retry_of == failed and pins(dev) == {"auth": "1", "chat": "1"}
    assert kind.ran == ["deploy chat", "post chat"]
    assert states(new) == [("succeeded", "carried")] * 4 + [("succeeded", "")] * 2
    assert new.steps_done == new.steps_total == 6
    assert texts(new)[0] == f"Goes on from rollout {failed.number}: 4 steps were done there and are not run again."
    assert new.steps.get(position=1).memo == {"was": "pre auth"}
    assert failed.steps.filter(state="failed").count() == 1, "the old one stays as it is"


def test_everything_again(failed, kind, run):
    assert run(retry_rollout(actor=SYSTEM, rollout=failed)).state == "succeeded"
    assert len(kind.ran) == 6


def test_past_the_failed_step_with_a_reason(failed, kind, run, pins, dev, producer, actor_of, texts):
    mika = actor_of(producer)
    with pytest.raises(Invalid, match="Say why"):
        retry_rollout(actor=mika, rollout=failed, how="skip", reason=" ")
    new = run(retry_rollout(actor=mika, rollout=failed, how="skip", reason="done by hand"))
    assert new.state == "succeeded" and kind.ran == ["post chat"] and pins(dev)["chat"] == "1"
    step = new.steps.get(origin="skipped")
    assert (step.phase, step.microservice, step.summary) == ("deploy", "chat", "Skipped by mika: done by hand")
    assert texts(new)[1] == "mika skips deploy of chat on c: done by hand"
    line = Activity.objects.get(action="rollout.retry")
    assert line.after["skipped"] == "deploy of chat on c" and line.reason == "done by hand"


def test_programs_may_not_skip(failed, credential, project):
    game, admin = Door(project), Door(project, Role.ADMIN)
    path = f"/api/v1/rollouts/{failed.number}/retry"
    assert game(path, {"how": "skip", "reason": "x"}).status_code == 403
    assert game(path, {"how": "sideways"}).status_code == 400
    started = admin(path, {"how": "skip", "reason": "x"})
    assert started.status_code == 202 and started.json()["state"] == "queued"
    assert Rollout.objects.latest("id").steps.filter(origin="skipped").count() == 1


def test_a_try_that_fails_again_goes_on_from_there(failed, kind, run):
    kind.fails = {"post chat"}
    second = run(retry_rollout(actor=SYSTEM, rollout=failed, how="skip", reason="by hand"))
    assert second.state == "failed" and not second.consistent
    kind.ran, kind.fails = [], set()
    third = run(retry_rollout(actor=SYSTEM, rollout=second, how="failed"))
    assert third.state == "succeeded" and kind.ran == ["post chat"]
    assert [origin for _, origin in states(third)] == ["carried"] * 4 + ["skipped", ""]
    assert third.steps.get(origin="skipped").summary == "Skipped by system: by hand", "why is not lost"


def test_what_was_configured_anew_runs_anew(failed, kind, run, dev):
    set_targets(actor=SYSTEM, stage=dev, targets=[{"name": "c", "kind": "command",
                "config": {"pre": {"command": "other"}, "deploy": PHASE, "post": PHASE}}])
    assert run(retry_rollout(actor=SYSTEM, rollout=failed, how="failed")).state == "succeeded"
    assert kind.ran == ["pre auth", "pre chat", "deploy chat", "post chat"]


def test_a_step_that_is_no_longer_there_is_not_skipped(failed, dev):
    set_targets(actor=SYSTEM, stage=dev, targets=[{"name": "other", "kind": "command", "config": {"deploy": PHASE}}])
    with pytest.raises(Invalid, match="no longer part of the plan"):
        retry_rollout(actor=SYSTEM, rollout=failed, how="skip", reason="x")


def test_one_that_was_canceled_before_it_began_is_tried_as_a_whole(dev, register, kind):
    register(auth="1")
    rollout = cancel_rollout(actor=SYSTEM, rollout=promote_stage(actor=SYSTEM, stage=dev))
    with pytest.raises(Invalid, match="None of its steps failed"):
        retry_rollout(actor=SYSTEM, rollout=rollout, how="failed")
    assert retry_rollout(actor=SYSTEM, rollout=rollout).state == "queued"


def test_a_retry_needs_a_new_approval_and_keeps_how(failed, dev, owner, producer, actor_of, run, kind):
    save_rule(actor=SYSTEM, stage=dev, needed=1, roles=["admin"])
    asked = retry_rollout(actor=actor_of(producer), rollout=failed, how="failed")
    assert asked.state == "awaiting_approval" and run(asked).state == "awaiting_approval" and kind.ran == []
    with pytest.raises(Denied):
        approve_rollout(actor=actor_of(producer), rollout=asked)
    approve_rollout(actor=actor_of(owner), rollout=asked)
    assert run(asked).state == "succeeded" and kind.ran == ["deploy chat", "post chat"]


def test_what_ran_between_the_question_and_the_lock_is_seen(dev, failed, run, register, monkeypatch):
    """A retry that waits for the project's lock does not bring back the plan of before."""
    lock, ran = ledger.lock, []

    def slow(project_id, **steps):
        if not ran:
            ran.append(None)
            register(auth="2")
            ran[0] = run(promote_stage(actor=SYSTEM, stage=dev))
        return lock(project_id, **steps)

    monkeypatch.setattr(ledger, "lock", slow)
    with pytest.raises(Conflict, match="would bring back an old plan"):
        retry_rollout(actor=SYSTEM, rollout=failed)
    assert ran[0].state == "succeeded" and not Rollout.objects.filter(retry_of=failed).exists()
