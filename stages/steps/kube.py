"""The step that deploys to Kubernetes: it sets a Deployment's images and waits; for a canary it makes a gray Deployment.

Needs the official Python client (requirements/kubernetes.txt), which is imported when a step runs.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from stages.states import Phase

from . import kube_gray, kube_switch
from .awake import Limit
from .base import StepBroken, StepContext, StepFailed
from .cluster import Cluster, Refused
from .kube_work import Work
from .options import known_fields, refuse, text, whole_number
from .places import check_pattern

_FIELDS = (
    "kubeconfig", "namespace", "deployment", "container", "follow", "image", "gray_replicas", "service", "timeout_s",
)
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
MOST_FOLLOW = 20


class Kubernetes:
    """The phase decides what is done: pre looks whether it can be done, canary makes the gray Deployment, deploy sets the
    images, switch points the Services to the other colour, post waits until all is ready. An undo takes exactly that back.
    Each ends with what runs then, as the cluster says."""

    name = "kubernetes"
    label = "Kubernetes"

    def validate(self, config: Mapping[str, Any] | None) -> dict[str, Any]:
        """``{"kubeconfig", "namespace", "deployment", "container", "follow", "image", "gray_replicas", "service", "timeout_s"}``.

        deployment, container, follow and service may hold {service} and {colour}, image {service}; image has no tag, because
        the version is the tag. follow: further containers and initContainers, separated by commas, whose tag becomes the
        version too. Raises Invalid with a sentence.
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
        for field in ("deployment", "container", "service"):
            found[field] = self._pattern(field, config.get(field) or "{service}")
        found["follow"] = self._follow(config.get("follow") or "")
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

    def _follow(self, given: Any) -> str:
        """The names, each once, as one text."""
        if isinstance(given, list):
            given = ",".join(str(each) for each in given)
        if not isinstance(given, str):
            raise refuse("follow", "Write the names of the containers that follow, separated by commas.")
        names = list(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
        if len(names) > MOST_FOLLOW:
            raise refuse("follow", f"At most {MOST_FOLLOW} further containers can follow.")
        return ", ".join(self._pattern("follow", name) for name in names)

    def repeatable(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> bool:
        """Always: each call names the wanted state, and what was there before is stored first."""
        return True

    def made(self, config: Mapping[str, Any], memo: Mapping[str, Any]) -> str | None:
        """As StepKind.made."""
        where = f"in the namespace {config.get('namespace')} of {config.get('kubeconfig')}"
        if memo.get("gray"):
            return f"Deployment {memo['gray']} {where}"
        if memo.get("selectors"):
            return f"Services {', '.join(memo['selectors'])} {where}, which send to {memo.get('colour') or 'the other colour'}"
        return None

    def run(self, ctx: StepContext) -> str:
        """Carry out the phase. Raises StepFailed (the cluster says no, time is up) or StepBroken (no client, no access)."""
        name = str(ctx.config["kubeconfig"])
        path = settings.STEP_KUBECONFIGS.get(name)
        if path is None:
            raise StepBroken(f"The cluster {name} is no longer in GS2ADMIN_KUBECONFIGS.")
        limit = Limit(float(ctx.config["timeout_s"]))
        try:
            work = Work(ctx, Cluster(name, path, str(ctx.config["namespace"]), ctx, limit), limit)
            return _phase(work)
        except Refused as no:
            raise StepFailed(str(no)) from None


def _phase(work: Work) -> str:
    ctx = work.ctx
    match ctx.phase:
        case Phase.SWITCH:
            return kube_switch.switch_back(work) if ctx.undo else kube_switch.switch(work)
        case Phase.CANARY:
            return kube_gray.remove(work) if ctx.undo else kube_gray.make(work)
        case Phase.DEPLOY:
            return _put_back(work) if ctx.undo else _deploy(work)
        case Phase.PRE:
            return _look(work)
    return _check(work)


def _look(work: Work) -> str:
    """Whether the rollout can be done here; changes nothing and waits for nothing."""
    now = work.usable(work.name)
    if work.ctx.leg == "canary" and work.ctx.new_version:
        kube_gray.refuse_foreign(work)
    return work.report(now)


def _check(work: Work) -> str:
    """Wait until all pods are ready, and see that they are of this version."""
    summary, now = work.wait(work.name)
    if work.ctx.new_version and (other := work.other_versions(now)):
        raise StepFailed(f"Deployment {work.name} does not run {work.ctx.new_version}: {', '.join(other)}.")
    return summary


def _deploy(work: Work) -> str:
    ctx, now = work.ctx, work.usable(work.name)
    if "images" not in ctx.memo:
        ctx.remember(images=work.images_before(now), replicas=now["spec"].get("replicas", 1))
    if not ctx.new_version:
        work.scale(work.name, 0)
        summary, _ = work.wait(work.name)
        return f"{summary} It is scaled to 0; the Deployment itself stays."
    summary, _ = work.wait(work.name, work.set_images(now, work.wanted(now)))
    kube_gray.remove_after_deploy(work)
    return summary


def _put_back(work: Work) -> str:
    done = work.ctx.memo.get("done", {})
    # Steps of releases before this one remembered the image of one container.
    images = done.get("images") or ({work.container: done["image"]} if "image" in done else None)
    if images is None:
        return "Nothing had been changed, so nothing is put back."
    now = work.existing(work.name)
    stored = work.set_images(now, images)
    if not work.ctx.old_version:  # it went away with this deploy; otherwise its size is not ours
        work.scale(work.name, done.get("replicas") or 1)
    return work.wait(work.name, stored)[0]


KIND = Kubernetes()
