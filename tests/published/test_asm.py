"""Mesh releases: created, read, updated, led by weight, finished and canceled; and everything that is refused."""
from __future__ import annotations

import copy
import json
import re

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.models import Release, Rollout, Version
from stages.rollouts.services import promote_stage, rollback_stage
from stages.setup.stages import set_targets
from stages.setup.versions import register_version
from stages.worker import executor
from tests.published.conftest import asm_error
from tests.published.test_actions import SPEC

pytestmark = pytest.mark.django_db
ONE = "/isles/namespaces/live/releases"
WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def live(project, stage):
    """The stage `live` with auth 1.1.0 and chat 2.0.0 deployed."""
    for name, version in (("auth", "1.1.0"), ("chat", "2.0.0")):
        register_version(actor=SYSTEM, project=project, microservice=name, version=version)
    executor.run(promote_stage(actor=SYSTEM, stage=stage).pk)
    stage.refresh_from_db()
    return stage


def body(**changes) -> dict:
    made = {"kind": "Release", "apiVersion": "asm/v2", "metadata": {"name": "auth-next"}, "spec": copy.deepcopy(SPEC)}
    for path, value in changes.items():
        at = made
        *way, last = path.split("__")
        for key in way:
            at = at[int(key)] if key.isdigit() else at[key]
        if value is None:
            del at[last]
        else:
            at[last] = value
    return made


def image(text: str) -> dict:
    return {"spec": {"template": {"spec": {"containers": [{"name": "auth", "image": text}]}}}}


def test_a_release_from_its_creation_to_its_end(caller, live):
    admin = caller("service")
    made = admin.asm("POST", ONE, body(metadata__uid="mine", metadata__meshID="isles", metadata__namespace="live"))
    assert made.status_code == 201, made.content
    found = json.loads(made.content)
    uid = found["metadata"]["uid"]
    assert list(found) == ["kind", "apiVersion", "metadata", "spec", "status"] and uid != "mine"
    assert (found["kind"], found["apiVersion"]) == ("Release", "asm/v2")
    assert found["metadata"] == {"meshID": "isles", "name": "auth-next", "uid": uid, "namespace": "live"}
    assert found["spec"] == SPEC and list(found["spec"]) == list(SPEC)
    status = found["status"]
    assert list(status) == ["phase", "startTime", "updateTime", "deployment", "grayDeployments"]
    assert status["phase"] == "Pending" and WHEN.fullmatch(status["startTime"]) and WHEN.fullmatch(status["updateTime"])
    assert status["deployment"]["kind"] == "Deployment" and status["deployment"]["metadata"]["name"] == "auth"

    row = Rollout.objects.get(release__uid=uid)
    assert (row.protocol, row.kind, row.strategy, row.stage, row.requested_by) == ("asm", "release", "canary", live, "as-service")
    assert Version.objects.filter(microservice__name="auth", version="1.2.0").exists()
    executor.run(row.pk)
    read = lambda: json.loads(admin.asm("GET", f"{ONE}/{uid}").content)  # noqa: E731
    assert read()["status"]["phase"] == "Running"
    row.refresh_from_db()
    assert (row.state, row.gray_weight, row.stage.current_set.versions["auth"]) == ("canary_hold", 0, "1.1.0")

    assert admin.asm("PUT", f"{ONE}/{uid}/traffic", {"grayWeight": 30}).status_code == 200
    assert "all the traffic" in asm_error(admin.asm("DELETE", f"{ONE}/{uid}?action=finish"), 400, "01010001")
    assert admin.asm("PUT", f"{ONE}/{uid}/traffic", {"grayWeight": 100}).status_code == 200
    ended = admin.asm("DELETE", f"{ONE}/{uid}?action=finish")
    assert (ended.status_code, ended.content) == (200, b"")
    assert read()["status"]["phase"] == "Finishing"
    executor.run(row.pk)
    live.refresh_from_db()
    assert read()["status"]["phase"] == "Finished" and live.current_set.versions == {"auth": "1.2.0", "chat": "2.0.0"}
    listed = json.loads(admin.asm("GET", "/isles/releases").content)
    assert listed == {"kind": "ReleaseList", "apiVersion": "asm/v2", "items": [read()]}
    for verb, more in (("PUT", ""), ("DELETE", "?action=finish"), ("PUT", "/traffic")):
        asm_error(admin.asm(verb, f"{ONE}/{uid}{more}", {"grayWeight": 1}), 404, "01010002")
    told = json.loads(admin.sd("GET", f"/project/{row.project_id}/history/{row.number}").content)
    assert (told["status"], told["executor"]) == ("success", "as-service")


def test_a_release_is_seen_in_the_browser(caller, live, client, owner):
    uid = json.loads(caller().asm("POST", ONE, body()).content)["metadata"]["uid"]
    row = Rollout.objects.get(release__uid=uid)
    executor.run(row.pk)
    client.force_login(owner)
    for name, more in (("board", {}), ("stage", {"stage": "live"}), ("rollouts", {}), ("rollout", {"number": row.number})):
        page = client.get(reverse(name, kwargs={"project": "isles", **more}))
        assert page.status_code == 200 and "as-service" in page.content.decode(), name
    assert "Release live by as-service" in page.content.decode()
    assert "releases auth 1.2.0 to a part of live first" in " ".join(page.content.decode().split())


def test_canceled_it_leaves_what_was_there_and_can_be_followed_by_another(caller, live):
    admin = caller()
    for turn in (1, 2):
        uid = json.loads(admin.asm("POST", ONE, body()).content)["metadata"]["uid"]
        row = Rollout.objects.get(release__uid=uid)
        executor.run(row.pk)
        assert admin.asm("DELETE", f"{ONE}/{uid}?action=cancel").status_code == 200
        assert json.loads(admin.asm("GET", f"{ONE}/{uid}").content)["status"]["phase"] == "Canceling"
        executor.run(row.pk)
        assert json.loads(admin.asm("GET", f"{ONE}/{uid}").content)["status"]["phase"] == "Canceled"
        live.refresh_from_db()
        assert live.current_set.versions["auth"] == "1.1.0"
        assert len(json.loads(admin.asm("GET", "/isles/releases").content)["items"]) == turn


def test_a_finished_release_is_what_a_rollback_takes_back(caller, live):
    admin = caller()
    uid = json.loads(admin.asm("POST", ONE, body()).content)["metadata"]["uid"]
    row = Rollout.objects.get(release__uid=uid)
    executor.run(row.pk)
    admin.asm("PUT", f"{ONE}/{uid}/traffic", {"grayWeight": 100})
    admin.asm("DELETE", f"{ONE}/{uid}?action=end")
    executor.run(row.pk)
    back = rollback_stage(actor=SYSTEM, stage=live)
    executor.run(back.pk)
    live.refresh_from_db()
    assert back.undoes_id == row.pk and live.current_set.versions == {"auth": "1.1.0", "chat": "2.0.0"}


def test_blue_green_is_all_or_nothing(caller, live):
    admin = caller()
    uid = json.loads(admin.asm("POST", ONE, body(spec__type="blueGreen")).content)["metadata"]["uid"]
    row = Rollout.objects.get(release__uid=uid)
    executor.run(row.pk)
    for weight, status in ((1, 400), (50, 400), (100, 200), (0, 200), (100, 200)):
        assert admin.asm("PUT", f"{ONE}/{uid}/traffic", {"grayWeight": weight}).status_code == status
    assert json.loads(admin.asm("GET", f"{ONE}/{uid}").content)["spec"]["type"] == "blueGreen"
    assert admin.asm("DELETE", f"{ONE}/{uid}?action=finish").status_code == 200
    executor.run(row.pk)
    live.refresh_from_db()
    assert live.current_set.versions["auth"] == "1.2.0"


def test_another_tag_makes_the_gray_version_anew_without_players(caller, live):
    admin = caller()
    uid = json.loads(admin.asm("POST", ONE, body()).content)["metadata"]["uid"]
    row = Rollout.objects.get(release__uid=uid)
    executor.run(row.pk)
    admin.asm("PUT", f"{ONE}/{uid}/traffic", {"grayWeight": 40})
    whole = json.loads(admin.asm("GET", f"{ONE}/{uid}").content)
    whole["spec"]["grayDeployments"][0]["template"]["spec"]["template"]["spec"]["containers"][0]["image"] = "registry:5000/game/auth:1.2.1"
    changed = admin.asm("PUT", f"{ONE}/{uid}", whole)
    assert (changed.status_code, changed.content) == (200, b"")
    executor.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.gray_weight, row.to_set.versions["auth"]) == ("canary_hold", 0, "1.2.1")
    again = json.loads(admin.asm("GET", f"{ONE}/{uid}").content)
    assert again["spec"]["version"] == "1.2.1" and again["spec"]["grayDeployments"] == whole["spec"]["grayDeployments"]
    assert Activity.objects.filter(action="release.update").count() == 1


def test_the_same_again_keeps_the_weight_and_a_label_alone_makes_nothing_anew(caller, live):
    admin = caller()
    uid = json.loads(admin.asm("POST", ONE, body()).content)["metadata"]["uid"]
    row = Rollout.objects.get(release__uid=uid)
    executor.run(row.pk)
    admin.asm("PUT", f"{ONE}/{uid}/traffic", {"grayWeight": 40})
    whole = json.loads(admin.asm("GET", f"{ONE}/{uid}").content)
    lines = Activity.objects.count()
    assert admin.asm("PUT", f"{ONE}/{uid}", whole).status_code == 200 and Activity.objects.count() == lines
    assert admin.asm("PUT", f"{ONE}/{uid}", {"spec": {"version": "summer"}}).status_code == 200
    row.refresh_from_db()
    assert (row.state, row.gray_weight, row.to_set.versions["auth"]) == ("canary_hold", 40, "1.2.0")
    assert json.loads(admin.asm("GET", f"{ONE}/{uid}").content)["spec"]["version"] == "summer"


@pytest.mark.parametrize("change, says", [
    ({"kind": "Deployment"}, "kind"), ({"apiVersion": "v1"}, "apiVersion"), ({"metadata": {"name": "other-name"}}, "metadata.name"),
    ({"metadata": {"meshID": "other"}}, "metadata.meshID"), ({"spec": {"type": "blueGreen"}}, "spec.type"),
    ({"spec": {"serviceName": "chat"}}, "spec.serviceName"), ({"spec": {"grayDeployments": []}}, "grayDeployments"),
    ({"spec": {"grayDeployments": [{"clusterID": "c-2"}]}}, "clusterID"), ({"spec": {"version": 7}}, "spec.version"),
    ({"spec": {"grayDeployments": [{"template": image("other/auth:1.3.0")}]}}, "name of the image"),
    ({"spec": {"grayDeployments": [{"template": image("registry:5000/game/auth")}]}}, "tag"),
    ({"spec": {"grayDeployments": [{"template": {"kind": "Pod"}}]}}, "template.kind"),
    ({"spec": {"grayDeployments": [{"template": {"metadata": {}}}]}}, "template.metadata"),
    ({"spec": {"replicas": 3}}, "spec.replicas"), ({"spec": []}, "spec"), ({"spec": {"version": "x" * 65}}, "spec.version"),
])  # fmt: skip
def test_nothing_but_tags_and_the_label_changes(caller, live, change, says):
    admin = caller()
    uid = json.loads(admin.asm("POST", ONE, body()).content)["metadata"]["uid"]
    executor.run(Rollout.objects.get(release__uid=uid).pk)
    before = admin.asm("GET", f"{ONE}/{uid}").content
    assert says in asm_error(admin.asm("PUT", f"{ONE}/{uid}", change), 400, "01010001")
    assert admin.asm("GET", f"{ONE}/{uid}").content == before


BAD = {
    "kind": {"kind": "release"}, "apiVersion": {"apiVersion": "asm/v1"}, "no metadata": {"metadata": None}, "no spec": {"spec": None},
    "no name": {"metadata__name": None}, "short": {"metadata__name": "abc"}, "long": {"metadata__name": "a" * 65},
    "capital": {"metadata__name": "Auth-next"}, "digit first": {"metadata__name": "1auth"}, "hyphen last": {"metadata__name": "auth-"},
    "line feed": {"metadata__name": "auth\n"}, "underscore": {"metadata__name": "auth_next"}, "number": {"metadata__name": 1234},
    "other mesh": {"metadata__meshID": "other"}, "other namespace": {"metadata__namespace": "stg"},
    "type": {"spec__type": "rolling"}, "no type": {"spec__type": None}, "no service": {"spec__serviceName": None},
    "no cluster": {"spec__clusterID": None}, "empty cluster": {"spec__clusterID": ""}, "no deployment": {"spec__deploymentName": None},
    "no gray": {"spec__grayDeployments": None}, "empty gray": {"spec__grayDeployments": []},
    "gray cluster": {"spec__grayDeployments__0__clusterID": None}, "gray template": {"spec__grayDeployments__0__template": None},
    "template text": {"spec__grayDeployments__0__template": "x"}, "template empty": {"spec__grayDeployments__0__template": {}},
    "no tag": {"spec__grayDeployments__0__template": image("auth")}, "digest": {"spec__grayDeployments__0__template": image("auth@sha256:00")},
    "long tag": {"spec__grayDeployments__0__template": image("auth:" + "1" * 33)},
    "port only": {"spec__grayDeployments__0__template": image("registry:5000/auth")},
    "odd tag": {"spec__grayDeployments__0__template": image("auth:1 2")},
    "two versions": {"spec__grayDeployments": [{"clusterID": "a", "template": image("auth:1")}, {"clusterID": "b", "template": image("auth:2")}]},
    "long label": {"spec__version": "v" * 65},
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_body_makes_nothing(caller, live, case):
    before = (Rollout.objects.count(), Version.objects.count())
    asm_error(caller().asm("POST", ONE, body(**BAD[case])), 400, "01010001")
    assert (Rollout.objects.count(), Version.objects.count(), Release.objects.count()) == (*before, 0)


@pytest.mark.parametrize("name", ["abcd", "a" * 64, "a-1z", "a--b"])
def test_the_edges_of_the_rule_for_names(caller, live, name):
    assert caller().asm("POST", ONE, body(metadata__name=name)).status_code == 201


def test_what_is_not_there(caller, live):
    admin = caller()
    assert "namespace" in asm_error(admin.asm("POST", "/isles/namespaces/prod/releases", body()), 404, "01010002")
    assert "service" in asm_error(admin.asm("POST", ONE, body(spec__serviceName="mail")), 404, "01010002")
    assert "mesh" in asm_error(admin.asm("POST", "/isle/namespaces/live/releases", body()), 404, "01010002")
    for uid in ("x", "00000000-0000-0000-0000-000000000000", "rollout-1-auth", "rollout-99-auth", "%00", "%C3%A9"):
        asm_error(admin.asm("GET", f"{ONE}/{uid}"), 404, "01010002")


def test_a_task_that_runs_keeps_another_away(caller, live):
    admin = caller()
    assert admin.asm("POST", ONE, body()).status_code == 201
    asm_error(admin.asm("POST", ONE, body()), 409, "01010003")
    asm_error(admin.asm("POST", ONE, body(metadata__name="another")), 409, "01010003")
    versions = Version.objects.count()
    asm_error(admin.asm("POST", ONE, body(metadata__name="another", spec__grayDeployments__0__template=image("auth:9"))), 409, "01010003")
    assert Version.objects.count() == versions, "a refused release registers nothing"


def test_a_withdrawn_version_cannot_be_released(caller, live, project):
    from stages.setup.versions import withdraw_version

    row, _ = register_version(actor=SYSTEM, project=project, microservice="auth", version="1.2.0")
    withdraw_version(actor=SYSTEM, version=row)
    assert "withdrawn" in asm_error(caller().asm("POST", ONE, body()), 400, "01010001")


def test_the_namespace_of_kubernetes_targets_will_do(caller, live):
    from stages.models import Target

    Target.objects.create(stage=live, name="cluster", kind="kubernetes", config={"deploy": {"namespace": "game-live"}})
    made = caller().asm("POST", "/isles/namespaces/game-live/releases", body())
    assert made.status_code == 201 and json.loads(made.content)["metadata"]["namespace"] == "game-live"


def test_gray_workloads_are_told_while_they_are_there(caller, live, settings):
    settings.STEP_KUBECONFIGS = {"tokyo": "/etc/tokyo.yaml"}
    config = {"kubeconfig": "tokyo", "namespace": "game-live", "image": "registry.example.com/game/{service}"}
    phases = {phase: config if phase in {"canary", "deploy"} else None for phase in ("pre", "canary", "deploy", "post")}
    set_targets(actor=SYSTEM, stage=live, targets=[{"name": "cluster", "kind": "kubernetes", "config": phases}])
    template = copy.deepcopy(SPEC["grayDeployments"][0]["template"])
    template["spec"]["replicas"] = 3
    made = caller().asm("POST", "/isles/namespaces/game-live/releases", body(spec__grayDeployments__0__template=template))
    uid = json.loads(made.content)["metadata"]["uid"]
    row = Rollout.objects.get(release__uid=uid)
    step = row.steps.get(phase="canary")
    assert step.config["gray_replicas"] == 3 and json.loads(made.content)["status"]["grayDeployments"] == []
    step.state, step.memo = "succeeded", {"gray": "auth-gray"}
    step.save()
    Rollout.objects.filter(pk=row.pk).update(state="canary_hold", started_at=row.created_at)
    read = lambda: json.loads(caller().asm("GET", f"/isles/namespaces/game-live/releases/{uid}").content)["status"]  # noqa: E731
    assert read()["grayDeployments"] == [{
        "apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3},
        "metadata": {"name": "auth-gray", "namespace": "game-live", "labels": {"version": "1.2.0"}},
    }]  # fmt: skip
    Rollout.objects.filter(pk=row.pk).update(state="canary_rejecting")
    assert read()["grayDeployments"] == []


def test_only_who_may_promote_may_release(caller, live):
    asm_error(caller("viewer").asm("POST", ONE, body()), 403, "01000002")
    asm_error(caller("support").asm("POST", ONE, body()), 403, "01000002")
    assert caller("viewer").asm("GET", "/isles/releases").status_code == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "Bearer x", "\xff"])
def test_without_a_token_nobody_is_let_in(caller, live, token):
    asm_error(caller().asm("GET", "/isles/releases", HTTP_X_AUTH_TOKEN=token), 401, "01000001")
    asm_error(caller().asm("POST", ONE, b"{", HTTP_X_AUTH_TOKEN=token), 401, "01000001")


@pytest.mark.parametrize("weight", [-1, 101, 1.5, "50", True, None, [], 10**30])
def test_weights_that_are_none(caller, live, weight):
    admin = caller()
    uid = json.loads(admin.asm("POST", ONE, body()).content)["metadata"]["uid"]
    executor.run(Rollout.objects.get(release__uid=uid).pk)
    asm_error(admin.asm("PUT", f"{ONE}/{uid}/traffic", {"grayWeight": weight}), 400, "01010001")


def test_a_long_list_costs_few_queries(caller, stage, record, django_assert_max_num_queries):
    for _ in range(20):
        record(stage, "succeeded", strategy="canary")
    viewer = caller("viewer")
    with django_assert_max_num_queries(4):
        assert len(json.loads(viewer.asm("GET", "/isles/releases").content)["items"]) == 20


