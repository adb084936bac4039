"""The gray Deployment of a canary: made beside the one that runs, and removed when it has done its work."""
from __future__ import annotations

from typing import Any

from . import kube_state as state
from .base import NOTE, StepFailed
from .cluster import Refused
from .kube_work import Work

#: The pause between two looks whether it is gone. s.
GONE_S = 1.0


def refuse_foreign(work: Work) -> dict[str, Any] | None:
    """The gray Deployment that is there already. Raises StepFailed when it is not one of ours."""
    name = work.name + state.GRAY
    found = work.cluster.deployment(name)
    if found is not None and not state.is_ours(found):
        raise StepFailed(
            f"There is a Deployment {name} already that gs2admin did not make (it lacks the label {state.LABEL}=true), so it is"
            " left alone and no canary is made. Rename or remove it."
        )
    return found


def make(work: Work) -> str:
    """Make it, or bring the one that is left from before up to this version; wait until it is ready."""
    ctx, gray = work.ctx, work.name + state.GRAY
    if not ctx.new_version:
        return f"{ctx.microservice} goes away, so it has no gray part."
    original = work.usable(work.name)
    found = refuse_foreign(work)
    wanted = work.wanted(original)
    body = state.gray_of(original, gray, wanted, int(ctx.config["gray_replicas"]), ctx.key)
    ctx.remember(gray=gray, made_by=ctx.key)
    if found is not None and (found["metadata"].get("deletionTimestamp") or not _same_selector(found, body)):
        _delete(work, found)
        found = None
    if found is None:
        try:
            stored = work.cluster.create_deployment(gray, body)
            ctx.emit(f"Deployment {gray} is made beside {work.name}: {state.runs(wanted)}.", NOTE)
        except Refused as no:
            if no.status != 409:
                raise
            found = refuse_foreign(work)  # an earlier try had reached the cluster, or somebody was faster
            if found is None:
                raise
    if found is not None:
        stored = _renew(work, found, body)
    return work.wait(gray, work.accepted(stored, wanted))[0]


def _same_selector(found: state.Object, body: state.Object) -> bool:
    """A Deployment's selector can never be changed."""
    return found["spec"]["selector"] == body["spec"]["selector"]


def _renew(work: Work, found: state.Object, body: dict[str, Any]) -> dict[str, Any]:
    """Give the gray Deployment that is there the template of today; what it had of its own is replaced."""
    gray, before = found["metadata"]["name"], state.maker(found)
    if before != work.ctx.key:
        work.ctx.emit(f"Deployment {gray} was there{f', made by {before}' if before else ''}; it gets this version now.", NOTE)
    spec = {key: value for key, value in body["spec"].items() if key != "selector"}
    spec["template"] = {"$patch": "replace", **spec["template"]}
    if isinstance(spec.get("strategy"), dict):
        spec["strategy"] = {"$patch": "replace", **spec["strategy"]}
    metadata = {"annotations": body["metadata"]["annotations"]}
    return work.cluster.patch_deployment(gray, {"metadata": metadata, "spec": {**spec, "paused": None}})


def remove(work: Work) -> str:
    """Take back what `make` did, and wait until the last of its pods has ended."""
    gray = work.ctx.memo.get("done", {}).get("gray")
    if not gray:
        return "No gray Deployment had been made."
    found = work.cluster.deployment(gray)
    if found is None:
        return f"Deployment {gray} is not there any more."
    if not state.is_ours(found):
        raise StepFailed(f"Deployment {gray} lost its label {state.LABEL}=true, so it is left alone. Remove it by hand.")
    mine = work.ctx.memo["done"].get("made_by")
    if mine and state.maker(found) not in {"", mine}:
        return f"Deployment {gray} is another rollout's by now ({state.maker(found)}), so it stays."
    _delete(work, found)
    return f"Deployment {gray} is removed, and its pods have ended."


def remove_after_deploy(work: Work) -> None:
    """Remove it, if it is there and ours: everybody has its version now."""
    gray = work.name + state.GRAY
    found = work.cluster.deployment(gray)
    if found is None:
        return
    if not state.is_ours(found):
        work.ctx.emit(f"There is a Deployment {gray} that gs2admin did not make; it is left alone.", NOTE)
        return
    _delete(work, found)
    work.ctx.emit(f"The gray Deployment {gray} is removed: everybody has its version now.", NOTE)


def _delete(work: Work, found: state.Object) -> None:
    name, uid = found["metadata"]["name"], str(found["metadata"].get("uid") or "")
    if not found["metadata"].get("deletionTimestamp"):
        work.cluster.delete_deployment(name, uid)
    while (now := work.cluster.deployment(name)) is not None and now["metadata"].get("uid", "") == uid:
        work.limit.check(f"Deployment {name} and its pods were gone")
        work.cluster.pause(GONE_S)
