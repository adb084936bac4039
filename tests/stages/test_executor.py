"""The worker's side: what happens inside steps, between them, and when a worker is lost."""
from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from stages.core import journal
from stages.core.status import status_of
from stages.models import Output, Rollout, Step, Target
from stages.plan.previews import preview_promote, preview_rollback
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout, rollback_stage
from stages.steps import KINDS
from stages.steps.base import LeaseLost, StepBroken, StepFailed
from stages.worker import begin, context, executor, lanes
from stages.worker.chores import free_rollouts_of, remove_old_output, wake_lost_rollouts

pytestmark = pytest.mark.django_db


class Kind:
    """A step kind whose behaviour a test sets per (microservice, phase)."""

    name = label = "fake"

    def __init__(self) -> None:
        self.acts, self.ran, self.may_repeat = {}, [], False

    def validate(self, config):
        return dict(config)

    def made(self, config, memo):
        return None

    def repeatable(self, config, memo):
        return self.may_repeat

    def run(self, ctx):
        self.ran.append((ctx.microservice, ctx.phase, ctx.attempt))
        act = self.acts.get((ctx.microservice, ctx.phase))
        return (act(ctx) if act else None) or "well"


@pytest.fixture
def kind(monkeypatch):
    found = Kind()
    monkeypatch.setitem(KINDS, "fake", found)
    return found


@pytest.fixture
def stage(dev, register, kind):
    register(auth="1", chat="1")
    Target.objects.create(stage=dev, name="a", kind="fake", config={"pre": {}, "deploy": {}, "post": None})
    return dev


def fails(ctx):
    raise StepFailed("the game said no")


def breaks(ctx):
    raise StepBroken("the executable is gone")


def bug(ctx):
    raise ZeroDivisionError("secret details")


def test_steps_run_per_service_and_phase_in_order(stage, kind, run):
    rollout = run(promote_stage(actor=SYSTEM, stage=stage))
    assert rollout.state == "succeeded"
    assert kind.ran == [("auth", "pre", 1), ("auth", "deploy", 1), ("chat", "pre", 1), ("chat", "deploy", 1)]
    assert [s.kind for s in rollout.steps.all()] == ["fake", "fake", "pin"] * 2


def test_a_failed_step_stops_the_rollout_and_moves_no_pin(stage, kind, run, pins, texts):
    kind.acts["auth", "deploy"] = fails
    rollout = run(promote_stage(actor=SYSTEM, stage=stage))
    assert (rollout.state, rollout.consistent) == ("failed", False)
    assert rollout.error == "deploy of auth on a failed: the game said no"
    assert [s.state for s in rollout.steps.all()] == ["succeeded", "failed", *["no_progress"] * 4]
    assert texts(rollout)[-1].startswith("Failed. deploy of auth on a failed: the game said no. 4 of 6 steps")
    assert pins(stage) == {} and status_of(stage) == "UpdateFailed"


def test_a_broken_step_errs_and_a_bug_shows_no_details(stage, kind, run, texts):
    kind.acts["auth", "pre"] = breaks
    rollout = run(promote_stage(actor=SYSTEM, stage=stage))
    assert rollout.state == "errored" and "the executable is gone" in rollout.error
    kind.acts["auth", "pre"] = bug
    rollout = run(promote_stage(actor=SYSTEM, stage=stage))
    assert rollout.state == "errored"
    assert "internal fault" in rollout.error
    assert not any("secret" in text or "ZeroDivision" in text for text in texts(rollout))


def test_after_a_failure_the_touched_services_are_deployed_again_by_whatever_comes_next(stage, kind, run, register, pins):
    run(promote_stage(actor=SYSTEM, stage=stage))
    register(auth="2")
    kind.acts["auth", "deploy"] = fails
    failed = run(promote_stage(actor=SYSTEM, stage=stage))
    kind.acts.clear()
    back = preview_rollback(stage, to="pinned")
    assert {c.name: c.kind for c in back.effective} == {"auth": "redeployed"}
    kind.ran.clear()
    rollout = run(rollback_stage(actor=SYSTEM, stage=stage, to="pinned"))
    assert rollout.state == "succeeded" and pins(stage) == {"auth": "1", "chat": "1"}
    assert [ran[0] for ran in kind.ran] == ["auth", "auth"]
    assert status_of(stage) == "Active"
    assert {c.kind for c in preview_promote(stage).changes} == {"changed", "same"}
    with pytest.raises(Conflict, match="bring back an old plan"):
        retry_rollout(actor=SYSTEM, rollout=failed)


def test_a_retry_is_a_new_rollout_to_the_same_versions(stage, kind, run, register, pins):
    run(promote_stage(actor=SYSTEM, stage=stage))
    register(auth="2")
    kind.acts["auth", "deploy"] = fails
    failed = run(promote_stage(actor=SYSTEM, stage=stage))
    register(auth="3")
    kind.acts.clear()
    retried = run(retry_rollout(actor=SYSTEM, rollout=failed, request_key="r"))
    assert retried.retry_of == failed and retried.to_set == failed.to_set
    assert pins(stage)["auth"] == "2"
    assert retry_rollout(actor=SYSTEM, rollout=failed, request_key="r") == retried


def test_a_line_after_a_pause_is_stored_at_once_and_those_that_follow_it_together(stage, kind, run, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(lanes, "time", SimpleNamespace(monotonic=lambda: now[0]))
    seen = []

    def act(ctx):
        for text, later_s in (("first", 0.0), ("second", 0.01), ("third", lanes.FLUSH_S / 2), ("", lanes.FLUSH_S)):
            now[0] += later_s
            if text:
                ctx.emit(text)
            ctx.tick()
            seen.append(Output.objects.filter(stream="stdout").count())

    def quiet_first(ctx):
        now[0] += 10 * lanes.FLUSH_S
        ctx.tick()
        now[0] += 0.01
        act(ctx)

    kind.acts["auth", "deploy"] = quiet_first
    assert run(promote_stage(actor=SYSTEM, stage=stage)).state == "succeeded"
    assert seen == [1, 1, 1, 3]


def test_cancel_is_seen_inside_a_running_step(stage, kind, run, pins, monkeypatch):
    monkeypatch.setattr(context, "LOOK_S", 0.0)
    rollout = promote_stage(actor=SYSTEM, stage=stage)

    def act(ctx):
        cancel_rollout(actor=SYSTEM, rollout=rollout)
        ctx.tick()

    kind.acts["auth", "deploy"] = act
    ended = run(rollout)
    assert (ended.state, ended.consistent, pins(stage)) == ("canceled", False, {})
    assert [s.state for s in ended.steps.all()] == ["succeeded", "canceled", *["no_progress"] * 4]
    assert status_of(stage) == "UpdateFailed"


def test_cancel_between_steps_starts_no_further_step(stage, kind, run):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    kind.acts["auth", "pre"] = lambda ctx: cancel_rollout(actor=SYSTEM, rollout=rollout) and "well"
    ended = run(rollout)
    assert (ended.state, ended.consistent) == ("canceled", True)
    assert len(kind.ran) == 1
    assert status_of(stage) == "Active"


class Killed(BaseException):
    """The worker is gone in the middle of whatever it did."""


def die(ctx):
    ctx.emit("half a line " * 6_000)  # a full buffer is written at once
    raise Killed


def lose_worker(rollout, kind, where):
    kind.acts[where] = die
    with pytest.raises(Killed):
        executor.run(rollout.pk)
    kind.acts.clear()
    assert journal.claim(rollout.pk, "too early") is None, "the lease still holds"
    Rollout.objects.filter(pk=rollout.pk).update(lease_until=Now() - timedelta(seconds=1))


def test_a_lost_worker_is_replaced_and_the_step_runs_again_where_it_may(stage, kind, run, texts):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    kind.may_repeat = True
    lose_worker(rollout, kind, ("chat", "pre"))
    ended = run(rollout)
    assert ended.state == "succeeded" and ended.attempt == 2
    assert [ran[:2] for ran in kind.ran].count(("auth", "deploy")) == 1, "what is done is not done twice"
    assert kind.ran.count(("chat", "pre", 2)) == 1
    assert list(ended.outputs.order_by("seq").values_list("seq", flat=True)) == list(range(1, ended.last_seq + 1))
    assert "pre started again on a" in texts(ended)


def test_a_lost_worker_ends_the_rollout_where_the_step_may_not_be_run_twice(stage, kind, run):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    lose_worker(rollout, kind, ("auth", "deploy"))
    ended = run(rollout)
    assert ended.state == "errored" and "may not be run twice" in ended.error
    assert kind.ran.count(("auth", "deploy", 1)) == 1 and len(kind.ran) == 2
    assert status_of(stage) == "UpdateFailed"


def test_a_worker_that_comes_back_after_its_lease_writes_nothing(stage, kind, run):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    kind.may_repeat = True
    old = journal.claim(rollout.pk, "frozen")
    begin.start(old, [journal.Line("begin")])
    Rollout.objects.filter(pk=rollout.pk).update(lease_until=Now() - timedelta(seconds=1))
    ended = run(rollout)
    count, step = ended.outputs.count(), ended.steps.first()
    for act in (
        lambda: journal.write(old, [journal.Line("ghost")]),
        lambda: journal.start_step(old, step, []),
        lambda: journal.finish_step(old, step, "failed", "ghost", []),
        lambda: journal.finish(old, "R2", error="ghost", consistent=False, lines=[]),
        lambda: journal.remember(old, step, {"ghost": 1}),
        lambda: journal.renew(old),
    ):
        with pytest.raises(LeaseLost):
            act()
    journal.release(old)
    ended.refresh_from_db()
    assert ended.state == "succeeded" and ended.outputs.count() == count
    assert not Step.objects.filter(memo__has_key="ghost").exists()


def test_two_workers_never_hold_one_rollout(stage):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    assert journal.claim(rollout.pk, "one") is not None
    assert journal.claim(rollout.pk, "two") is None


def test_a_stopping_worker_hands_over_between_steps(stage, kind, run, monkeypatch, rings):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    monkeypatch.setattr(engine, "beat", lambda *_: True)
    executor.run(rollout.pk)
    rollout.refresh_from_db()
    assert (rollout.state, rollout.lease_until, len(kind.ran)) == ("running", None, 1)
    assert rings.count(("stages.worker.tasks.run_rollout", rollout.pk)) == 2
    monkeypatch.setattr(engine, "beat", lambda *_: False)
    assert run(rollout).state == "succeeded" and len(kind.ran) == 4


def test_the_sweep_wakes_what_lost_its_worker_once(stage, kind, rings):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    assert wake_lost_rollouts() == 0, "its first ring is fresh"
    Rollout.objects.filter(pk=rollout.pk).update(created_at=Now() - timedelta(minutes=1))
    rings.clear()
    assert wake_lost_rollouts() == 1 and wake_lost_rollouts() == 0
    assert rings == [("stages.worker.tasks.run_rollout", rollout.pk)]
    journal.claim(rollout.pk, "worker")
    Rollout.objects.update(woken_at=Now() - timedelta(minutes=1))
    assert wake_lost_rollouts() == 0, "somebody holds it"
    Rollout.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert wake_lost_rollouts() == 1


def test_a_worker_known_to_be_dead_is_replaced_without_waiting_for_its_lease(stage, kind, rings):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    journal.claim(rollout.pk, "host:cluster:1")
    rings.clear()
    assert free_rollouts_of("host:cluster:2") == 0
    assert free_rollouts_of("host:cluster:1") == 1
    assert rings == [("stages.worker.tasks.run_rollout", rollout.pk)]
    assert journal.claim(rollout.pk, "host:cluster:3") is not None


def test_a_passing_database_fault_does_not_end_a_step(stage, kind, run, monkeypatch):
    real, faults = journal.finish_step, iter([1, 1])

    def flaky(*facts):
        if next(faults, None):
            raise OperationalError("server closed the connection")
        return real(*facts)

    monkeypatch.setattr(journal, "finish_step", flaky)
    monkeypatch.setattr(context, "connection", type("C", (), {"in_atomic_block": False, "close": staticmethod(lambda: None)}))
    kind.acts["auth", "pre"] = lambda ctx: ctx.emit("one") or ctx.emit("two")
    ended = run(promote_stage(actor=SYSTEM, stage=stage))
    assert ended.state == "succeeded" and next(faults, None) is None
    assert [o.text for o in ended.outputs.filter(stream="stdout")] == ["one", "two"]


def test_more_than_a_mebibyte_of_text_is_split_and_never_cut(stage, kind, run):
    text = "x" * (2 * journal.MAX_TEXT + 5)
    kind.acts["auth", "pre"] = lambda ctx: ctx.emit(text)
    ended = run(promote_stage(actor=SYSTEM, stage=stage))
    pieces = [o.text for o in ended.outputs.filter(stream="stdout")]
    assert len(pieces) == 3 and "".join(pieces) == text


def test_old_output_is_removed_and_young_output_kept(stage, run):
    rollout = run(promote_stage(actor=SYSTEM, stage=stage))
    first = rollout.outputs.first()
    Output.objects.filter(pk=first.pk).update(at=Now() - timedelta(days=31))
    assert first.pk not in Output.objects.kept().values_list("pk", flat=True), "hidden before the cleaner comes"
    assert remove_old_output() == 1
    assert rollout.outputs.count() == rollout.last_seq - 1
