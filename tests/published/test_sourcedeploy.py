"""SourceDeploy beside the history: projects, stages, scenarios, and a deployment from its start to its end."""
from __future__ import annotations

import json

import pytest

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.models import CanaryReport, Rollout, Scenario, Stage
from stages.rollout import executor
from stages.services import register_version, save_rule, set_targets, stop_line
from tests.published.conftest import T0, asm_error, sd_error
from tests.published.test_actions import SPEC

pytestmark = pytest.mark.django_db
SERVER = {"strategy": "normal", "rollback": True, "file": {"type": "later"}}
MANUAL = {"strategy": "canary", "canaryConfig": {"analysisType": "manual", "canaryCount": 2, "timeout": 30}}
AUTO = {
    "strategy": "canary",
    "manifest": {"type": "SourceCommit", "repository": "game", "branch": "main", "path": ["deploy/auth.yaml"]},
    "canaryConfig": {
        "analysisType": "auto", "canaryCount": 1, "prometheus": "https://metrics.example.com", "passScore": 90,
        "env": {"baseline": "base-pods", "canary": "canary-pods"},
        "metrics": [
            {"name": "errors", "successCriteria": "base", "queryType": "promQL", "query": 'rate(errors{app="${env}"}[1m])', "weight": 3},
            {"name": "players", "successCriteria": "canary", "queryType": "default", "metric": "players", "filter": 'app="${env}"'},
        ],
        "analysisConfig": {"duration": 20, "delay": 1, "interval": 5, "step": 15},
    },
}  # fmt: skip


def ok(answer) -> dict:
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


@pytest.fixture
def admin(caller):
    return caller("admin")


@pytest.fixture
def base(project) -> str:
    return f"/project/{project.pk}"


@pytest.fixture
def typed(admin, base):
    """typed(type) is the address of a new stage of that type."""
    configs = {
        "Server": {"serverNo": []}, "AutoScalingGroup": {"autoScalingGroupNo": 31}, "KubernetesService": {"clusterNo": 5},
        "ObjectStorage": {"bucketName": "game"},
    }  # fmt: skip

    def act(kind: str, name: str = "typed") -> str:
        made = ok(admin.sd("POST", base + "/stage", {"name": name, "type": kind, "config": configs[kind]}))
        assert list(made) == ["id", "name"] and made["name"] == name
        return f"{base}/stage/{made['id']}"

    return act


def test_a_caller_sees_its_project_and_makes_or_removes_none(admin, project, base):
    named = {"id": project.pk, "name": "isles"}
    assert ok(admin.sd("GET", "/project")) == {"projectList": [named]}
    assert ok(admin.sd("GET", "/project?projectName=sle")) == {"projectList": [named]}
    assert ok(admin.sd("GET", "/project?projectName=other")) == {"projectList": []}
    assert ok(admin.sd("GET", "/project?pageNo=2")) == {"projectList": []}
    sd_error(admin.sd("POST", "/project", {"name": "second"}), 401, "210")
    sd_error(admin.sd("DELETE", base), 401, "210")


@pytest.mark.parametrize("kind, detail", [
    ("Server", {"serverNo": [], "serverName": []}),
    ("AutoScalingGroup", {"autoScalingGroupNo": 31, "autoScalingGroupName": "typed"}),
    ("KubernetesService", {"clusterNo": 5, "clusterName": "typed"}), ("ObjectStorage", {"bucketName": "game"}),
])  # fmt: skip
def test_a_stage_of_each_type(admin, base, project, typed, kind, detail):
    path = typed(kind)
    found = ok(admin.sd("GET", path))
    assert list(found) == ["project", "id", "name", "type", "config"]
    assert (found["project"], found["type"], found["config"]) == ({"id": project.pk, "name": "isles"}, kind, detail)
    assert ok(admin.sd("GET", base + "/stage")) == {"project": found["project"], "stageList": [{"id": found["id"], "name": "typed"}]}
    assert ok(admin.sd("GET", base + "/stage?stageName=zzz"))["stageList"] == []
    assert ok(admin.sd("PATCH", path, {"name": "renamed"})) == {"id": found["id"], "name": "renamed"}
    assert ok(admin.sd("GET", path))["name"] == "renamed"
    sd_error(admin.sd("PATCH", path, {"type": "Server" if kind != "Server" else "ObjectStorage"}), 400, "100")
    assert ok(admin.sd("DELETE", path)) == {"result": True}
    sd_error(admin.sd("GET", path), 404, "300")
    assert Activity.objects.filter(action__in=["stage.create", "stage.update", "stage.delete"]).count() == 3


def test_servers_are_targets_and_a_stage_can_be_placed_on_those_of_another(admin, base, stage):
    set_targets(actor=SYSTEM, stage=stage, targets=[
        {"name": name, "kind": "http", "config": {"deploy": {"url": f"https://{name}.example.com/"}}} for name in ("east", "west")
    ])  # fmt: skip
    servers = ok(admin.sd("GET", "/server"))["serverList"]
    assert [server["name"] for server in servers] == ["east", "west"]
    wanted = [server["serverNo"] for server in servers]
    made = ok(admin.sd("POST", base + "/stage", {"name": "second", "type": "Server", "config": {"serverNo": wanted[::-1]}}))
    detail = ok(admin.sd("GET", f"{base}/stage/{made['id']}"))
    assert detail["config"]["serverName"] == ["west", "east"] and not set(detail["config"]["serverNo"]) & set(wanted)
    assert Stage.objects.get(name="second").targets.get(name="east").config == stage.targets.get(name="east").config
    ok(admin.sd("PATCH", f"{base}/stage/{made['id']}", {"config": {"serverNo": wanted[:1]}}))
    assert ok(admin.sd("GET", f"{base}/stage/{made['id']}"))["config"]["serverName"] == ["east"]
    refused = sd_error(admin.sd("POST", base + "/stage", {"name": "third", "type": "Server", "config": {"serverNo": [999]}}), 400, "100")
    assert "999" in refused and not Stage.objects.filter(name="third").exists()


def test_foreign_servers_do_not_exist(admin, base, foreign, other_project):
    from stages.services import create_stage

    theirs = create_stage(actor=SYSTEM, project=other_project, name="theirs")
    target = set_targets(actor=SYSTEM, stage=theirs, targets=[
        {"name": "secret", "kind": "http", "config": {"deploy": {"url": "https://x.example.com/"}}}])[0]  # fmt: skip
    sd_error(admin.sd("POST", base + "/stage", {"name": "spy", "type": "Server", "config": {"serverNo": [target.pk]}}), 400, "100")
    assert ok(admin.sd("GET", "/server")) == {"serverList": []}


BAD_STAGES = [
    {}, {"name": "a"}, {"name": "a", "type": "Server"}, {"name": "", "type": "Server", "config": {"serverNo": []}},
    {"name": "a b", "type": "Server", "config": {"serverNo": []}}, {"name": "a" * 101, "type": "Server", "config": {"serverNo": []}},
    {"name": "null", "type": "Server", "config": {"serverNo": []}}, {"name": 7, "type": "Server", "config": {"serverNo": []}},
    {"name": "a", "type": "Kuberneteservice", "config": {"clusterNo": 1}}, {"name": "a", "type": "KubernetesService", "config": {}},
    {"name": "a", "type": "Server", "config": {"serverNo": ["1"]}}, {"name": "a", "type": "Server", "config": {"serverNo": [True]}},
    {"name": "a", "type": "Server", "config": {"serverNo": 5}}, {"name": "a", "type": "Server", "config": []},
    {"name": "a", "type": "ObjectStorage", "config": {"bucketName": " "}}, {"name": "a\n", "type": "Server", "config": {"serverNo": []}},
    {"name": "a", "type": "AutoScalingGroup", "config": {"autoScalingGroupNo": 10**30}}, {"name": "a", "type": [], "config": {}},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_STAGES, ids=range(len(BAD_STAGES)))
def test_a_bad_stage_is_none(admin, base, body):
    sd_error(admin.sd("POST", base + "/stage", body), 400, "100")
    assert not Stage.objects.exists()


def test_a_name_that_is_taken(admin, base, stage):
    details = sd_error(admin.sd("POST", base + "/stage", {"name": "live", "type": "Server", "config": {"serverNo": []}}), 400, "100")
    assert "live already" in details


GOOD = {
    "Server": {**SERVER, "sequence": False, "cmd": {"pre": [{"user": "game", "cmd": "demo-step"}], "post": []}},
    "AutoScalingGroup": {**SERVER, "strategy": "blueGreen", "loadBalancer": {"loadBalancerTargetGroupNo": 3, "deleteServer": True}},
    "KubernetesService": AUTO,
    "ObjectStorage": {"file": {"type": "ObjectStorage", "ObjectStorage": {"bucket": "b", "object": "build/game.zip"}},
                      "path": [{"sourcePath": "/", "deployPath": "/game"}]},
}  # fmt: skip


@pytest.mark.parametrize("kind", GOOD)
def test_a_scenario_of_each_type(admin, typed, kind, settings):
    settings.STEP_COMMANDS = {"demo-step": "/bin/true"}
    path = typed(kind)
    sent = {"name": "usual", "description": "as always", "config": {**GOOD[kind], "unheardOf": 1}}
    made = ok(admin.sd("POST", path + "/scenario", sent))
    assert list(made) == ["id", "name"]
    found = ok(admin.sd("GET", f"{path}/scenario/{made['id']}"))
    assert list(found) == ["project", "stage", "id", "name", "description", "type", "config"]
    assert (found["name"], found["description"], found["type"], found["config"]) == ("usual", "as always", kind, GOOD[kind])
    listed = ok(admin.sd("GET", path + "/scenario"))
    assert list(listed) == ["project", "stage", "scenarioList"] and listed["scenarioList"] == [made]
    assert ok(admin.sd("PATCH", f"{path}/scenario/{made['id']}", {"description": "new"})) == made
    again = ok(admin.sd("GET", f"{path}/scenario/{made['id']}"))
    assert (again["description"], again["config"]) == ("new", GOOD[kind])
    sd_error(admin.sd("POST", path + "/scenario", sent), 400, "100")
    assert ok(admin.sd("DELETE", f"{path}/scenario/{made['id']}")) == {"result": True}
    sd_error(admin.sd("GET", f"{path}/scenario/{made['id']}"), 404, "300")


def test_what_a_config_means_here(admin, typed, settings):
    settings.STEP_COMMANDS = {"demo-step": "/bin/true"}
    for kind in GOOD:
        ok(admin.sd("POST", typed(kind, kind) + "/scenario", {"name": "usual", "config": GOOD[kind]}))
    rows = {row.stage.name: row for row in Scenario.objects.select_related("stage")}
    server = rows["Server"]
    assert (server.strategy, server.sequence, server.rollback) == ("normal", False, True)
    assert server.commands["pre"][0]["kind"] == "command" and server.commands["pre"][0]["config"]["command"] == "demo-step"
    assert rows["AutoScalingGroup"].strategy == "blueGreen" and rows["AutoScalingGroup"].sequence is True
    plan = rows["KubernetesService"].canary
    assert (plan["analysis"], plan["delay_s"], plan["duration_s"], plan["interval_s"], plan["step_s"], plan["pass_score"]) == (
        "auto", 60, 1200, 300, 15, 90,
    )  # fmt: skip
    errors, players = plan["metrics"]
    assert errors["query"] == 'rate(errors{app="canary-pods"}[1m])' and errors["base"] == 'rate(errors{app="base-pods"}[1m])'
    assert (errors["better"], errors["weight"], players["better"]) == ("lower", 3, "higher")
    assert players["query"] == 'players{app="canary-pods"}'
    ok(admin.sd("POST", typed("KubernetesService", "k2") + "/scenario", {"name": "m", "config": MANUAL}))
    plan = Scenario.objects.get(name="m").canary
    assert (plan["analysis"], plan["time_limit_s"]) == ("manual", 1800)


def without(config: dict, *way: str) -> dict:
    made = json.loads(json.dumps(config))
    at = made
    for key in way[:-1]:
        at = at[int(key)] if key.isdigit() else at[key]
    del at[way[-1]]
    return made


def with_(config: dict, value, *way: str) -> dict:
    made = json.loads(json.dumps(config))
    at = made
    for key in way[:-1]:
        at = at[int(key)] if key.isdigit() else at[key]
    at[way[-1]] = value
    return made


CANARY = ("canaryConfig",)
BAD_CONFIGS = [
    ("Server", {}), ("Server", without(SERVER, "strategy")), ("Server", without(SERVER, "rollback")), ("Server", without(SERVER, "file")),
    ("Server", with_(SERVER, "blueGreen", "strategy")), ("Server", with_(SERVER, "canary", "strategy")),
    ("Server", with_(SERVER, "yes", "rollback")), ("Server", with_(SERVER, 1, "sequence")),
    ("Server", with_(SERVER, {"type": "ObjectStorage"}, "file")), ("Server", with_(SERVER, {"type": "SourceBuild"}, "file")),
    ("Server", with_(SERVER, {"type": "Git"}, "file")), ("Server", with_(SERVER, {"pre": [{"user": "", "cmd": "x"}]}, "cmd")),
    ("Server", with_(SERVER, {"pre": [{"user": "u", "cmd": "rm -rf /"}]}, "cmd")), ("Server", with_(SERVER, {"pre": "x"}, "cmd")),
    ("AutoScalingGroup", with_(SERVER, "blueGreen", "strategy")), ("AutoScalingGroup", with_(SERVER, "rolling", "strategy")),
    ("KubernetesService", {"strategy": "canary"}), ("KubernetesService", without(MANUAL, "canaryConfig", "timeout")),
    ("KubernetesService", with_(MANUAL, 361, *CANARY, "timeout")), ("KubernetesService", with_(MANUAL, 0, *CANARY, "canaryCount")),
    ("KubernetesService", with_(MANUAL, 11, *CANARY, "canaryCount")), ("KubernetesService", without(AUTO, *CANARY, "prometheus")),
    ("KubernetesService", without(AUTO, *CANARY, "passScore")), ("KubernetesService", with_(AUTO, 101, *CANARY, "passScore")),
    ("KubernetesService", with_(AUTO, 9, *CANARY, "analysisConfig", "duration")),
    ("KubernetesService", with_(AUTO, 361, *CANARY, "analysisConfig", "step")),
    ("KubernetesService", with_(AUTO, "ftp://x", *CANARY, "prometheus")), ("KubernetesService", with_(AUTO, [], *CANARY, "metrics")),
    ("KubernetesService", without(AUTO, *CANARY, "metrics", "0", "query")), ("KubernetesService", without(AUTO, *CANARY, "metrics", "1", "filter")),
    ("KubernetesService", with_(AUTO, "x" * 65, *CANARY, "env", "canary")), ("KubernetesService", with_(AUTO, [""], "manifest", "path")),
    ("ObjectStorage", {}), ("ObjectStorage", {"file": {"type": "later"}, "path": []}),
    ("ObjectStorage", {"file": {"type": "later"}, "path": [{"sourcePath": "x"}]}),
]  # fmt: skip


@pytest.mark.parametrize("kind, config", BAD_CONFIGS, ids=range(len(BAD_CONFIGS)))
def test_a_bad_config_makes_no_scenario(admin, typed, kind, config, settings):
    settings.STEP_COMMANDS = {"demo-step": "/bin/true"}
    path = typed(kind)
    details = sd_error(admin.sd("POST", path + "/scenario", {"name": "s", "config": config}), 400, "100")
    assert details.endswith(".") and not Scenario.objects.exists()


@pytest.mark.parametrize("body", [
    {"config": SERVER}, {"name": "s"}, {"name": "s", "config": None}, {"name": "s", "config": "x"}, {"name": "a b", "config": SERVER},
    {"name": "s", "description": "d" * 501, "config": SERVER}, {"name": "s", "description": 5, "config": SERVER},
])  # fmt: skip
def test_a_bad_scenario_is_none(admin, typed, body):
    sd_error(admin.sd("POST", typed("Server") + "/scenario", body), 400, "100")
    assert not Scenario.objects.exists()


@pytest.fixture
def ready(admin, typed, project):
    """(address of a scenario, its stage) with something to deploy."""

    def act(kind: str = "Server", config: dict | None = None) -> tuple[str, Stage]:
        path = typed(kind)
        made = ok(admin.sd("POST", path + "/scenario", {"name": "usual", "config": config or SERVER}))
        register_version(actor=SYSTEM, project=project, microservice="auth", version="1.2.0")
        return f"{path}/scenario/{made['id']}", Stage.objects.get(name="typed")

    return act


def test_a_deployment_from_its_start_to_its_end(admin, base, ready):
    scenario, stage = ready()
    started = ok(admin.sd("POST", scenario + "/deploy"))
    assert list(started) == ["historyId"] and isinstance(started["historyId"], int)
    history = f"{base}/history/{started['historyId']}"
    assert ok(admin.sd("GET", history))["status"] == "waiting"
    row = Rollout.objects.get(number=started["historyId"])
    assert (row.family, row.scenario.name, row.rollback) == ("sourcedeploy", "usual", True)
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


def test_a_stopped_line_is_told_in_each_familys_way(admin, base, ready, project):
    scenario, stage = ready()
    stop_line(actor=SYSTEM, project=project, stage=stage, reason="incident 7")
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
