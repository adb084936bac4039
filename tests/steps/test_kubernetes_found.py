"""Kubernetes as it is found: other containers, odd images, paused and foreign Deployments, and what else changes them."""
from __future__ import annotations

import pytest

from stages.steps import cluster, images, kube_work
from stages.steps import kube_state as state
from stages.steps.base import StepFailed
from tests.steps.kube_steps import IMAGE, KIND, context, run, undo

CHANGING = {"post", "patch", "delete", "put"}


def of(api, name: str) -> dict:
    return api.objects["deployments", "game", name]


def refused(api, sentence, *, phases=("pre", "canary", "deploy"), **more) -> None:
    """Every phase refuses with this sentence, before it changes anything."""
    for phase in phases:
        before = len(api.calls)
        with pytest.raises(StepFailed) as refusal:
            run(phase, leg="canary" if phase != "deploy" else "base", **more)
        assert sentence in str(refusal.value), phase
        assert not CHANGING & {verb for verb, _ in api.calls[before:]}, phase


def test_what_is_in_the_way_is_told_before_any_change(api):
    api.add("gacha", f"{IMAGE}:1", container="game", init=[("migrate", "m:1"), ("wait", "busybox")])
    has = "It has game, proxy and the initContainers migrate, wait. Choose among them in the settings of the target tokyo."
    refused(api, f"Deployment gacha has no container called gacha. {has}", microservice="gacha")
    refused(api, f"no container called warm or seed. {has}", microservice="gacha", config={"container": "game", "follow": "warm,seed"})
    refused(api, "There is no Deployment shop in the namespace game. It has to be made before", microservice="shop", old_version="")
    refused(api, "There is no Deployment shop in the namespace game.", microservice="shop")
    refused(api, "The version 1.5.0+build can not be an image's tag", new_version="1.5.0+build")
    of(api, "lottery")["spec"]["minReadySeconds"] = 700
    refused(api, "has to be ready for 700 s (minReadySeconds) until it counts, longer than the 600 s of this step")
    del of(api, "lottery")["spec"]["minReadySeconds"]
    of(api, "lottery")["spec"]["paused"] = True
    refused(api, "Deployment lottery is paused: it would take the image and start no pod. Resume it first (kubectl -n game rollout")
    del of(api, "lottery")["spec"]["paused"]
    api.add("lottery-gray", "else:1")
    refused(api, "There is a Deployment lottery-gray already that gs2admin did not make", phases=("pre", "canary"))
    assert "There is a Deployment lottery-gray that gs2admin did not make; it is left alone." in run(leg="full").texts()
    assert api.image("lottery-gray", "lottery-gray") == "else:1"


@pytest.mark.parametrize(
    ("image", "name", "tag", "digest", "next"),
    [
        ("lottery", "lottery", "", "", "lottery:2"),
        ("lottery:1", "lottery", "1", "", "lottery:2"),
        ("registry:5000/a/lottery", "registry:5000/a/lottery", "", "", "registry:5000/a/lottery:2"),
        ("registry:5000/a/lottery:1", "registry:5000/a/lottery", "1", "", "registry:5000/a/lottery:2"),
        ("localhost:5000/lottery@sha256:ab", "localhost:5000/lottery", "", "sha256:ab", "localhost:5000/lottery:2"),
        ("r.io/a/b:1@sha256:ab", "r.io/a/b", "1", "sha256:ab", "r.io/a/b:2"),
    ],
)
def test_images_follow_undo_is_exact_and_all_containers_are_reported(api, image, name, tag, digest, next):
    assert images.parse(image) == images.Image(name, tag, digest) and images.tagged(image, "2") == next
    api.add("shop", image, container="main", init=[("migrate", image), ("wait", "busybox")])
    config = {"container": "main", "follow": "migrate, main", "image": name, "deployment": "shop"}
    for leg, phase in (("canary", "canary"), ("full", "deploy")):
        done = run(phase, config, leg=leg, new_version="2")
        assert f"running main {name}:2, proxy proxy:1, migrate {next}, wait busybox (generation" in done.summary
        if phase == "canary":
            assert (api.image("shop-gray", "migrate"), api.image("shop", "migrate")) == (next, image)
    assert api.image("shop", "main") == f"{name}:2" and api.image("shop", "migrate") == next
    assert done.memo["images"] == {"main": image, "migrate": image}
    undo(done, config=config)
    assert api.image("shop", "main") == image == api.image("shop", "migrate") and api.image("shop", "proxy") == "proxy:1"


@pytest.mark.parametrize(
    ("image", "tag", "may"),
    [("a:1", "1", True), ("a:2", "1", False), ("a", "1", False), ("a", "", True), ("a:latest", "", True),
     ("a@sha256:x", "1", True), ("a:2@sha256:x", "1", False), ("r:1/a", "1", False)],
)
def test_whether_an_image_may_be_a_version(image, tag, may):
    assert images.carries(image, tag) is may


def test_a_cluster_may_make_a_digest_or_a_mirror_of_an_image_but_no_other_version(api):
    def rewrite(to):
        def admit(row):
            row["spec"]["template"]["spec"]["containers"][0]["image"] = to
        return admit

    for to in ("mirror.io/lottery:1.5.0", f"{IMAGE}@sha256:ab", f"{IMAGE}:1.5.0@sha256:ab"):
        api.things.admit = rewrite(to)
        for phase in ("canary", "deploy"):
            ctx = run(phase)
            assert f"The cluster made {to} of {IMAGE}:1.5.0." in ctx.texts() and f"running lottery {to}," in ctx.summary
    api.things.admit = rewrite(f"{IMAGE}:1.4.0")
    for phase in ("deploy", "canary"):
        with pytest.raises(StepFailed, match=f"did not take the image: lottery has {IMAGE}:1.4.0, not {IMAGE}:1.5.0"):
            run(phase)


def test_what_else_changes_the_deployment_is_told(api):
    def other(ctx):
        of(api, "lottery")["spec"]["template"]["spec"]["containers"][0]["image"] = f"{IMAGE}:1.4.0"

    api.things.looks = 5
    ctx = context()
    ctx.on_emit = lambda text: other(ctx) if "1 of them new" in text else None
    with pytest.raises(StepFailed, match=f"Something else changed Deployment lottery after this step: lottery has {IMAGE}:1.4.0"):
        KIND.run(ctx)


def test_our_own_gray_deployment_of_before_gets_the_template_of_today(api):
    first = run("canary", leg="canary", key="default/400/3")
    gray = of(api, "lottery-gray")
    gray["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "OLD", "value": "1"}]
    gray["spec"]["template"]["spec"]["nodeSelector"] = {"old": "1"}
    again = run("canary", leg="canary", new_version="1.6.0")
    assert "Deployment lottery-gray was there, made by default/400/3; it gets this version now." in again.texts()
    gray = of(api, "lottery-gray")
    assert gray["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "b"}]
    assert "nodeSelector" not in gray["spec"]["template"]["spec"] and gray["metadata"]["annotations"][state.MADE_BY] == again.key
    assert undo(first).summary == f"Deployment lottery-gray is another rollout's by now ({again.key}), so it stays."
    # Other labels of the original, and so another selector, which cannot be changed.
    api.add("lottery", f"{IMAGE}:1.4.0", labels={"app": "lottery", "tier": "back"})
    api.things.linger = 2
    run("canary", leg="canary")
    assert of(api, "lottery-gray")["spec"]["selector"]["matchLabels"]["tier"] == "back"
    # Somebody took the label away: it is not ours any more.
    del of(api, "lottery-gray")["metadata"]["labels"][state.LABEL]
    with pytest.raises(StepFailed, match="lost its label gs2admin.io/gray=true, so it is left alone. Remove it by hand"):
        undo(first)


def test_a_gray_deployment_that_somebody_else_makes_in_between(api):
    ctx = context("canary")
    ctx.on_tick = lambda: None
    seen = []

    def race(verb, found, *rest):
        if verb == "post" and not seen:
            seen.append(1)
            api.add("lottery-gray", "else:1")
        return act(verb, found, *rest)

    act, api.things.act = api.things.act, race
    with pytest.raises(StepFailed, match="There is a Deployment lottery-gray already that gs2admin did not make"):
        KIND.run(ctx)


def test_why_pods_do_not_run_is_told_when_it_fails_and_while_it_waits(api, over, monkeypatch):
    monkeypatch.setattr(kube_work, "WHY_S", 0.02)
    api.things.looks, api.things.waiting = None, "ImagePullBackOff"
    why = "Container lottery of lottery-h2-0: ImagePullBackOff, manifest unknown"
    with pytest.raises(StepFailed, match=f"The 600 s of this step were over before Deployment lottery was ready: .*{why}"):
        run(on_emit=lambda text: over() if why in text else None)
    api.things.stuck = True
    with pytest.raises(StepFailed, match=f"Kubernetes gave up: ReplicaSet has timed out progressing. {why.replace('h2', 'h3')}"):
        run(new_version="1.6.0")


def status(**more):
    return {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2} | more


EXCEEDED = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out."}
QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods"}


@pytest.mark.parametrize(
    ("spec", "now", "ready", "words"),
    [
        ({}, status(), True, "2 of 2 pods ready"),
        ({"replicas": None}, status(replicas=1, updatedReplicas=1, availableReplicas=1), True, "1 of 1 pods ready"),
        ({"replicas": 0}, {"observedGeneration": 3}, True, "it has 0 replicas, so no pod runs"),
        ({}, status(observedGeneration=2, conditions=[EXCEEDED]), False, "has not seen the change yet (generation 3)"),
        ({}, {}, False, "has not seen the change yet"),
        ({}, status(updatedReplicas=1, replicas=3), False, "2 of 2 pods available, 1 of them new; 2 old still there"),
        ({}, status(replicas=3), False, "1 old still there"),
        ({"minReadySeconds": 30}, status(availableReplicas=0), False, "2 ready, but each has to be for 30 s (minReadySeconds)"),
        ({"paused": True}, status(updatedReplicas=0), False, "it is paused, so no pod is replaced"),
        ({}, status(availableReplicas=1, conditions=[QUOTA]), False, "exceeded quota: pods"),
    ],
)
def test_how_far_a_deployment_is(spec, now, ready, words):
    row = {"metadata": {"name": "x", "generation": 3}, "spec": {"replicas": 2, **spec}, "status": now}
    found, why = state.progress(row)
    assert found is ready and words in why
    with pytest.raises(StepFailed, match="Kubernetes gave up: timed out."):
        state.progress(row | {"status": status(conditions=[EXCEEDED])})


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"app": "x"}}, "app=x,!gs2admin.io/gray"),
        ({"matchLabels": {"app": "x", state.LABEL: "true"}}, "app=x,gs2admin.io/gray=true"),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["x", "y"]}, {"key": "b", "operator": "NotIn", "values": ["z"]},
                               {"key": "c", "operator": "Exists"}, {"key": "d", "operator": "DoesNotExist"}]},
         "a in (x,y),b notin (z),c,!d,!gs2admin.io/gray"),
    ],
)
def test_the_pods_of_a_deployment_are_asked_by_its_selector(selector, text):
    original = {"spec": {"selector": selector, "template": {"metadata": {"labels": {"a": "x"}}, "spec": {"containers": []}}}}
    assert state.pods_selector(original) == text
    gray = state.gray_of(original, "x-gray", {}, 1, "k")
    assert gray["spec"]["selector"].get("matchExpressions") == selector.get("matchExpressions")
    assert gray["spec"]["selector"]["matchLabels"][state.LABEL] == "true"


def test_without_the_right_to_list_pods_the_deployment_alone_is_read(api):
    api.forbidden = {("get", "pods")}
    ctx = run()
    assert f"2 of 2 pods ready, running lottery {IMAGE}:1.5.0" in ctx.summary
    assert len([text for text in ctx.texts() if text.startswith("Pods are not looked at, only the Deployment: Kubernetes")]) == 1


def test_other_pods_with_the_same_labels_do_not_count_and_odd_ones_are_named(api):
    api.add("lottery-canary-of-somebody", "else:1", labels={"app": "lottery"})
    run("canary", leg="canary")
    whole = api.things.pods

    def odd():
        pods = whole()
        pods[0]["spec"]["containers"][0]["image"] = "mirror.io/lottery:1.5.0"
        pods[1]["metadata"]["deletionTimestamp"] = "2026-11-30T09:00:00Z"
        return pods

    api.things.pods = odd
    ctx = run(leg="base", config={"deployment": "lottery"})
    assert "Deployment lottery: 1 of 2 pods ready, 1 old still ending, running" in ctx.summary
    assert "Pod lottery-h2-0 runs lottery mirror.io/lottery:1.5.0." in ctx.texts()


def test_an_answer_that_passes_is_asked_again_and_a_refusal_is_not(api, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE_S", 60)
    for busy in ((429, "too many requests"), (503, "apiserver not ready"), (500, "etcd leader changed"), (504, "timeout")):
        api.fail = [busy, busy]
        ctx = run(new_version=f"1.{busy[0]}")
        told = f"Kubernetes answered GET deployments/lottery with {busy[0]}: {busy[1]}. It is asked again."
        assert ctx.texts().count(told) == 1 and api.fail == []
    for status_, message in ((403, "deployments.apps is forbidden"), (409, "object has been modified"), (422, "is invalid")):
        api.refuse = (status_, message)
        with pytest.raises(StepFailed, match=f"Kubernetes answered PATCH deployments/lottery with {status_}: {message}."):
            run()
    api.refuse = None
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.05)
    api.fail = [(503, "no")] * 50
    with pytest.raises(StepFailed, match="Kubernetes answered GET deployments/lottery with 503: no."):
        run()


def test_the_requests_of_each_step_are_few(api):
    """Counted as (reads, writes); a look while it waits is one read, twice here."""
    counted = {}
    for what, phase, more in (
        ("pre", "pre", {}), ("deploy", "deploy", {}), ("the same again", "deploy", {}), ("pre of a canary", "pre", {"leg": "canary"}),
        ("canary", "canary", {"leg": "canary", "new_version": "2"}), ("deploy after it", "deploy", {"leg": "full", "new_version": "2"}),
        ("post", "post", {"new_version": "2"}),
    ):
        api.calls.clear()
        run(phase, **more)
        counted[what] = (sum(verb == "get" for verb, _ in api.calls), sum(verb != "get" for verb, _ in api.calls))
    assert counted == {
        "pre": (2, 0), "deploy": (6, 1), "the same again": (4, 1), "pre of a canary": (3, 0), "canary": (6, 1),
        "deploy after it": (7, 2), "post": (2, 0),
    }
