"""Numbers beside rows: a process that dies between the two writes leaves none behind, and what drifted otherwise is mended."""
from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.db.models.functions import Now

from gs2admin.identity.actors import SYSTEM
from stages.approval import services as approval
from stages.approval.services import approve_rollout, reject_rollout
from stages.auto_promotion import services as auto
from stages.auto_promotion.services import save_auto_promotion
from stages.canary import moves
from stages.canary import services as canary
from stages.core import journal
from stages.gates.services import stop_promotions
from stages.models import CanaryReport, Ledger, Output, Rollout, RolloutCanary, RolloutTarget, Stage, Step, VersionSet
from stages.models.governance import AutoPromotion, Vote
from stages.models.webhooks import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from stages.rollouts import create
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout, rollback_stage
from stages.webhooks import deliver as delivery
from stages.worker import chores, executor
from tests.engine.conftest import database_url
from tests.stages.canaries import auto as metric_plan
from tests.stages.canaries import pass_time
from tests.stages.kinds import fails, scenario
from tests.stages.test_webhooks import due_now, hook, receiver  # noqa: F401

# Real transactions: what is undone must be undone by the end of the transaction that the code opened, not by the test's.
pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process is gone: nothing catches it, and the database undoes what was not committed."""


@pytest.fixture
def killed_at(monkeypatch):
    """killed_at(place, name, act): run act, which dies when it comes to that function; before it, or with after=True after it."""

    def run(place, name, act, *, after=False):
        real = getattr(place, name)

        def function(*given, **named):
            if after:
                real(*given, **named)
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(place, name, function)
            with pytest.raises(Killed):
                act()

    return run


def equal(rollout: Rollout) -> Rollout:
    """The rollout; its numbers equal its rows."""
    row = Rollout.objects.select_related("canary").get(pk=rollout.pk)
    assert row.steps_total == row.steps.count()
    assert row.steps_done == row.steps.filter(state="succeeded").count()
    assert list(row.outputs.order_by("seq").values_list("seq", flat=True)) == list(range(1, row.last_seq + 1))
    counters = Ledger.objects.get(project_id=row.project_id)
    assert counters.rollouts_count == (Rollout.objects.aggregate(found=Max("number"))["found"] or 0)
    assert counters.sets_count == (VersionSet.objects.aggregate(found=Max("number"))["found"] or 0)
    return row


def taken_over(rollout: Rollout) -> Rollout:
    """Another worker carries it on, when the lease of the dead one is over; no chore is needed."""
    Rollout.objects.filter(pk=rollout.pk, lease_until__isnull=False).update(lease_until=Now() - timedelta(seconds=1))
    executor.run(rollout.pk)
    row = equal(rollout)
    assert chores.mend_numbers() == 0
    return row


@pytest.mark.parametrize("place, name, after", [
    (journal.Output.objects, "bulk_create", False),  # the number of the last line is there, the lines are not
    (journal.Output.objects, "bulk_create", True),
    (journal, "append_claimed", True),
])
def test_lines_and_the_number_of_the_last_one(stage, killed_at, place, name, after):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    killed_at(place, name, lambda: executor.run(rollout.pk), after=after)
    equal(rollout)
    assert taken_over(rollout).state == "succeeded"


def test_a_step_that_is_done_and_the_number_of_those(stage, kind, killed_at, monkeypatch):
    """The worker dies when the step's row says that it is done and the rollout does not count it yet."""
    scenario(stage)
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    rows = journal.Claim.rows

    def at_the_count(claim):
        if connection.in_atomic_block and Step.objects.filter(rollout_id=claim.rollout_id, state="succeeded").exists():
            raise Killed
        return rows.fget(claim)

    with monkeypatch.context() as patch:
        patch.setattr(journal.Claim, "rows", property(at_the_count))
        with pytest.raises(Killed):
            executor.run(rollout.pk)
    assert (equal(rollout).steps_done, kind.ran) == (0, ["pre auth a"])
    ended = taken_over(rollout)
    assert ended.state == "succeeded" and ended.steps_done == ended.steps_total == 6


def test_the_steps_of_an_undo_and_the_number_of_steps(stage, kind, killed_at):
    kind.acts["chat", "deploy"] = fails
    scenario(stage, rollback=True)
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    killed_at(moves.Step.objects, "bulk_create", lambda: executor.run(rollout.pk), after=True)
    assert equal(rollout).steps_total == 6
    ended = taken_over(rollout)
    assert ended.state == "failed" and ended.steps_total > 6


def test_a_rollout_that_is_made_and_the_counters_of_its_project(stage, killed_at):
    first = promote_stage(actor=SYSTEM, stage=stage)
    cancel_rollout(actor=SYSTEM, rollout=first)
    killed_at(create, "write_plan", lambda: promote_stage(actor=SYSTEM, stage=stage), after=True)
    equal(first)
    assert equal(promote_stage(actor=SYSTEM, stage=stage)).number == 2


def test_the_end_and_what_the_stage_pins(stage, run, pins, killed_at):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    killed_at(journal, "blue_green", lambda: executor.run(rollout.pk))  # at the end: no step of it is a deploy of a colour
    assert pins(stage) == {} and equal(rollout).ended_at is None
    assert taken_over(rollout).state == "succeeded" and pins(stage) == {"auth": "1", "chat": "1"}


def test_targets_that_were_undone(stage, kind, killed_at):
    kind.acts["chat", "deploy"] = fails
    scenario(stage, rollback=True)
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    killed_at(journal, "_undone_targets", lambda: executor.run(rollout.pk))
    assert not RolloutTarget.objects.filter(undone=True).exists() and equal(rollout).state == "rolling_back"
    assert taken_over(rollout).state == "failed" and RolloutTarget.objects.get(rollout=rollout).undone


@pytest.mark.parametrize("end", ["cancel", "reject", "stop"])
def test_a_retry_that_never_began_counts_no_step_as_done(stage, kind, run, end, owner, producer, actor_of, project):
    """It was made with the steps that the rollout before had done. As it ends, none of its rows says so any more."""
    kind.acts["chat", "deploy"] = fails
    scenario(stage)
    mika, olga = actor_of(producer), actor_of(owner)
    failed = run(promote_stage(actor=SYSTEM, stage=stage))
    if end == "reject":
        approval.save_rule(actor=SYSTEM, stage=stage, needed=1, roles=["admin"])
    again = retry_rollout(actor=mika, rollout=failed, how="failed")
    assert equal(again).steps_done > 0
    if end == "cancel":
        cancel_rollout(actor=SYSTEM, rollout=again)
    elif end == "reject":
        reject_rollout(actor=olga, rollout=again)
    else:
        stop_promotions(actor=olga, project=project, stage=None, reason="incident")
        run(again)
    assert equal(again).state in {"canceled", "rejected"}


def test_the_weight_of_a_canary_and_when_it_wakes(stage, up, killed_at):
    rollout = up(weights=[{"percent": 5, "pause_s": 10}, {"percent": 20}])
    pass_time(rollout, 11)
    before = equal(rollout)
    killed_at(canary.journal, "append", lambda: chores.move_canaries())
    row = equal(rollout)
    assert (row.gray_weight, row.canary.weight_index, row.canary.wake_at) == (5, 0, before.canary.wake_at)
    assert chores.move_canaries() == 1 and equal(rollout).gray_weight == 20


def test_a_report_and_its_line(stage, up, run, prometheus, killed_at):
    prometheus.values["errors"] = 0.0
    rollout = up(**metric_plan(prometheus))
    pass_time(rollout, 91)
    lines = equal(rollout).last_seq
    killed_at(moves.CanaryReport.objects, "get_or_create", lambda: executor.run(rollout.pk))
    assert equal(rollout).last_seq == lines and not rollout.reports.exists()
    taken_over(rollout)
    assert list(rollout.reports.values_list("number", flat=True)) == [1]
    assert rollout.outputs.filter(text__startswith="Report 1 of").count() == 1


def test_a_report_that_is_missing_is_made_and_none_is_made_for_ever(stage, up, prometheus):
    prometheus.values["errors"] = 0.0
    rollout = up(**metric_plan(prometheus, duration_s=180))
    pass_time(rollout, 151)
    executor.run(rollout.pk)
    assert rollout.reports.count() == 2
    CanaryReport.objects.filter(number=1).delete()
    RolloutCanary.objects.filter(pk=rollout.pk).update(wake_at=Now())
    asked = len(prometheus.asked)
    executor.run(rollout.pk)
    assert set(rollout.reports.values_list("number", flat=True)) == {1, 2} and len(prometheus.asked) == asked + 1


@pytest.mark.parametrize("wrong", [None, timedelta(days=3)])
def test_a_canary_that_would_never_wake_is_woken(stage, up, wrong, caplog):
    rollout = up(weights=[{"percent": 5}], time_limit_s=60)
    right = equal(rollout).canary
    assert right.wake_at == right.hold_until and chores.mend_numbers() == 0
    RolloutCanary.objects.filter(pk=rollout.pk).update(wake_at=wrong and right.wake_at + wrong)
    assert chores.mend_numbers() == 1 and "did not equal its rows" in caplog.text
    assert chores.move_canaries() == 0
    assert equal(rollout).canary.wake_at == right.hold_until, "the clock has found the right time by itself"
    pass_time(rollout, 61)
    assert chores.move_canaries() == 1 and equal(rollout).state == "canary_rejecting"


def test_an_approval_and_what_is_said_of_it(stage, owner, producer, actor_of, killed_at):
    mika, olga = actor_of(producer), actor_of(owner)
    rollout = promote_stage(actor=mika, stage=stage, ask=True)
    killed_at(approval, "resolve", lambda: approve_rollout(actor=olga, rollout=rollout))
    assert not Vote.objects.exists() and equal(rollout).state == "awaiting_approval"
    approval.Approval.objects.update(sentence="It has 7 of 9 approvals.")
    assert chores.settle_requests() == 1
    assert approval.Approval.objects.get().sentence.startswith("It needs 1 approval")
    approve_rollout(actor=olga, rollout=rollout)
    assert equal(rollout).state == "queued"


def test_what_follows_its_source_is_started_and_noted_together(dev, stg, register, promote, run, killed_at):
    register(auth="1")
    promote(dev)
    save_auto_promotion(actor=SYSTEM, stage=stg, enabled=True)
    register(auth="2")
    source = promote(dev)
    killed_at(auto, "_acted", chores.promote_by_themselves)
    assert not Rollout.objects.filter(stage=stg).exists(), "it was started, and that it was is not noted"
    assert chores.promote_by_themselves() == 1
    made = run(Rollout.objects.get(stage=stg))
    noted = AutoPromotion.objects.get(stage=stg)
    assert (noted.seen_id, made.state) == (source.pk, "succeeded") and f"Started rollout {made.number}" in noted.sentence


def test_a_rollback_and_the_hold_of_what_follows(dev, stg, register, promote, run, killed_at):
    register(auth="1")
    promote(dev), promote(stg)
    register(auth="2")
    promote(dev), promote(stg)
    save_auto_promotion(actor=SYSTEM, stage=stg, enabled=True)
    count = Rollout.objects.count()
    killed_at(create, "_hold_auto_promotion", lambda: rollback_stage(actor=SYSTEM, stage=stg), after=True)
    assert Rollout.objects.count() == count and AutoPromotion.objects.get().held_at is None
    rollback_stage(actor=SYSTEM, stage=stg)
    assert AutoPromotion.objects.get().held_at is not None


def test_an_attempt_that_was_counted_and_came_to_no_end(hook, dev, register, killed_at):  # noqa: F811
    """The courier dies when the message is sent and nothing is noted of it: the next one notes that."""
    endpoint = hook()
    register(auth="1")
    promote_stage(actor=SYSTEM, stage=dev)
    killed_at(delivery.WebhookAttempt.objects, "create", lambda: delivery.deliver(endpoint.pk))
    row = WebhookDelivery.objects.get()
    assert (row.attempt, row.state, row.attempts.count()) == (1, "pending", 0)
    due_now(), WebhookEndpoint.objects.update(busy_until=None)
    assert delivery.deliver(endpoint.pk) == 1
    row.refresh_from_db()
    assert (row.attempt, row.state) == (2, "delivered")
    assert list(WebhookAttempt.objects.values_list("number", "status")) == [(1, None), (2, 200)]


def test_numbers_that_were_changed_by_hand_are_mended_and_the_log_says_so(stage, run, caplog, project):
    rollout = run(promote_stage(actor=SYSTEM, stage=stage))
    right = equal(rollout)
    assert chores.mend_numbers() == 0 and not caplog.records
    board = Ledger.objects.get().revision
    assert chores.mend_numbers() == 0 and Ledger.objects.get().revision == board, "a look changes nothing"
    Rollout.objects.update(steps_done=1, steps_total=9, last_seq=right.last_seq - 1)
    Ledger.objects.update(rollouts_count=0, sets_count=0)
    with caplog.at_level(logging.WARNING):
        assert chores.mend_numbers() == 3
    now = equal(rollout)
    assert now.revision > right.revision and Ledger.objects.get().revision > board, "who watches sees it"
    said = next(record for record in caplog.records if hasattr(record, "rollout_id"))
    assert said.was == {"steps_total": 9, "steps_done": 1, "last_seq": right.last_seq - 1}
    assert said.now == {"steps_total": right.steps_total, "steps_done": right.steps_done, "last_seq": right.last_seq}
    assert {record.number for record in caplog.records if hasattr(record, "number")} == {"rollouts_count", "sets_count"}
    assert chores.mend_numbers() == 0
    Output.objects.filter(seq=right.last_seq).delete()
    assert chores.mend_numbers() == 1 and equal(rollout).last_seq == right.last_seq - 1


def test_output_that_was_removed_by_its_age_is_no_drift(stage, run):
    rollout = run(promote_stage(actor=SYSTEM, stage=stage))
    Rollout.objects.update(created_at=Now() - timedelta(days=settings.OUTPUT_KEEP_DAYS))
    Output.objects.all().delete()
    assert chores.mend_numbers() == 0 and Rollout.objects.get().last_seq == rollout.last_seq


def test_the_chore_goes_through_all_rollouts_a_slice_at_a_time(stage, run, monkeypatch):
    monkeypatch.setattr("stages.worker.counts.SLICE", 2)
    third = [run(promote_stage(actor=SYSTEM, stage=stage)) for _ in range(5)][2]  # neither of the first slice nor of the newest
    chores._place.pop("numbers", None)
    assert [chores.mend_numbers() for _ in range(2)] == [0, 0]
    Rollout.objects.filter(pk=third.pk).update(steps_total=99)
    assert sum(chores.mend_numbers() for _ in range(4)) == 1


CHILD = """
import os, signal
import django
django.setup()
from stages.worker import executor
from stages.core import journal
from stages.models import Step
rows = journal.Claim.rows.fget
def at_the_count(claim):
    from django.db import connection
    if connection.in_atomic_block and Step.objects.filter(rollout_id=claim.rollout_id, state="succeeded").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return rows(claim)
journal.Claim.rows = property(at_the_count)
executor.run({pk})
"""


def test_a_worker_process_that_is_killed_between_the_step_and_its_count(stage, tmp_path):
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    env = {**os.environ, "DATABASE_URL": database_url(), "SECRET_KEY": settings.SECRET_KEY, "GS2ADMIN_DATA_DIR": str(tmp_path),
           "DJANGO_SETTINGS_MODULE": "gs2admin.settings"}
    child = subprocess.run([sys.executable, "-c", CHILD.format(pk=rollout.pk)], cwd=settings.BASE_DIR, env=env, timeout=60)
    assert child.returncode == -signal.SIGKILL
    assert equal(rollout).steps_done == 0 and Step.objects.filter(rollout=rollout, state="running").count() == 1
    ended = taken_over(rollout)
    assert ended.state == "succeeded" and ended.steps_done == ended.steps_total == 6
    assert Stage.objects.get(pk=stage.pk).current_set_id == ended.to_set_id
