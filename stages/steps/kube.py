"""The step that deploys to Kubernetes: it sets a Deployment's image and waits; for a canary it makes a gray Deployment.

Needs the official Python client (requirements/kubernetes.txt), which is imported when a step runs.
"""
from __future__ import annotations

import copy
import re
import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from stages.states import Phase

from .base import NOTE, StepBroken, StepContext, StepFailed
from .cluster import Cluster, Refused
from .options import known_fields, refuse, text, whole_number
from .places import check_pattern, filled

#: The pause between two looks at a Deployment that is not ready. s.
LOOK_S = 1.0
_FIELDS = ("kubeconfig", "namespace", "deployment", "container", "image", "gray_replicas", "service", "timeout_s")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
GRAY = "-gray"
LABEL = "gs2admin.io/gray"
#: Which colour a Service of blue/green sends to: a label of its pods.
COLOUR = "gs2admin.io/colour"


class Kubernetes:
    """The phase decides what is done: pre and post wait until the Deployment is ready, canary makes the gray Deployment,
    deploy sets the image, switch points the Services to the other colour. An undo takes exactly that back."""

    name = "kubernetes"
    label = "Kubernetes"

    def validate(self, config: Mapping[str, Any] | None) -> dict[str, Any]:
        """``{"kubeconfig", "namespace", "deployment", "container", "image", "gray_replicas", "service", "timeout_s"}``.

        deployment, container and service may hold {service} and {colour}, image {service}; image has no tag, because
        the version is the tag. Raises Invalid with a sentence.
        """
        config = known_fields(config, kind=self.name, fields=_FIELDS)
        if not settings.STEP_KUBECONFIGS:
            raise refuse(
                "kubeconfig",
                "No cluster is allowed here yet: GS2ADMIN_KUBECONFIGS is empty."
                " The administrator sets it, for example GS2ADMIN_KUBECONFIGS=tokyo=/etc/gs2admin/tokyo.yaml.",
            )
        names = ", ".join(sorted(settings.STEP_KUBECONFIGS))
        kubeconfig = text(config, "kubeconfig", hint=f"choose one of {names}.", longest=64)
        if kubeconfig not in settings.STEP_KUBECONFIGS:
            raise refuse("kubeconfig", f"There is no cluster called {kubeconfig!r}: choose one of {names}.")
        namespace = text(config, "namespace", hint="write the namespace, such as game.", longest=63).strip()
        if not _NAME.fullmatch(namespace):
            raise refuse("namespace", "A namespace has small letters, digits and hyphens, such as game.")
        found: dict[str, Any] = {"kubeconfig": kubeconfig, "namespace": namespace}
        for field, default in (("deployment", "{service}"), ("container", "{service}"), ("service", "{service}")):
            found[field] = self._pattern(field, config.get(field) or default)
        hint = "write it without a tag, such as registry.example.com/game/{service}."
        image = text(config, "image", hint=hint, longest=400).strip()
        if ":" in image.rpartition("/")[2] or "@" in image:
            raise refuse("image", "Write the image without a tag: the version is the tag.")
        found["image"] = self._pattern("image", image)
        found["gray_replicas"] = whole_number(config, "gray_replicas", default=1, low=1, high=100)
        found["timeout_s"] = whole_number(config, "timeout_s", default=600, low=1, high=3600)
        return found

    @staticmethod
    def _pattern(field: str, pattern: Any) -> str:
        try:
            return check_pattern(str(pattern))
        except ValueError as error:
            raise refuse(field, str(error)) from None

    def repeatable(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> bool:
        """Always: each call names the wanted state, and what was there before is stored first."""
        return True

    def run(self, ctx: StepContext) -> str:
        """Carry out the phase. Raises StepFailed (the cluster says no, time is up) or StepBroken (no client, no access)."""
        path = settings.STEP_KUBECONFIGS.get(ctx.config["kubeconfig"])
        if path is None:
            raise StepBroken(f"The cluster {ctx.config['kubeconfig']} is no longer in GS2ADMIN_KUBECONFIGS.")
        work = _Work(ctx, Cluster(path, str(ctx.config["namespace"]), ctx.tick))
        try:
            return work.phase()
        except Refused as no:
            raise StepFailed(str(no)) from None


class _Work:
    """One attempt of one step."""

    def __init__(self, ctx: StepContext, cluster: Cluster) -> None:
        self.ctx, self.cluster = ctx, cluster
        self.deadline = time.monotonic() + float(ctx.config["timeout_s"])
        words = {"service": ctx.microservice, "stage": ctx.stage, "project": ctx.project, "colour": ctx.colour or "blue"}
        self.words = words
        if ctx.phase != Phase.SWITCH:
            self.name, self.container = (filled(ctx.config[field], words) for field in ("deployment", "container"))
            self.image = f"{filled(ctx.config['image'], words)}:{ctx.new_version}"

    def phase(self) -> str:
        ctx = self.ctx
        if ctx.phase == Phase.SWITCH:
            return self._switch()
        if ctx.phase == Phase.CANARY:
            return self._remove_gray() if ctx.undo else self._make_gray()
        if ctx.phase == Phase.DEPLOY:
            return self._put_back() if ctx.undo else self._deploy()
        if ctx.phase == Phase.PRE and not ctx.old_version and self.cluster.deployment(self.name) is None:
            raise StepFailed(f"There is no Deployment {self.name}: it has to be made before its first version can go there.")
        return self._wait(self.name)

    def _deploy(self) -> str:
        now = self._existing(self.name)
        if "image" not in self.ctx.memo:
            self.ctx.remember(image=self._image_of(now), replicas=now["spec"].get("replicas", 1))
        if not self.ctx.new_version:
            self.cluster.patch_deployment(self.name, {"spec": {"replicas": 0}})
            return f"{self._wait(self.name)} It is scaled to 0; the Deployment itself stays."
        self._set_image(self.name, self.image)
        summary = self._wait(self.name)
        if self.cluster.delete_deployment(self.name + GRAY):
            self.ctx.emit(f"The gray Deployment {self.name}{GRAY} is removed: everybody has its version now.", NOTE)
        return summary

    def _put_back(self) -> str:
        done = self.ctx.memo.get("done", {})
        if "image" not in done:
            return "Nothing had been changed, so nothing is put back."
        self._set_image(self.name, done["image"], replicas=done["replicas"])
        return self._wait(self.name)

    def _make_gray(self) -> str:
        gray = self.name + GRAY
        if not self.ctx.new_version:
            return f"{self.ctx.microservice} goes away, so it has no gray part."
        original = self._existing(self.name)
        body = gray_of(original, gray, self.container, self.image, int(self.ctx.config["gray_replicas"]))
        self.ctx.remember(gray=gray)
        if self.cluster.deployment(gray) is None:
            self.cluster.create_deployment(body)
            self.ctx.emit(f"Deployment {gray} is made with {self.image}.", NOTE)
        else:
            self._set_image(gray, self.image, replicas=int(self.ctx.config["gray_replicas"]))
        return self._wait(gray)

    def _remove_gray(self) -> str:
        gray = self.ctx.memo.get("done", {}).get("gray")
        if not gray:
            return "No gray Deployment had been made."
        self.cluster.delete_deployment(gray)
        while self.cluster.deployment(gray) is not None:
            self._pause(f"Deployment {gray} is still there")
        return f"Deployment {gray} is removed."

    def _switch(self) -> str:
        pattern, services = self.ctx.config["service"], self.ctx.config.get("services", [])
        names = [filled(pattern, {**self.words, "service": each}) for each in services]
        for name in names:
            self.cluster.patch_service(name, {"spec": {"selector": {COLOUR: self.ctx.colour}}})
            self.ctx.emit(f"Service {name} sends to {self.ctx.colour} now.", NOTE)
        return f"{len(names)} Services send to {self.ctx.colour} now."

    def _set_image(self, name: str, image: str, *, replicas: int | None = None) -> None:
        spec: dict[str, Any] = {"template": {"spec": {"containers": [{"name": self.container, "image": image}]}}}
        if replicas is not None:
            spec["replicas"] = replicas
        self.cluster.patch_deployment(name, {"spec": spec})
        self.ctx.emit(f"Deployment {name}: image {image}.", NOTE)

    def _existing(self, name: str) -> dict[str, Any]:
        found = self.cluster.deployment(name)
        if found is None:
            raise StepFailed(f"There is no Deployment {name} in the namespace {self.ctx.config['namespace']}.")
        return found

    def _image_of(self, deployment: Mapping[str, Any]) -> str:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            if container["name"] == self.container:
                return str(container["image"])
        raise StepFailed(f"Deployment {self.name} has no container {self.container}.")

    def _wait(self, name: str) -> str:
        """Until every replica is the new one and available. Raises StepFailed when the cluster gives up, or time is up."""
        before = ""
        while True:
            now = self._existing(name)
            ready, why = progress(now)
            if ready:
                return f"Deployment {name} has {why}."
            if why != before:
                before = why
                self.ctx.emit(f"Deployment {name}: {why}.", NOTE)
            self._pause(f"Deployment {name} was not ready: {why}")

    def _pause(self, why: str) -> None:
        until = min(time.monotonic() + LOOK_S, self.deadline)
        while (left := until - time.monotonic()) > 0:
            self.ctx.tick()
            time.sleep(min(0.1, left))
        if time.monotonic() >= self.deadline:
            raise StepFailed(f"{why} when the {self.ctx.config['timeout_s']} s of this step were over.")


def progress(deployment: Mapping[str, Any]) -> tuple[bool, str]:
    """(whether it is ready, how far it is, in words). Raises StepFailed when the cluster has given up."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    if (status.get("observedGeneration") or 0) < deployment["metadata"].get("generation", 0):
        return False, "the cluster has not seen the change yet"
    for condition in status.get("conditions") or []:
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            raise StepFailed(f"Kubernetes gave up: {condition.get('message') or 'its progress deadline is exceeded'}")
    wanted = spec.get("replicas", 1)
    updated, available, total = (status.get(key) or 0 for key in ("updatedReplicas", "availableReplicas", "replicas"))
    ready = updated == wanted and available == wanted and total == wanted
    return ready, f"{available} of {wanted} replicas available, {updated} of them new" if not ready else f"{wanted} replicas"


def gray_of(original: Mapping[str, Any], name: str, container: str, image: str, replicas: int) -> dict[str, Any]:
    """The Deployment beside `original`: its pods, with another image and a label of their own."""
    template = copy.deepcopy(dict(original["spec"]["template"]))
    for each in template["spec"]["containers"]:
        if each["name"] == container:
            each["image"] = image
    labels = {**(template.get("metadata", {}).get("labels") or {}), LABEL: "true"}
    notes = template.get("metadata", {}).get("annotations")
    template["metadata"] = {"labels": labels, **({"annotations": notes} if notes else {})}
    match = {**(original["spec"]["selector"].get("matchLabels") or {}), LABEL: "true"}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {LABEL: "true"}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": match}, "template": template},
    }


KIND = Kubernetes()
