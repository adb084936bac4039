"""A deployment by SourceDeploy from its start to its end: approvals, canaries, reports, and who may."""
from __future__ import annotations

import pytest

from gs2admin.identity.actors import SYSTEM
from stages.approval.services import save_rule
from stages.gates.services import stop_promotions
from stages.models import CanaryReport, Rollout, Scenario, Stage
from stages.setup.versions import register_version
from stages.worker import executor
from tests.published.conftest import SERVER, T0, asm_error, ok, sd_error
from tests.published.test_actions import SPEC

pytestmark = pytest.mark.django_db
MANUAL = {"strategy": "canary", "canaryConfig": {"analysisType": "manual", "canaryCount": 2, "timeout": 30}}


def test_a_deployment_from_its_start_to_its_end(admin, base, ready):
    scenario, stage = ready()
    started = ok(admin.sd("POST", scenario + "/deploy"))
    assert list(started) == ["historyId"] and isinstance(started["historyId"], int)
    history = f"{base}/history/{started['historyId']}"
    assert ok(admin.sd("GET", history))["status"] == "waiting"
    row = Rollout.objects.get(number=started["historyId"])
    assert (row.protocol, row.scenario.name, row.rollback) == ("sourcedeploy", "usual", True)
    executor.run(row.pk)
    found = ok(admin.sd("GET", history))
    assert (found["status"], found["scenario"]["name"], found["executor"]) == ("success", "usual", "as-admin")
    target = found["config"][0]["targets"][0]
    assert (target["server"], target["status"]) == ({"no": 0, "name": "typed"}, "success")
    stage.refresh_from_db()
    assert stage.current_set.versions == {"auth": "1.2.0"}
    sd_error(admin.sd("POST", history + "/cancel"), 400, "100")


def test_a_request_waits_for_somebody_else_and_is_then_deployed(caller, admin, base, ready):
    scenario, stage = ready()
    number = ok(admin.sd("POST", scenario + "/deploy/request"))["historyId"]
    history = f"{base}/history/{number}"
    found = ok(admin.sd("GET", history))
    assert (found["status"], found["config"][0]["targets"]) == ("pending", [])
    assert "yourself" in sd_error(admin.sd("POST", history + "/approval/accept"), 401, "210")
    sd_error(caller("viewer").sd("POST", history + "/approval/accept"), 401, "210")
    details = sd_error(admin.sd("POST", scenario + "/deploy/request"), 400, "100")
    assert f"ollout {number}" in details
    assert ok(caller("producer").sd("POST", history + "/approval/accept")) == {"result": True}
    assert ok(admin.sd("GET", history))["status"] == "waiting"
    sd_error(caller("producer").sd("POST", history + "/approval/accept"), 400, "100")
    executor.run(Rollout.objects.get(number=number).pk)
    assert ok(admin.sd("GET", history))["status"] == "success"


def test_a_request_is_refused_or_taken_back(caller, admin, base, ready):
    scenario, _ = ready()
    first = f"{base}/history/{ok(admin.sd('POST', scenario + '/deploy/request'))['historyId']}"
    assert ok(caller("producer").sd("POST", first + "/approval/reject")) == {"result": True}
    found = ok(admin.sd("GET", first))
    assert found["status"] == "reject" and "endTime" in found and found["config"][0]["targets"] == []
    second = f"{base}/history/{ok(admin.sd('POST', scenario + '/deploy/request'))['historyId']}"
    assert ok(admin.sd("POST", second + "/cancel")) == {"result": True}
    assert ok(admin.sd("GET", second))["status"] == "canceled"


def test_a_rule_of_the_stage_holds_a_plain_deploy_too_and_keeps_releases_away(caller, admin, base, ready, project):
    scenario, stage = ready()
    save_rule(actor=SYSTEM, stage=stage, needed=1, roles=["producer"])
    number = ok(admin.sd("POST", scenario + "/deploy"))["historyId"]
    assert ok(admin.sd("GET", f"{base}/history/{number}"))["status"] == "pending"
    body = {"metadata": {"name": "auth-next"}, "spec": SPEC}
    assert "approval" in asm_error(admin.asm("POST", "/isles/namespaces/typed/releases", body), 409, "01010003")


def test_a_stop_is_refused_in_each_protocols_way(admin, base, ready, project):
    scenario, stage = ready()
    stop_promotions(actor=SYSTEM, project=project, stage=stage, reason="incident 7")
    assert "incident 7" in sd_error(admin.sd("POST", scenario + "/deploy"), 400, "100")
    body = {"metadata": {"name": "auth-next"}, "spec": SPEC}
    assert "incident 7" in asm_error(admin.asm("POST", "/isles/namespaces/typed/releases", body), 409, "01010003")
    assert not Rollout.objects.exists()


def test_a_canary_is_accepted_and_another_one_rejected(admin, base, ready, project):
    scenario, stage = ready("KubernetesService", MANUAL)
    for version, way, ends in (("1.2.0", "accept", "success"), ("1.3.0", "reject", "canary_reject")):
        register_version(actor=SYSTEM, project=project, microservice="auth", version=version)
        number = ok(admin.sd("POST", scenario + "/deploy"))["historyId"]
        history = f"{base}/history/{number}"
        row = Rollout.objects.get(number=number)
        executor.run(row.pk)
        assert ok(admin.sd("GET", history))["status"] == "canary_pending"
        assert ok(admin.sd("GET", history))["config"]["targets"]["step"] == {"pre": "inprogress"}
        assert ok(admin.sd("POST", f"{history}/canary/{way}")) == {"result": True}
        executor.run(row.pk)
        assert ok(admin.sd("GET", history))["status"] == ends
    stage.refresh_from_db()
    assert stage.current_set.versions == {"auth": "1.2.0"}


def test_a_scenario_that_is_gone_or_of_another_stage_deploys_nothing(admin, base, ready, typed):
    scenario, _ = ready()
    other = typed("Server", "other")
    number = scenario.rpartition("/")[2]
    sd_error(admin.sd("POST", f"{other}/scenario/{number}/deploy"), 404, "300")
    ok(admin.sd("DELETE", scenario))
    sd_error(admin.sd("POST", scenario + "/deploy"), 404, "300")
    assert not Rollout.objects.exists()


def test_a_removed_or_renamed_scenario_is_named_in_the_history_as_it_was(admin, base, ready):
    scenario, _ = ready()
    number = ok(admin.sd("POST", scenario + "/deploy"))["historyId"]
    executor.run(Rollout.objects.get(number=number).pk)
    before = ok(admin.sd("GET", f"{base}/history/{number}"))
    ok(admin.sd("DELETE", scenario))
    assert ok(admin.sd("GET", f"{base}/history/{number}")) == before


def test_the_reports_of_an_analysis(admin, base, record, stage):
    from datetime import timedelta

    row = record(stage, "canary_analyzing", strategy="canary")
    for number in (1, 2):
        CanaryReport.objects.create(
            rollout=row, number=number, began_at=T0 + timedelta(minutes=number - 1), ended_at=T0 + timedelta(minutes=number),
            passed=number == 1, score=100 if number == 1 else 66.7, pass_score=80, step_s=15,
            metrics=[{"name": "errors", "weight": 3, "passed": number == 1, "value": 1.5, "threshold": 0, "deviation": 2.5,
                      "base": {"count": 4, "avg": 1, "max": 2, "min": 0.5}, "canary": {"count": 4, "avg": 1.5, "max": 2, "min": 1}},
                     {"name": "players", "weight": 1, "passed": True, "deviation": None, "base": None,
                      "canary": {"count": 0, "avg": float(10**400 > 1), "max": None, "min": None}}],
        )  # fmt: skip
    history = f"{base}/history/{row.number}"
    ends = ok(admin.sd("GET", history + "/report"))["stageList"]
    start = int(T0.timestamp() * 1000)
    assert ends == [start + 60_000, start + 120_000]
    found = ok(admin.sd("GET", f"{history}/report/{ends[1]}"))
    assert list(found) == ["status", "score", "passScore", "start", "end", "step", "metricList"]
    assert (found["status"], found["score"], found["passScore"], found["step"]) == ("fail", 66.7, 80, 15)
    errors, players = found["metricList"]
    assert list(errors) == ["metricId", "metricName", "weight", "elementList"] and errors["weight"] == 3
    element = errors["elementList"][0]
    assert list(element) == ["name", "element", "deviation", "status", "base", "canary"]
    assert element["canary"] == {"start": start + 60_000, "end": start + 120_000, "count": 4, "avg": 1.5, "max": 2, "min": 1}
    assert players["elementList"][0]["base"]["count"] == 0
    for wrong in (start, ends[0] + 1, 0, "x"):
        sd_error(admin.sd("GET", f"{history}/report/{wrong}"), 404, "300")


def test_who_may_not_change_is_told_so(caller, base, ready, stage):
    scenario, _ = ready()
    for who in ("viewer", "support"):
        sd_error(caller(who).sd("POST", scenario + "/deploy"), 401, "210")
    for who in ("viewer", "support", "service", "developer"):
        one = caller(who)
        sd_error(one.sd("POST", base + "/stage", {"name": "x", "type": "Server", "config": {"serverNo": []}}), 401, "210")
        sd_error(one.sd("PATCH", f"{base}/stage/{stage.pk}", {"name": "x"}), 401, "210")
        sd_error(one.sd("DELETE", f"{base}/stage/{stage.pk}"), 401, "210")
        sd_error(one.sd("POST", f"{base}/stage/{stage.pk}/scenario", {"name": "x", "config": SERVER}), 401, "210")
        sd_error(one.sd("PATCH", scenario, {"description": "x"}), 401, "210")
        sd_error(one.sd("DELETE", scenario), 401, "210")
        assert ok(one.sd("GET", scenario))["name"] == "usual"
    assert Stage.objects.count() == 2 and Scenario.objects.count() == 1
