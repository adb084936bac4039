"""Canaries that metrics judge: reports, missing data, what cannot be read, and what people may do meanwhile."""
from __future__ import annotations

import sys
from datetime import timedelta
from html import unescape

import pytest
from django.urls import reverse

from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from stages.canary.services import accept_canary, advance_canary, reject_canary
from stages.models import CanaryReport
from stages.pages.rollout_sentence import current_sentence
from stages.rollouts.services import cancel_rollout
from stages.worker import context, metrics
from stages.worker.chores import move_canaries
from tests.stages.canaries import METRIC, auto, now, pass_time
from tests.stages.metric_answers import answer as metric_answer

pytestmark = pytest.mark.django_db


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
