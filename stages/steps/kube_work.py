"""What the phases of a Kubernetes step share: looking at a Deployment, changing it, and reading back what runs."""
from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from . import kube_state as state
from .awake import Limit
from .base import NOTE, StepBroken, StepContext, StepFailed
from .cluster import MOST_PODS, Cluster, Refused
from .images import carries, is_tag, parse, tagged
from .places import filled

#: The pause between two looks at a Deployment that is not ready: at first, and at most. s.
LOOK_S, SLOW_LOOK_S = 1.0, 5.0
#: After so long without being ready its pods are asked why, and again each time so long has passed; also this long before
#: the step's time is up, so that its end can say why. s.
WHY_S, LAST_WHY_S = 10.0, 3.0
Deployment = dict[str, Any]


class Work:
    """One attempt of one step. name: of the Deployment; container: the one whose image is set."""

    def __init__(self, ctx: StepContext, cluster: Cluster, limit: Limit) -> None:
        self.ctx, self.cluster, self.limit = ctx, cluster, limit
        self.namespace = str(ctx.config["namespace"])
        self.words = {
            "service": ctx.microservice, "stage": ctx.stage, "project": ctx.project, "colour": ctx.colour or "blue",
        }
        self.name, self.container = self.filled("deployment"), self.filled("container")
        follow = [self._fill(each.strip()) for each in str(ctx.config.get("follow") or "").split(",") if each.strip()]
        self.follow = [name for name in follow if name != self.container]
        self._pods_refused = self._pods_partial = False

    def filled(self, field: str, **words: str) -> str:
        """The setting with its words filled in; words: others than this step's."""
        return self._fill(str(self.ctx.config[field]), **words)

    def _fill(self, pattern: str, **words: str) -> str:
        try:
            return filled(pattern, {**self.words, **words})
        except ValueError as problem:
            raise StepBroken(f"The settings of the target {self.ctx.target} can not be used: {problem}") from None

    # Looking

    def existing(self, name: str) -> Deployment:
        """The Deployment. Raises StepFailed when there is none."""
        found = self.cluster.deployment(name)
        if found is None:
            raise StepFailed(
                f"There is no Deployment {name} in the namespace {self.namespace}."
                + ("" if self.ctx.old_version else " It has to be made before its first version can go there.")
            )
        return found

    def usable(self, name: str) -> Deployment:
        """The Deployment, when this step's version can go there. Raises StepFailed with what is in the way."""
        now = self.existing(name)
        here = state.template_images(now)
        missing = [each for each in (self.container, *self.follow) if each not in here]
        if missing:
            raise StepFailed(
                f"Deployment {name} has no container called {' or '.join(missing)}. {state.containers_sentence(now)}."
                f" Choose among them in the settings of the target {self.ctx.target}."
            )
        version = self.ctx.new_version
        if version and not is_tag(version):
            raise StepFailed(f"The version {version} can not be an image's tag: a tag has letters, digits, '.', '_' and '-'.")
        if now["spec"].get("paused"):
            raise StepFailed(
                f"Deployment {name} is paused: it would take the image and start no pod."
                f" Resume it first (kubectl -n {self.namespace} rollout resume deployment/{name})."
            )
        wait_s = now["spec"].get("minReadySeconds") or 0
        if wait_s >= self.limit.seconds:
            raise StepFailed(
                f"A pod of Deployment {name} has to be ready for {wait_s} s (minReadySeconds) until it counts, longer than the"
                f" {self.limit.seconds:g} s of this step. Give it more time in the settings of the target {self.ctx.target}."
            )
        return now

    def wanted(self, deployment: Deployment) -> dict[str, str]:
        """{container: image} of this version: the setting's image, and of each container that follows its own repository."""
        here, version = state.template_images(deployment), str(self.ctx.new_version)
        return {
            self.container: f"{self.filled('image')}:{version}", **{name: tagged(here[name], version) for name in self.follow},
        }

    def images_before(self, deployment: Deployment) -> dict[str, str]:
        """{container: image} of what this step may change, as it is now."""
        here = state.template_images(deployment)
        return {name: here[name] for name in (self.container, *self.follow)}

    def other_versions(self, deployment: Deployment) -> list[str]:
        """The containers of this step that have another version: "lottery x:1"."""
        return state.not_of(deployment, (self.container, *self.follow), str(self.ctx.new_version))

    # Changing

    def set_images(self, now: Deployment, wanted: Mapping[str, str]) -> dict[str, str]:
        """Set the images of the Deployment `now`; returns {container: image} as the cluster stored them.

        Raises StepFailed when it stored something else than this version.
        """
        name = now["metadata"]["name"]
        gone = [container for container in wanted if container not in state.template_images(now)]
        if gone:
            raise StepFailed(f"Deployment {name} has no container {', '.join(gone)} any more. {state.containers_sentence(now)}.")
        stored = self.cluster.patch_deployment(name, {"spec": state.image_patch(now, wanted)})
        if stored["metadata"].get("generation") == now["metadata"].get("generation"):
            self.ctx.emit(f"Deployment {name} has these images already, so no pod is replaced: {state.runs(wanted)}.", NOTE)
        else:
            self.ctx.emit(f"Deployment {name}: image {state.runs(wanted)}.", NOTE)
        return self.accepted(stored, wanted)

    def accepted(self, stored: Deployment, wanted: Mapping[str, str]) -> dict[str, str]:
        """{container: image} as stored; a cluster may make a digest or a mirror of what was sent, never another version."""
        here = state.template_images(stored)
        for name, image in wanted.items():
            if here.get(name) == image:
                continue
            if not carries(here.get(name, ""), parse(image).tag):
                raise StepFailed(f"The cluster did not take the image: {'; '.join(state.strange(stored, wanted))}.")
            self.ctx.emit(f"The cluster made {here[name]} of {image}.", NOTE)
        return {name: here[name] for name in wanted}

    def scale(self, name: str, replicas: int) -> None:
        """Set the number of pods."""
        self.cluster.patch_deployment(name, {"spec": {"replicas": replicas}})
        self.ctx.emit(f"Deployment {name}: {replicas} replicas.", NOTE)

    # Reading back

    def wait(self, name: str, images: Mapping[str, str] | None = None) -> tuple[str, Deployment]:
        """Until every pod is of the present template and available; returns what runs, and the Deployment.

        images: {container: image} that it has to keep meanwhile. Raises StepFailed when the cluster gives up, when something
        else changes the Deployment, or at the step's limit.
        """
        before, began, why_not, pause = "", time.monotonic(), "", LOOK_S
        ask_at = min(began + WHY_S, self.limit.until - LAST_WHY_S)
        why = ""
        while True:
            try:
                now = self.existing(name)
            except StepFailed:
                if self.limit.over and why:  # what it waited for says more than the last look, which came too late
                    raise self.limit.passed(f"Deployment {name} was ready", why) from None
                raise
            if other := state.strange(now, images or {}):
                raise StepFailed(f"Something else changed Deployment {name} after this step: {'; '.join(other)}.")
            ready, why = self._progress(now)
            if ready:
                return self.report(now), now
            if time.monotonic() >= ask_at:
                why_not, last = self._why_not(now), self.limit.until - LAST_WHY_S
                ask_at = min(time.monotonic() + WHY_S, last if time.monotonic() < last else self.limit.until)
            if why_not:
                why += f". {why_not}"
            if why != before:
                before = why
                self.ctx.emit(f"Deployment {name}: {why}.", NOTE)
            self.cluster.pause(pause)
            if self.limit.over:
                raise self.limit.passed(f"Deployment {name} was ready", why)
            pause = min(SLOW_LOOK_S, LOOK_S * (1 + (time.monotonic() - began) / 15))

    def _progress(self, now: Deployment) -> tuple[bool, str]:
        try:
            return state.progress(now)
        except StepFailed as given_up:
            why = self._why_not(now)
            raise StepFailed(f"{given_up}{f' {why}.' if why else ''}") from None

    def _why_not(self, now: Deployment) -> str:
        try:
            pods = self.pods(now)
        except StepFailed:  # the step's time is up, which is not worth hiding what it waited for
            return ""
        return state.trouble(pods) if pods else ""

    def pods(self, deployment: Deployment) -> list[state.Object] | None:
        """The Deployment's own pods; None when they may not be listed, which is said once."""
        if self._pods_refused:
            return None
        try:
            found = self.cluster.pods(state.pods_selector(deployment))
        except Refused as no:
            self._pods_refused = True
            self.ctx.emit(f"Pods are not looked at, only the Deployment: {no}", NOTE)
            return None
        self._pods_partial = len(found) >= MOST_PODS
        return state.own_pods(deployment, found)

    def report(self, now: Deployment) -> str:
        """What runs, as the cluster says: pods, generation, and the image of every container."""
        name, status = now["metadata"]["name"], now.get("status") or {}
        wanted = 1 if now["spec"].get("replicas") is None else now["spec"]["replicas"]
        images = state.template_images(now)
        seen = f"generation {now['metadata'].get('generation', 0)}"
        if (status.get("observedGeneration") or 0) < now["metadata"].get("generation", 0):
            seen += ", not seen by the cluster yet"
        pods, count, ending = self.pods(now), status.get("readyReplicas") or 0, 0
        ready = [pod for pod in pods or [] if state.is_ready(pod)]
        if pods is not None and not self._pods_partial:
            count, ending = len(ready), sum(bool(pod["metadata"].get("deletionTimestamp")) for pod in pods)
        for pod in ready:
            other = [f"{key} {image}" for key, image in state.images(pod["spec"]).items() if images.get(key, image) != image]
            if other:
                self.ctx.emit(f"Pod {pod['metadata']['name']} runs {', '.join(other)}.", NOTE)
        more = f", {ending} old still ending" if ending else ""
        return f"Deployment {name}: {count} of {wanted} pods ready{more}, running {state.runs(images)} ({seen})."
