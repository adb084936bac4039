"""Canaries: up, weights, people's decisions, the clock's, the metrics', and every way out."""
from __future__ import annotations

import sys
from datetime import timedelta
from html import unescape

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.urls import reverse

from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM
from stages.api.sourcedeploy.target_states import target_states
from stages.canary.services import accept_canary, advance_canary, reject_canary, set_weight
from stages.core.status import status_of
from stages.models import CanaryReport, Leftover, Rollout, RolloutCanary, Stage
from stages.pages.rollout_sentence import current_sentence
from stages.rollouts.services import cancel_rollout, promote_stage
from stages.setup.scenarios import create_scenario
from stages.worker import context, metrics
from stages.worker.chores import move_canaries, wake_lost_rollouts
from tests.stages.kinds import breaks, fails, scenario
from tests.stages.metric_answers import answer as metric_answer
from tests.stages.prometheus import Prometheus

pytestmark = pytest.mark.django_db
PHASES = ("pre", "canary", "deploy", "post")


@pytest.fixture
def prometheus(settings, monkeypatch):
    settings.STEP_HTTP_ALLOW = ["127.0.0.1"]
    monkeypatch.setattr(metrics, "PAUSE_S", 0.01)
    server = Prometheus()
    yield server
    server.close()


@pytest.fixture
def up(stage, run):
    """up(canary plan) promotes until the canary is up."""

    def act(phases=PHASES, targets=("a",), rollback=False, **plan):
        scenario(stage, targets=targets, phases=phases, strategy="canary", canary=plan, rollback=rollback)
        return run(promote_stage(actor=SYSTEM, stage=stage))

    return act


def pass_time(rollout: Rollout, seconds: float) -> None:
    """Let the rollout's clocks be `seconds` later."""
    back = timedelta(seconds=seconds)
    Rollout.objects.filter(pk=rollout.pk).update(woken_at=F("woken_at") - back)
    RolloutCanary.objects.filter(pk=rollout.pk).update(
        **{name: F(name) - back for name in ("wake_at", "weight_until", "hold_until", "analysis_began_at")}
    )


def now(rollout: Rollout) -> Rollout:
    return Rollout.objects.get(pk=rollout.pk)


def status(rollout: Rollout) -> str:
    row = now(rollout)
    return target_states(row.state, True, row.targets.all(), row.steps.all(), started=True)[0].status


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


METRIC = {"name": "errors", "query": "errors", "threshold": 0.01}


def auto(prometheus, **more):
    return {
        "analysis": "auto", "url": prometheus.url, "metrics": [METRIC], "delay_s": 30, "duration_s": 120, "interval_s": 60,
        "pass_score": 50, **more,
    }


def test_good_metrics_give_one_report_per_interval_and_accept(stage, kind, up, run, prometheus, rings, pins):
    prometheus.values["errors"] = [0.0, 0.004, 0.005]
    rollout = up(**auto(prometheus))
    assert (rollout.state, rollout.lease_until) == ("canary_analyzing", None)
    began = rollout.canary.analysis_began_at
    assert move_canaries() == 0 and run(rollout).state == "canary_analyzing" and not prometheus.asked, "not yet"
    for count in (1, 2):
        rings.clear()
        pass_time(rollout, 91 if count == 1 else 60)
        assert move_canaries() == 1 and move_canaries() == 0, "one ring"
        assert rings == [("stages.worker.tasks.run_rollout", rollout.pk)]
        ended = run(rollout)
        assert rollout.reports.count() == count
    assert ended.state == "succeeded" and pins(stage)["auth"] == "1"
    first, second = rollout.reports.all()
    assert (first.passed, first.score, first.pass_score, first.step_s) == (True, 100.0, 50.0, 15)
    assert (second.ended_at - second.began_at) == timedelta(seconds=60) and first.began_at < began
    assert first.metrics[0]["canary"] == {"count": 3, "avg": pytest.approx(0.003), "max": 0.005, "min": 0.0}
    path, words = prometheus.asked[0]
    assert path == "/api/v1/query_range" and words["step"] == "15" and words["query"] == "errors"
    assert float(words["end"]) - float(words["start"]) == pytest.approx(60)


def test_a_low_score_withdraws_as_soon_as_it_cannot_pass_any_more(stage, kind, up, run, prometheus):
    prometheus.values["errors"] = 0.5
    rollout = up(**auto(prometheus, pass_score=60))
    pass_time(rollout, 91)
    ended = run(rollout)
    assert (ended.state, ended.cause, ended.consistent) == ("canary_rejected", "score", True)
    assert rollout.reports.get().metrics[0]["passed"] is False


def test_metrics_against_a_base_and_by_weight(stage, up, run, prometheus):
    several = [
        {"name": "latency", "query": "gray", "base": "old", "threshold": 10, "weight": 3},
        {"name": "sales", "query": "sold", "better": "higher", "threshold": 5},
    ]
    prometheus.values |= {"gray": 109, "old": 100, "sold": 4}
    rollout = up(**auto(prometheus, metrics=several, pass_score=75))
    pass_time(rollout, 91)
    run(rollout)
    report = rollout.reports.get()
    assert (report.score, report.passed) == (75.0, True)
    assert [(m["passed"], m["deviation"]) for m in report.metrics] == [(True, 9.0), (False, 0.0)]


@pytest.mark.parametrize(("given", "why"), [
    (None, "errors: the query has no series"),
    (["0.001", "NaN"], "errors: 1 of 2 values is NaN"),
    (b'{"status": "success", "data": {"resultType": "matrix", "result": []}, "warnings": ["store a is away"]}',
     "errors: the server warns: store a is away"),
])
def test_data_that_is_missing_for_long_is_the_reason_of_the_end(stage, up, run, prometheus, texts, given, why):
    prometheus.values["errors"] = given
    rollout = up(**auto(prometheus))
    pass_time(rollout, 91)
    assert run(rollout).state == "canary_analyzing", "it may come late"
    look = now(rollout).canary.look
    assert (look["number"], why in look["why"], why in f"errors: {look['metrics'][0]['problem']}") == (1, True, True)
    assert look["metrics"][0]["raw"]["canary"].startswith('{"status"')
    assert now(rollout).canary.wake_at > now(rollout).canary.analysis_began_at and not CanaryReport.objects.exists()
    assert len(told := [text for text in texts(rollout) if "not made yet" in text]) == 1 and why in told[0]
    pass_time(rollout, 20)
    run(rollout)
    assert len([text for text in texts(rollout) if "not made yet" in text]) == 1, "the same reason is not said again"
    pass_time(rollout, 100)
    ended = run(rollout)
    assert (ended.state, ended.cause) == ("canary_timeout", "timeout") and not CanaryReport.objects.exists()
    assert ended.error.startswith(f"The data of report 1 of 2 is missing: {why}") and "time" not in ended.error
    assert texts(ended)[-1] == f"The canary is withdrawn. {ended.error} The pins did not move."
    assert current_sentence(ended, []) == "Canary withdrawn; the pinned versions did not move"


def test_data_that_comes_late_is_judged(stage, up, run, prometheus):
    rollout = up(**auto(prometheus))
    pass_time(rollout, 91)
    run(rollout)
    assert now(rollout).canary.look
    prometheus.values["errors"] = ["0.01", "+Inf", "+Inf"]
    pass_time(rollout, 11)
    run(rollout)
    report = rollout.reports.get()
    assert now(rollout).canary.look is None and report.score == 0
    assert float(report.metrics[0]["value"]) == sys.float_info.max and "+Inf" in report.metrics[0]["raw"]["canary"]


def test_the_page_shows_what_was_judged_and_the_answers_as_they_came(stage, up, run, prometheus, client, producer):
    several = [METRIC, {"name": "latency", "query": "gray", "base": "old", "threshold": 10, "series": "worst"},
               {"name": "sales", "query": "sold", "better": "higher", "threshold": 5}]
    gray = metric_answer(["100"], ["300"]).body
    prometheus.values |= {"errors": ["0.001", "+Inf"], "gray": gray, "old": 100, "sold": ["9"] * 5}
    rollout = up(**auto(prometheus, metrics=several, pass_score=30))
    pass_time(rollout, 91)
    run(rollout)
    client.force_login(producer)
    prometheus.values["sold"] = None
    pass_time(rollout, 60)
    run(rollout)
    answer = client.get(reverse("rollout", kwargs={"project": stage.project.name, "number": rollout.number}))
    page = " ".join(unescape(answer.content.decode()).split()).replace("<code >", "<code>")
    assert "errors <b>+Inf</b>" in page and "at most 0.01; 2 of 5 values" in page
    assert "200 % from 100, 10 % allowed" in page and 'the worst of 2 series, <code>{pod="p1"}</code>' in page
    assert "sales <b>9</b>" in page and "at least 5 </span>" in page.replace("5</span>", "5 </span>")
    assert "Report 2 of 2 is not made yet" in page and "sales: the query has no series" in page
    assert gray.decode() in page and '"+Inf"]]}]}}' in page and "latency, compared with:" in page, "as they came"


@pytest.mark.parametrize("how", ["status", "words", "refused", "private"])
def test_metrics_that_cannot_be_read_err(stage, up, run, prometheus, how, settings):
    rollout = up(**auto(prometheus))
    if how == "status":
        prometheus.status = 503
    elif how == "words":
        prometheus.values["errors"] = b"<html>"
    elif how == "refused":
        prometheus.close()
    else:
        settings.STEP_HTTP_ALLOW = []
    pass_time(rollout, 91)
    ended = run(rollout)
    assert ended.state == "errored" and "metrics can not be read" in ended.error
    assert ended.consistent is False, "the gray part is still there"
    assert now(rollout).canary.look["why"] in ended.error and not CanaryReport.objects.exists()


def test_a_cancel_while_the_metrics_are_asked(stage, up, run, prometheus, monkeypatch):
    rollout = up(**auto(prometheus))
    pass_time(rollout, 91)
    monkeypatch.setattr(context, "LOOK_S", 0.0)
    real = metrics._ask

    def ask(url, tick):
        cancel_rollout(actor=SYSTEM, rollout=rollout)
        tick()
        return real(url, tick)

    monkeypatch.setattr(metrics, "_ask", ask)
    assert run(rollout).state == "canceled"


def test_accept_and_reject_are_refused_while_the_metrics_decide(stage, up, prometheus):
    rollout = up(**auto(prometheus))
    for act in (accept_canary, reject_canary, advance_canary):
        with pytest.raises(Conflict, match="waits for that decision"):
            act(actor=SYSTEM, rollout=rollout)
    cancel_rollout(actor=SYSTEM, rollout=rollout)
    assert now(rollout).state == "canceling"


def test_weights_move_while_the_metrics_decide(stage, up, prometheus, rings):
    rollout = up(**auto(prometheus, weights=[{"percent": 5, "pause_s": 10}, {"percent": 20}]))
    pass_time(rollout, 11)
    rings.clear()
    assert move_canaries() == 1 and now(rollout).gray_weight == 20 and not rings
    row = now(rollout)
    assert row.canary.wake_at == row.canary.analysis_began_at + timedelta(seconds=90)


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
