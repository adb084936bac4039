"""The kubernetes kind against an API server that knows nothing but the published OpenAPI document."""
from __future__ import annotations

import json

import pytest

from gs2admin.errors import Invalid
from stages.steps import KINDS, kube
from stages.steps.base import StepBroken, StepCanceled, StepFailed
from tests.steps.apiserver import DOCUMENT, ApiServer, violations
from tests.steps.helpers import Context

KIND = KINDS["kubernetes"]
CONFIG = {"kubeconfig": "tokyo", "namespace": "game", "image": "registry.example.com/game/{service}"}
IMAGE = "registry.example.com/game/lottery"


@pytest.fixture
def api(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(kube, "LOOK_S", 0.01)
    server = ApiServer()
    server.add("lottery", f"{IMAGE}:1.4.0")
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "clusters": [{"name": "k", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}], "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    }))
    settings.STEP_KUBECONFIGS = {"tokyo": str(path)}
    yield server
    server.close()
    assert server.wrong == [], "every request fits the published document"


def run(phase="deploy", config=None, **more) -> Context:
    ctx = Context(KIND.validate(CONFIG | (config or {})), phase=phase, **more)
    ctx.summary = KIND.run(ctx)
    return ctx


def undo(done: Context, **more) -> Context:
    return run(done.phase, undo=True, memo={"done": done.memo}, old_version="1.5.0", new_version="1.4.0", **more)


def test_the_image_is_set_and_its_rollout_waited_for(api):
    ctx = run()
    assert api.image("lottery") == f"{IMAGE}:1.5.0" and api.image("lottery", "proxy") == "proxy:1"
    assert ctx.summary == "Deployment lottery has 2 replicas." and ctx.memo == {"image": f"{IMAGE}:1.4.0", "replicas": 2}
    assert "Deployment lottery: 2 of 2 replicas available, 1 of them new." in ctx.texts()
    environment = api.objects["deployments", "game", "lottery"]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert environment == [{"name": "A", "value": "b"}], "the patch touches the image alone"


def test_an_undo_sets_the_image_that_was_there(api):
    done = run()
    undo(done)
    assert api.image("lottery") == f"{IMAGE}:1.4.0"
    assert "Nothing had been changed" in undo(Context({}, phase="deploy")).summary


def test_another_attempt_remembers_what_was_there_before_the_first(api):
    first = run()
    again = run(memo=first.memo, attempt=2)
    assert again.memo["image"] == f"{IMAGE}:1.4.0" and KIND.repeatable({}, {})


def test_the_gray_deployment_stands_beside_and_is_removed(api):
    done = run("canary", leg="canary", config={"gray_replicas": 3})
    gray = api.objects["deployments", "game", "lottery-gray"]
    assert api.image("lottery-gray") == f"{IMAGE}:1.5.0" and api.image("lottery") == f"{IMAGE}:1.4.0"
    assert gray["spec"]["replicas"] == 3 and gray["spec"]["selector"]["matchLabels"] == {"app": "lottery", kube.LABEL: "true"}
    assert gray["spec"]["template"]["metadata"]["labels"] == {"app": "lottery", kube.LABEL: "true"}, "the Service finds it too"
    run("canary", leg="canary", new_version="1.6.0")
    assert api.image("lottery-gray") == f"{IMAGE}:1.6.0", "a second time it is changed, not made"
    assert undo(done, leg="canary").summary == "Deployment lottery-gray is removed."
    assert ("deployments", "game", "lottery-gray") not in api.objects


def test_the_full_leg_removes_the_gray_part_when_everybody_has_it(api):
    run("canary", leg="canary")
    run("deploy", leg="full")
    assert api.image("lottery") == f"{IMAGE}:1.5.0" and ("deployments", "game", "lottery-gray") not in api.objects


def test_the_switch_turns_every_service_and_back(api):
    api.add("shop", "x:1")
    config = KIND.validate(CONFIG) | {"services": ["lottery", "shop"]}
    for colour in ("green", "blue"):
        ctx = Context(config, phase="switch", microservice="*", colour=colour, undo=colour == "blue")
        assert KIND.run(ctx) == f"2 Services send to {colour} now."
        for name in ("lottery", "shop"):
            selector = api.objects["services", "game", name]["spec"]["selector"]
            assert selector == {"app": name, kube.COLOUR: colour}


def test_colours_have_deployments_of_their_own(api):
    api.add("lottery-green", f"{IMAGE}:1.0.0")
    api.objects["deployments", "game", "lottery-green"]["spec"]["template"]["spec"]["containers"][0]["name"] = "lottery"
    run(config={"deployment": "{service}-{colour}"}, colour="green")
    assert api.image("lottery-green", "lottery") == f"{IMAGE}:1.5.0" and api.image("lottery") == f"{IMAGE}:1.4.0"


def test_a_service_that_goes_away_is_scaled_down_and_comes_back(api):
    done = run(new_version="")
    assert api.objects["deployments", "game", "lottery"]["spec"]["replicas"] == 0
    undo(done)
    assert api.objects["deployments", "game", "lottery"]["spec"]["replicas"] == 2


def test_what_the_cluster_says_is_told(api):
    api.refuse = (403, "deployments.apps is forbidden")
    with pytest.raises(StepFailed, match="Kubernetes answered 403: deployments.apps is forbidden"):
        run()
    api.refuse, api.stuck, api.looks = None, True, None
    with pytest.raises(StepFailed, match="gave up: ReplicaSet has timed out progressing"):
        run()
    with pytest.raises(StepFailed, match="There is no Deployment gacha in the namespace game"):
        run(microservice="gacha")
    with pytest.raises(StepFailed, match="has no container sidecar"):
        run(config={"container": "sidecar"})


def test_time_and_a_cancel_end_the_waiting(api):
    api.looks = None
    with pytest.raises(StepFailed, match="was not ready: .* when the 1 s of this step were over"):
        run(config={"timeout_s": 1})
    ticks = []

    def cancel():
        ticks.append(1)
        if len(ticks) > 4:
            raise StepCanceled

    with pytest.raises(StepCanceled):
        run(on_tick=cancel)


def test_a_cluster_that_is_away_or_no_longer_allowed(api, settings, tmp_path):
    ctx = Context(KIND.validate(CONFIG))
    settings.STEP_KUBECONFIGS = {"tokyo": str(tmp_path / "missing")}
    with pytest.raises(StepBroken, match="kubeconfig can not be used"):
        KIND.run(ctx)
    settings.STEP_KUBECONFIGS = {}
    with pytest.raises(StepBroken, match="no longer in GS2ADMIN_KUBECONFIGS"):
        KIND.run(ctx)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kubeconfig": "osaka"}, "There is no cluster called 'osaka'"),
        ({"namespace": "Game!"}, "small letters"),
        ({"image": "registry.example.com/game:1"}, "without a tag"),
        ({"image": "registry.example.com/game@sha256:1"}, "without a tag"),
        ({"deployment": "{secret}"}, "In braces a path knows"),
        ({"gray_replicas": 0}, "gray_replicas"),
        ({"cluster": "x"}, "does not know the setting cluster"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(api, change, sentence):
    with pytest.raises(Invalid) as refusal:
        KIND.validate(CONFIG | change)
    assert sentence in refusal.value.sentence


def test_the_stand_in_refuses_what_is_not_published(api):
    good = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}}
    schema = DOCUMENT["definitions"]["io.k8s.api.apps.v1.Deployment"]
    assert violations(good, schema) == []
    assert violations(good | {"sepc": {}}, schema) == ["body.sepc is unknown"]
    assert violations(good | {"spec": {**good["spec"], "replicas": "2"}}, schema) == ["body.spec.replicas is str, not integer"]
    assert violations(good | {"spec": {"template": good["spec"]["template"]}}, schema) == ["body.spec.selector is missing"]
