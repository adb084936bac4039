"""The kubernetes kind against an API server that knows nothing but the published OpenAPI document: what each phase does."""
from __future__ import annotations

import pytest

from gs2admin.errors import Invalid
from stages.steps import kube_state as state
from stages.steps.base import StepBroken, StepCanceled, StepFailed
from tests.steps.apiserver import DOCUMENT, violations
from tests.steps.helpers import Context
from tests.steps.kube_steps import CONFIG, IMAGE, KIND, context, run, undo


def of(api, name: str) -> dict:
    return api.objects["deployments", "game", name]


def test_the_image_is_set_its_rollout_waited_for_and_what_runs_is_read_back(api):
    ctx = run()
    assert api.image("lottery") == f"{IMAGE}:1.5.0" and api.image("lottery", "proxy") == "proxy:1"
    assert ctx.summary == (
        f"Deployment lottery: 2 of 2 pods ready, running lottery {IMAGE}:1.5.0, proxy proxy:1 (generation 2)."
    )
    assert ctx.memo == {"images": {"lottery": f"{IMAGE}:1.4.0"}, "replicas": 2}
    assert "Deployment lottery: 2 of 2 pods available, 1 of them new; 2 old still there." in ctx.texts()
    environment = of(api, "lottery")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert environment == [{"name": "A", "value": "b"}], "the patch touches the image alone"


def test_an_undo_sets_the_image_that_was_there_and_reads_back(api):
    done = run()
    of(api, "lottery")["spec"]["replicas"] = 5  # an autoscaler's
    assert f"5 of 5 pods ready, running lottery {IMAGE}:1.4.0" in undo(done).summary
    assert api.image("lottery") == f"{IMAGE}:1.4.0" and of(api, "lottery")["spec"]["replicas"] == 5
    assert "Nothing had been changed" in undo(Context({}, phase="deploy")).summary
    older = run()
    older.memo = {"image": f"{IMAGE}:1.3.0", "replicas": 2}  # as releases before this one remembered it
    undo(older)
    assert api.image("lottery") == f"{IMAGE}:1.3.0"


def test_another_attempt_remembers_what_was_there_before_the_first(api):
    first = run()
    again = run(memo=first.memo, attempt=2)
    assert again.memo["images"] == {"lottery": f"{IMAGE}:1.4.0"} and KIND.repeatable({}, {})
    assert f"Deployment lottery has these images already, so no pod is replaced: lottery {IMAGE}:1.5.0." in again.texts()


def test_pre_looks_changes_nothing_and_waits_for_nothing(api):
    api.things.looks = None
    of(api, "lottery")["status"] |= {"readyReplicas": 0, "availableReplicas": 0}
    ctx = run("pre", leg="canary")
    assert f"running lottery {IMAGE}:1.4.0" in ctx.summary and ctx.memo == {}
    assert {verb for verb, _ in api.calls} == {"get"}


def test_post_waits_and_sees_that_it_is_this_version(api):
    run()
    assert f"running lottery {IMAGE}:1.5.0" in run("post").summary
    with pytest.raises(StepFailed, match=f"does not run 1.6.0: lottery {IMAGE}:1.5.0"):
        run("post", new_version="1.6.0")


def test_the_gray_deployment_stands_beside_and_is_removed(api):
    of(api, "lottery")["spec"] |= {"minReadySeconds": 5, "progressDeadlineSeconds": 90}
    done = run("canary", leg="canary", config={"gray_replicas": 3})
    gray = of(api, "lottery-gray")
    assert api.image("lottery-gray", "lottery") == f"{IMAGE}:1.5.0" and api.image("lottery") == f"{IMAGE}:1.4.0"
    assert gray["spec"]["replicas"] == 3 and gray["spec"]["selector"]["matchLabels"] == {"app": "lottery", state.LABEL: "true"}
    assert gray["spec"]["template"]["metadata"]["labels"] == {"app": "lottery", state.LABEL: "true"}, "the Service finds it too"
    assert gray["spec"]["minReadySeconds"] == 5 and gray["spec"]["progressDeadlineSeconds"] == 90
    assert f"Deployment lottery-gray: 3 of 3 pods ready, running lottery {IMAGE}:1.5.0" in done.summary
    assert KIND.made(done.config, done.memo) == "Deployment lottery-gray in the namespace game of tokyo"
    run("canary", leg="canary", new_version="1.6.0")
    assert api.image("lottery-gray", "lottery") == f"{IMAGE}:1.6.0", "a second time it is changed, not made"
    api.things.linger = 3
    removed = undo(done, leg="canary")
    assert removed.summary == "Deployment lottery-gray is removed, and its pods have ended."
    assert ("deployments", "game", "lottery-gray") not in api.objects
    assert undo(done, leg="canary").summary == "Deployment lottery-gray is not there any more."


def test_the_full_leg_removes_the_gray_part_when_everybody_has_it(api):
    run("canary", leg="canary")
    assert "The gray Deployment lottery-gray is removed: everybody has its version now." in run("deploy", leg="full").texts()
    assert api.image("lottery") == f"{IMAGE}:1.5.0" and ("deployments", "game", "lottery-gray") not in api.objects


def switch(colour, *, undo=False, memo=None, services=("lottery", "shop")) -> Context:
    ctx = context("switch", facts={"services": list(services)}, microservice="*", colour=colour, undo=undo, memo=memo or {})
    ctx.summary = KIND.run(ctx)
    return ctx


def test_the_switch_turns_every_service_and_back_to_what_each_had(api):
    api.add("shop", "x:1")
    for name in ("lottery", "shop"):
        for colour in ("green", "blue"):
            api.add(f"{name}-{colour}", "x:1", labels={"app": name, state.COLOUR: colour})
    api.objects["services", "game", "shop"]["spec"]["selector"][state.COLOUR] = "blue"
    done = switch("green")
    assert done.summary == "2 Services send to green now." and done.memo["selectors"] == {"lottery": None, "shop": "blue"}
    assert "Service shop sends to green now: app=shop,gs2admin.io/colour=green." in done.texts()
    for name in ("lottery", "shop"):
        assert api.objects["services", "game", name]["spec"]["selector"] == {"app": name, state.COLOUR: "green"}
    back = switch("blue", undo=True, memo={"done": done.memo})
    assert back.summary == "2 Services send to blue and every colour now."
    assert api.objects["services", "game", "lottery"]["spec"]["selector"] == {"app": "lottery"}
    assert api.objects["services", "game", "shop"]["spec"]["selector"] == {"app": "shop", state.COLOUR: "blue"}
    assert switch("green", undo=True).summary == "1 Service sends to green now.", "of a release that remembered nothing"
    api.objects["services", "game", "shop"]["spec"]["selector"][state.COLOUR] = "green"
    assert switch("green", undo=True).summary == "No Service had been switched."


def test_nobody_is_switched_to_a_colour_without_a_ready_pod(api):
    api.add("lottery-green", "x:1", labels={"app": "lottery", state.COLOUR: "green"})
    before = [dict(api.objects["services", "game", "lottery"]["spec"]["selector"])]
    for sentence, services in (
        ("There is no Service shop in the namespace game", ("lottery", "shop")),
        ("No ready pod has the labels of Service other and green: app=other,gs2admin.io/colour=green", ("lottery", "other")),
        ("Service bare has no selector", ("lottery", "bare")),
    ):
        if services[1] != "shop":
            api.objects["services", "game", services[1]] = {"metadata": {"name": services[1]}, "spec": {"selector": {"app": "other"}}}
        if services[1] == "bare":
            api.objects["services", "game", "bare"]["spec"] = {}
        with pytest.raises(StepFailed, match=sentence):
            switch("green", services=services)
    api.forbidden = {("get", "pods")}
    with pytest.raises(StepFailed, match="can not be seen, so no Service was changed. Kubernetes answered GET pods with 403"):
        switch("green", services=["lottery"])
    assert [api.objects["services", "game", "lottery"]["spec"]["selector"]] == before


def test_colours_have_deployments_of_their_own(api):
    api.add("lottery-green", f"{IMAGE}:1.0.0", container="lottery")
    run(config={"deployment": "{service}-{colour}"}, colour="green")
    assert api.image("lottery-green", "lottery") == f"{IMAGE}:1.5.0" and api.image("lottery") == f"{IMAGE}:1.4.0"


def test_a_service_that_goes_away_is_scaled_down_and_comes_back(api):
    done = run(new_version="")
    assert of(api, "lottery")["spec"]["replicas"] == 0
    assert "0 of 0 pods ready" in done.summary and "scaled to 0" in done.summary
    undo(done, old_version="")
    assert of(api, "lottery")["spec"]["replicas"] == 2


def test_time_and_a_cancel_end_the_waiting(api, over):
    api.things.looks = None
    with pytest.raises(StepFailed, match="The 600 s of this step were over before Deployment lottery was ready: 2 of 2 pods"):
        run(on_emit=lambda text: over() if "1 of them new" in text else None)
    ticks = []

    def cancel():
        ticks.append(1)
        if len(ticks) > 4:
            raise StepCanceled

    with pytest.raises(StepCanceled):
        run(on_tick=cancel)


def test_a_cluster_that_is_no_longer_allowed(api, settings):
    ctx = context()
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
        ({"image": "registry:5000"}, "without a tag"),
        ({"deployment": "{secret}"}, "In braces a path knows"),
        ({"follow": "a,{secret}"}, "In braces a path knows"),
        ({"follow": 7}, "separated by commas"),
        ({"follow": ",".join(f"c{n}" for n in range(21))}, "At most 20"),
        ({"gray_replicas": 0}, "gray_replicas"),
        ({"cluster": "x"}, "does not know the setting cluster"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(api, change, sentence):
    with pytest.raises(Invalid) as refusal:
        KIND.validate(CONFIG | change)
    assert sentence in refusal.value.sentence


def test_names_that_follow_are_kept_once_and_as_one_text(api):
    for given in (" migrate,{service}-warm ,migrate", ["migrate", "{service}-warm"]):
        assert KIND.validate(CONFIG | {"follow": given})["follow"] == "migrate, {service}-warm"
    assert KIND.validate(CONFIG)["follow"] == ""


def test_the_stand_in_refuses_what_is_not_published(api):
    good = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}}}
    schema = DOCUMENT["definitions"]["io.k8s.api.apps.v1.Deployment"]
    assert violations(good, schema) == []
    assert violations(good | {"sepc": {}}, schema) == ["body.sepc is unknown"]
    assert violations(good | {"spec": {**good["spec"], "replicas": "2"}}, schema) == ["body.spec.replicas is str, not integer"]
    assert violations(good | {"spec": {"template": good["spec"]["template"]}}, schema) == ["body.spec.selector is missing"]
