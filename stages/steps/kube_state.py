"""What Deployments, Services and pods say of themselves, in words, and the Deployment beside another. Pure."""
from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .base import StepFailed
from .images import carries
from .text import clean_line, shortened

Object = Mapping[str, Any]
GRAY = "-gray"
LABEL = "gs2admin.io/gray"
#: Which rollout's step made a gray Deployment.
MADE_BY = "gs2admin.io/step"
#: Which colour a Service of blue/green sends to: a label of its pods.
COLOUR = "gs2admin.io/colour"
_POD_LISTS = ("containers", "initContainers")
#: What a gray Deployment takes over from the one that it stands beside.
_TAKEN = ("minReadySeconds", "progressDeadlineSeconds", "strategy")
_OPERATORS = {"In": "in", "NotIn": "notin"}


def images(pods: Object, which: Sequence[str] = _POD_LISTS) -> dict[str, str]:
    """{container: image} of a pod's spec, initContainers after the others."""
    return {each["name"]: str(each.get("image") or "") for part in which for each in pods.get(part) or []}


def template_images(deployment: Object) -> dict[str, str]:
    """{container: image} of what the Deployment makes pods of."""
    return images(deployment["spec"]["template"]["spec"])


def image_patch(deployment: Object, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The strategic merge patch of the pod template that sets these images, {container: image}."""
    pods: dict[str, Any] = {}
    for part in _POD_LISTS:
        here = images(deployment["spec"]["template"]["spec"], [part])
        found = [{"name": name, "image": wanted[name]} for name in here if name in wanted]
        if found:
            pods[part] = found
    return {"template": {"spec": pods}}


def containers_sentence(deployment: Object) -> str:
    """Which containers it has: "It has game, proxy and the initContainer migrate"."""
    pods = deployment["spec"]["template"]["spec"]
    plain, first = (list(images(pods, [part])) for part in _POD_LISTS)
    more = f" and the initContainer{'s' if len(first) > 1 else ''} {', '.join(first)}" if first else ""
    return f"It has {', '.join(plain)}{more}"


def runs(found: Mapping[str, str]) -> str:
    """Images for people: "lottery registry/lottery:1.5.0, proxy proxy:1"; at most ten."""
    named = [f"{name} {image}" for name, image in found.items()]
    return ", ".join(named[:10]) + (f" and {len(named) - 10} more" if len(named) > 10 else "")


def strange(deployment: Object, wanted: Mapping[str, str]) -> list[str]:
    """Where the Deployment has another image than wanted: "lottery has x:1, not x:2"."""
    here = template_images(deployment)
    return [
        f"{name} has {here[name]}, not {image}" if name in here else f"there is no container {name} any more"
        for name, image in wanted.items() if here.get(name) != image
    ]


def not_of(deployment: Object, names: Iterable[str], version: str) -> list[str]:
    """The containers among `names` whose image is not that version: "lottery x:1"."""
    here = template_images(deployment)
    return [f"{name} {here.get(name, '(not there)')}" for name in names if not carries(here.get(name, ""), version)]


def progress(deployment: Object) -> tuple[bool, str]:
    """(whether it is ready, how far it is, in words). Raises StepFailed when the cluster has given up."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    generation = deployment["metadata"].get("generation", 0)
    if (status.get("observedGeneration") or 0) < generation:
        return False, f"the cluster has not seen the change yet (generation {generation})"
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    stopped = conditions.get("Progressing", {})
    if stopped.get("reason") == "ProgressDeadlineExceeded":
        raise StepFailed(f"Kubernetes gave up: {_text(stopped) or 'its progress deadline is exceeded'}")
    wanted = 1 if spec.get("replicas") is None else spec["replicas"]
    updated, ready, available, total = (
        status.get(key) or 0 for key in ("updatedReplicas", "readyReplicas", "availableReplicas", "replicas")
    )
    if updated == available == total == wanted:
        return True, f"{wanted} of {wanted} pods ready" if wanted else "it has 0 replicas, so no pod runs"
    why = f"{available} of {wanted} pods available, {updated} of them new"
    if spec.get("paused"):
        why += "; it is paused, so no pod is replaced"
    if total > updated:
        why += f"; {total - updated} old still there"
    if ready > available and spec.get("minReadySeconds"):
        why += f"; {ready} ready, but each has to be for {spec['minReadySeconds']} s (minReadySeconds)"
    if conditions.get("ReplicaFailure", {}).get("status") == "True":
        why += f"; {_text(conditions['ReplicaFailure'])}"
    return False, why


def _text(condition: Object) -> str:
    return shortened(clean_line(str(condition.get("message") or condition.get("reason") or "")), 300)


def gray_of(original: Object, name: str, wanted: Mapping[str, str], replicas: int, made_by: str) -> dict[str, Any]:
    """The Deployment beside `original`: its pods, with these images, {container: image}, and a label of their own."""
    template = copy.deepcopy(dict(original["spec"]["template"]))
    for part in _POD_LISTS:
        for each in template["spec"].get(part) or []:
            each["image"] = wanted.get(each["name"], each.get("image"))
    labels = {**(template.get("metadata", {}).get("labels") or {}), LABEL: "true"}
    notes = template.get("metadata", {}).get("annotations")
    template["metadata"] = {"labels": labels, **({"annotations": notes} if notes else {})}
    selector = copy.deepcopy(dict(original["spec"]["selector"]))
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), LABEL: "true"}
    taken = {key: copy.deepcopy(original["spec"][key]) for key in _TAKEN if original["spec"].get(key) is not None}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {LABEL: "true"}, "annotations": {MADE_BY: made_by}},
        "spec": {**taken, "replicas": replicas, "selector": selector, "template": template},
    }


def is_ours(deployment: Object) -> bool:
    """Whether a step of ours made this gray Deployment."""
    return (deployment["metadata"].get("labels") or {}).get(LABEL) == "true"


def maker(deployment: Object) -> str:
    """The key of the step that made it, such as "default/415/12"; "" when it is not known."""
    return str((deployment["metadata"].get("annotations") or {}).get(MADE_BY) or "")


def pods_selector(deployment: Object) -> str:
    """The label selector of the Deployment's pods, as the API's query has it; without those of its gray Deployment."""
    selector = deployment["spec"]["selector"]
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or []:
        key, operator, values = each["key"], each["operator"], ",".join(each.get("values") or [])
        parts.append({"Exists": key, "DoesNotExist": f"!{key}"}.get(operator) or f"{key} {_OPERATORS[operator]} ({values})")
    if LABEL not in (selector.get("matchLabels") or {}):
        parts.append(f"!{LABEL}")
    return ",".join(parts)


def own_pods(deployment: Object, pods: Iterable[Object]) -> list[Object]:
    """Those of the pods that this Deployment made: their ReplicaSet is called like it. Others may have the same labels."""
    name = deployment["metadata"]["name"]
    found = []
    for pod in pods:
        labels = pod["metadata"].get("labels") or {}
        owners = [owner.get("name") for owner in pod["metadata"].get("ownerReferences") or []]
        if f"{name}-{labels.get('pod-template-hash')}" in owners:
            found.append(pod)
    return found


def is_ready(pod: Object) -> bool:
    """Whether it gets traffic from Services."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and not pod["metadata"].get("deletionTimestamp")


def trouble(pods: Iterable[Object]) -> str:
    """Why pods do not run: "Container lottery of lottery-5d-x: ImagePullBackOff, not found"; "" when none says so."""
    for pod in pods:
        status = pod.get("status") or {}
        states = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
        for each in states:
            waiting = (each.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") not in {None, "ContainerCreating", "PodInitializing"}:
                return f"Container {each['name']} of {pod['metadata']['name']}: {_reason(waiting)}"
        for condition in status.get("conditions") or []:
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return f"Pod {pod['metadata']['name']}: {_reason(condition)}"
    return ""


def _reason(thing: Object) -> str:
    message = shortened(clean_line(str(thing.get("message") or "")), 300)
    return f"{thing.get('reason')}{f', {message}' if message else ''}"
