"""Releases as they are read: those made here, and canary rollouts that were started elsewhere, shown as releases."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery

from gs2admin.identity.models import Project
from stages.api.asm import shapes
from stages.core.versions import Change, differences, effective
from stages.models import Output, Rollout, Step
from stages.states import Leg, Phase, RolloutState, StepState, Strategy

# The published list has no pages; what ended long ago is in the history.
LISTED = 200
# The states in which gray Deployments may exist.
UP = frozenset({RolloutState.RUNNING, RolloutState.CANARY_HOLD, RolloutState.CANARY_ANALYZING})
_ELSEWHERE = re.compile(r"rollout-([1-9][0-9]{0,8})-(.+)", re.DOTALL)


def releases(project: Project) -> QuerySet[Rollout]:
    """The rollouts that are releases, newest first.

    output_at: when the last line of output was written. gray_steps: those that have made a gray Deployment.
    """
    gray = Step.objects.filter(phase=Phase.CANARY, leg=Leg.CANARY, kind="kubernetes", state=StepState.SUCCEEDED)
    last = Output.objects.filter(rollout=OuterRef("pk")).order_by("-seq").values("at")[:1]
    return (
        Rollout.objects.of_project(project.pk)
        .filter(Q(release__isnull=False) | Q(strategy=Strategy.CANARY))
        .select_related("release", "stage", "from_set", "to_set")
        .prefetch_related(Prefetch("steps", gray, to_attr="gray_steps"))
        .annotate(output_at=Subquery(last))
    )


def find(project: Project, namespace: str, uid: str) -> Rollout | None:
    """The rollout behind a release's id in a namespace, or None."""
    elsewhere = _ELSEWHERE.fullmatch(uid)
    if elsewhere:
        row = releases(project).filter(number=int(elsewhere[1]), release=None, stage__name=namespace).first()
        return row if row and any(change.name == elsewhere[2] for change in _changes(row)) else None
    try:
        return releases(project).filter(release__uid=uuid.UUID(uid), release__namespace=namespace).first()
    except ValueError:
        return None


def as_releases(project: Project, row: Rollout, uid: str | None = None) -> Iterator[dict[str, Any]]:
    """A rollout as published Releases: itself, or one per microservice for a canary that was started elsewhere."""
    if hasattr(row, "release"):
        yield _made_here(project, row)
        return
    for change in _changes(row):
        if uid is None or uid == _uid(row, change):
            yield _started_elsewhere(project, row, change)


def _made_here(project: Project, row: Rollout) -> dict[str, Any]:
    stored = row.release
    return shapes.release(
        mesh=project.name,
        name=stored.name,
        uid=str(stored.uid),
        namespace=stored.namespace,
        spec=stored.spec,
        state=row.state,
        leg=row.leg,
        began=row.created_at,
        changed=_changed(row, stored.updated_at),
        original=stored.deployment,
        gray=_gray(row),
    )


def _started_elsewhere(project: Project, row: Rollout, change: Change) -> dict[str, Any]:
    stage = row.stage
    return shapes.release(
        mesh=project.name,
        name=_name(_uid(row, change)),
        uid=_uid(row, change),
        namespace=stage.name,
        spec={
            "serviceName": change.name,
            "clusterID": str(stage.config.get("clusterUuid") or stage.config.get("clusterNo") or stage.name),
            "deploymentName": change.name,
            "version": change.new,
            "type": "canary",
            "grayDeployments": [],
        },
        state=row.state,
        leg=row.leg,
        began=row.created_at,
        changed=_changed(row),
        original={},
        gray=_gray(row, change.name),
    )


def _gray(row: Rollout, service: str | None = None) -> list[dict[str, Any]]:
    """The gray Deployments of a rollout that is in one of the states UP; service: only of that microservice."""
    if row.state not in UP:
        return []
    return [
        shapes.deployment(
            step.memo["gray"], step.config["namespace"], replicas=step.config.get("gray_replicas"), version=step.new_version
        )
        for step in row.gray_steps
        if step.memo.get("gray") and service in (None, step.microservice)
    ]


def _changes(row: Rollout) -> list[Change]:
    return effective(differences(row.from_set.versions if row.from_set else {}, row.to_set.versions))


def _changed(row: Rollout, *more: datetime) -> datetime:
    moments = (row.created_at, row.started_at, row.ended_at, row.output_at, *more)
    return max(moment for moment in moments if moment is not None)


def _uid(row: Rollout, change: Change) -> str:
    return f"rollout-{row.number}-{change.name}"


def _name(uid: str) -> str:
    """A name by the published rule: 4 to 64 of a-z, 0-9 and hyphens, no hyphen at the end. The uid has the whole text."""
    return re.sub(r"[^a-z0-9-]", "-", uid.lower())[:64].rstrip("-")
