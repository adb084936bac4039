"""The answers of ASM: a Release as published. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from stages.states import Leg, RolloutState

S = RolloutState
KIND, API_VERSION = "Release", "asm/v2"
PHASE: dict[str, str] = {
    S.AWAITING_APPROVAL: "Pending",
    S.REJECTED: "Canceled",
    S.QUEUED: "Pending",
    S.RUNNING: "Creating",
    S.ROLLING_BACK: "Canceling",
    S.CANARY_ANALYZING: "Running",
    S.CANARY_HOLD: "Running",
    S.CANARY_REJECTING: "Canceling",
    S.CANARY_REJECTED: "Canceled",
    S.CANARY_TIMEOUT: "Canceled",
    S.CANCELING: "Canceling",
    S.CANCELED: "Canceled",
    S.SUCCEEDED: "Finished",
    S.FAILED: "Failed",
    S.ERRORED: "Failed",
}


def phase(state: str, leg: str) -> str:
    """Where the task stands; running is Creating while the gray version is made, Finishing after it was accepted."""
    return "Finishing" if state == S.RUNNING and leg == Leg.FULL else PHASE[state]


def time(at: datetime) -> str:
    """RFC 3339 in UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def deployment(name: str, namespace: str, *, replicas: int | None = None, version: str = "") -> dict[str, Any]:
    """A workload, with the parts that this server knows; the cluster has the rest. The version is a label."""
    labels = {"labels": {"version": version}} if version else {}
    spec = {"spec": {"replicas": replicas}} if replicas is not None else {}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace, **labels}, **spec}


def release(
    *,
    mesh: str,
    name: str,
    uid: str,
    namespace: str,
    spec: dict[str, Any],
    state: str,
    leg: str,
    began: datetime,
    changed: datetime,
    original: dict[str, Any],
    gray: list[dict[str, Any]],
) -> dict[str, Any]:
    """One Release, members in the published order."""
    return {
        "kind": KIND,
        "apiVersion": API_VERSION,
        "metadata": {"meshID": mesh, "name": name, "uid": uid, "namespace": namespace},
        "spec": {
            "serviceName": spec["serviceName"],
            "clusterID": spec["clusterID"],
            "deploymentName": spec["deploymentName"],
            "version": spec["version"],
            "type": spec["type"],
            "grayDeployments": [
                {"clusterID": each["clusterID"], "template": each["template"]} for each in spec["grayDeployments"]
            ],
        },
        "status": {
            "phase": phase(state, leg),
            "startTime": time(began),
            "updateTime": time(changed),
            "deployment": original or deployment(spec["deploymentName"], namespace),
            "grayDeployments": gray,
        },
    }


def release_list(items: list[dict[str, Any]]) -> dict[str, Any]:
    """GetAllReleases."""
    return {"kind": "ReleaseList", "apiVersion": API_VERSION, "items": items}
