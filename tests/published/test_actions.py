"""Every action in every state, through both doors: what the table allows moves, all else is refused and changes nothing."""
from __future__ import annotations

import json

import pytest

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.models import Release, Rollout, RolloutCanary
from stages.rollouts.services import promote_stage
from stages.setup.versions import register_version
from stages.states import FINAL, RolloutState, move_for, user_actions
from tests.published.conftest import asm_error, sd_error

pytestmark = pytest.mark.django_db
CANARY = [("k", "auth", p, "succeeded", "canary") for p in ("pre", "canary")] + [
    ("k", "auth", p, "pending", "full") for p in ("deploy", "post")
]
# Our action: the calls of the two doors. A release is ended by finish and withdrawn by cancel.
SD = {
    "approve": ("POST", "/approval/accept"),
    "reject": ("POST", "/approval/reject"),
    "cancel": ("POST", "/cancel"),
    "canary_accept": ("POST", "/canary/accept"),
    "canary_reject": ("POST", "/canary/reject"),
}
ASM = {"canary_accept": "finish", "canary_reject": "cancel"}
TEMPLATE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "spec": {"template": {"spec": {"containers": [{"name": "auth", "image": "registry:5000/game/auth:1.2.0"}]}}},
}
SPEC = {
    "serviceName": "auth", "clusterID": "c-1", "deploymentName": "auth", "version": "1.2.0", "type": "canary",
    "grayDeployments": [{"clusterID": "c-1", "template": TEMPLATE}],
}  # fmt: skip


def snapshot() -> tuple:
    return (
        list(Rollout.objects.order_by("pk").values()), list(RolloutCanary.objects.order_by("pk").values()), list(Release.objects.values()), Activity.objects.count(),
        list(Rollout.objects.values_list("steps__state", "steps__position")),
    )  # fmt: skip


@pytest.fixture
def made(record, stage):
    """made(state, protocol, leg) is a canary rollout in that state; of protocol asm with its release."""

    def act(state: str, protocol: str = "sourcedeploy", leg: str = "canary", weight: int = 0, **more) -> Rollout:
        if (state, protocol) == ("awaiting_approval", "sourcedeploy"):
            register_version(actor=SYSTEM, project=stage.project, microservice="auth", version="1.2.0")
            return promote_stage(actor=SYSTEM, stage=stage, ask=True, protocol=protocol)
        steps = CANARY if state not in {"awaiting_approval", "queued", "rejected"} else []
        row = record(
            stage, state, steps, strategy="canary", leg=leg, protocol=protocol, weight=weight,
            scenario_copy={
                "name": "release", "strategy": "canary", "sequence": True, "batch_size": 1, "rollback": True, "commands": {},
                "canary": {"analysis": "manual"}, "config": {}, "stage_type": "Server", "approvals_required": 0, "approvers": {},
            }, **more,
        )  # fmt: skip
        if protocol == "asm":
            Release.objects.create(rollout=row, namespace="live", name="auth-next", service_name="auth", spec=SPEC)
        return Rollout.objects.get(pk=row.pk)

    return act


LEGS = [("running", "canary"), ("running", "full"), ("running", "base")]
STATES = LEGS + [(state, "canary") for state in sorted(RolloutState) if state != "running"]


@pytest.mark.parametrize("action", SD)
@pytest.mark.parametrize("state, leg", STATES)
def test_sourcedeploy(caller, made, action, state, leg):
    row = made(state, leg=leg)
    allowed = action in user_actions(state, strategy="canary", leg=leg, protocol="sourcedeploy")
    verb, path = SD[action]
    admin, before = caller("admin"), snapshot()
    answer = admin.sd(verb, f"/project/{row.project_id}/history/{row.number}{path}")
    now = Rollout.objects.get(pk=row.pk)
    if allowed:
        assert (answer.status_code, answer.content) == (200, b'{"result":true}')
        assert now.state == move_for(state, action).target and Activity.objects.count() > before[3]
    else:
        assert f"ollout {row.number} " in sd_error(answer, 400, "100")
        assert snapshot() == before


@pytest.mark.parametrize("action", ASM)
@pytest.mark.parametrize("state, leg", STATES)
def test_asm_delete(caller, made, action, state, leg):
    weight = 100 if action == "canary_accept" else 0
    row = made(state, "asm", leg, weight)
    allowed = action in user_actions(state, strategy="canary", leg=leg, protocol="asm")
    admin, before = caller("admin"), snapshot()
    answer = admin.asm("DELETE", f"/isles/namespaces/live/releases/{row.release.uid}?action={ASM[action]}")
    now = Rollout.objects.get(pk=row.pk)
    if allowed:
        assert (answer.status_code, answer.content) == (200, b"")
        assert now.state == ("running" if action == "canary_accept" else "canary_rejecting")
    else:
        asm_error(answer, *((404, "01010002") if state in FINAL else (400, "01010001")))
        assert snapshot() == before


@pytest.mark.parametrize("what", ["PUT", "traffic"])
@pytest.mark.parametrize("state, leg", STATES)
def test_asm_update_and_weight(caller, made, what, state, leg):
    row = made(state, "asm", leg)
    action = "release_update" if what == "PUT" else "set_weight"
    allowed = action in user_actions(state, strategy="canary", leg=leg, protocol="asm")
    path = f"/isles/namespaces/live/releases/{row.release.uid}"
    admin, before = caller("admin"), snapshot()
    if what == "PUT":
        spec = json.loads(json.dumps(SPEC).replace("auth:1.2.0", "auth:1.3.0"))
        answer = admin.asm("PUT", path, {"spec": {"grayDeployments": spec["grayDeployments"]}})
    else:
        answer = admin.asm("PUT", path + "/traffic", {"grayWeight": 20})
    now = Rollout.objects.get(pk=row.pk)
    if not allowed:
        asm_error(answer, *((404, "01010002") if state in FINAL else (400, "01010001")))
        assert snapshot() == before
    elif what == "PUT":
        assert (answer.status_code, answer.content) == (200, b"")
        assert (now.state, now.leg, now.gray_weight, now.to_set.versions["auth"]) == ("running", "canary", 0, "1.3.0")
        assert now.release.spec["version"] == "1.3.0" and set(now.steps.values_list("new_version", flat=True)) == {"1.3.0"}
    else:
        assert json.loads(answer.content) == {"grayWeight": 20, "originalWeight": 80}
        assert (now.state, now.gray_weight) == ("canary_hold", 20)


@pytest.mark.parametrize("action, weight", [("finish", 0), ("finish", 99), ("end", 50), ("cancel", 1), ("cancel", 100)])
def test_a_release_ends_only_when_one_side_has_all_the_traffic(caller, made, action, weight):
    row = made("canary_hold", "asm", weight=weight)
    answer = caller("admin").asm("DELETE", f"/isles/namespaces/live/releases/{row.release.uid}?action={action}")
    assert "all the traffic" in asm_error(answer, 400, "01010001")
    assert Rollout.objects.get(pk=row.pk).state == "canary_hold"


@pytest.mark.parametrize("query", ["", "?action=", "?action=delete", "?action=CANCEL", "?Action=cancel"])
def test_an_action_that_is_none_is_refused(caller, made, query):
    row = made("canary_hold", "asm")
    answer = caller("admin").asm("DELETE", f"/isles/namespaces/live/releases/{row.release.uid}{query}")
    assert "cancel or finish" in asm_error(answer, 400, "01010001")


def test_a_canary_from_elsewhere_is_a_release_to_read_and_not_to_act_on(caller, made):
    row = made("canary_hold")
    admin = caller("admin")
    uid = f"rollout-{row.number}-auth"
    found = json.loads(admin.asm("GET", f"/isles/namespaces/live/releases/{uid}").content)
    assert found["metadata"] == {"meshID": "isles", "name": uid, "uid": uid, "namespace": "live"}
    assert found["spec"]["serviceName"] == "auth" and found["spec"]["version"] == "1.2.0" and found["status"]["phase"] == "Running"
    assert json.loads(admin.asm("GET", "/isles/releases").content)["items"] == [found]
    for verb, more, body in (("DELETE", "?action=cancel", None), ("PUT", "", {}), ("PUT", "/traffic", {"grayWeight": 5})):
        assert "was not made as a release" in asm_error(
            admin.asm(verb, f"/isles/namespaces/live/releases/{uid}{more}", body), 400, "01010001"
        )
    asm_error(admin.asm("GET", f"/isles/namespaces/live/releases/rollout-{row.number}-chat"), 404, "01010002")
    asm_error(admin.asm("GET", f"/isles/namespaces/stg/releases/{uid}"), 404, "01010002")


def test_who_may_not_is_told_so_in_each_familys_way(caller, made):
    row = made("canary_hold", "asm", weight=100)
    viewer = caller("viewer")
    for verb, path in SD.values():
        sd_error(viewer.sd(verb, f"/project/{row.project_id}/history/{row.number}{path}"), 401, "210")
    path = f"/isles/namespaces/live/releases/{row.release.uid}"
    asm_error(viewer.asm("DELETE", path + "?action=finish"), 403, "01000002")
    asm_error(viewer.asm("PUT", path + "/traffic", {"grayWeight": 1}), 403, "01000002")
    asm_error(viewer.asm("PUT", path, {"spec": {"version": "x"}}), 403, "01000002")
    assert Rollout.objects.get(pk=row.pk).state == "canary_hold"


def test_what_is_foreign_does_not_exist(foreign, made):
    row = made("canary_hold", "asm", weight=100)
    path = f"/isles/namespaces/live/releases/{row.release.uid}"
    for verb, more in (("GET", ""), ("PUT", ""), ("DELETE", "?action=finish"), ("PUT", "/traffic")):
        asm_error(foreign.asm(verb, path + more, {}), 404, "01010002")
        asm_error(foreign.asm(verb, path.replace("/isles/", "/other/") + more, {}), 404, "01010002")
    asm_error(foreign.asm("GET", "/isles/releases"), 404, "01010002")
    assert json.loads(foreign.asm("GET", "/other/releases").content)["items"] == []
    for verb, path in SD.values():
        sd_error(foreign.sd(verb, f"/project/{row.project_id}/history/{row.number}{path}"), 404, "300")
