"""SourceDeploy beside the history: projects, stages and scenarios, and everything that is refused of them."""
from __future__ import annotations

import json

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import NotFound
from gs2admin.identity.actors import SYSTEM
from stages.models import Scenario, Stage
from stages.setup.stage_types import update_typed_stage
from stages.setup.stages import delete_stage, set_targets
from tests.published.conftest import SERVER, ok, sd_error

pytestmark = pytest.mark.django_db
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
    from stages.setup.stages import create_stage

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


def test_a_stage_that_was_deleted_meanwhile_is_not_changed(project, stage):
    delete_stage(actor=SYSTEM, stage=stage)
    with pytest.raises(NotFound):
        update_typed_stage(actor=SYSTEM, stage=stage, config={"serverNo": [1]})
    stage.refresh_from_db()
    assert stage.config == {}
