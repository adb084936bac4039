"""Stages by SourceDeploy: a stage's type and where it deploys to."""

from __future__ import annotations

from typing import Any

from gs2admin.errors import Invalid
from gs2admin.wire.protocol import Reply, Request
from gs2admin.wire.reading import plain, read
from stages.api.find import viewing
from stages.api.sourcedeploy import bodies
from stages.api.sourcedeploy.find import page_of, project_of, stage_of
from stages.api.sourcedeploy.shapes import named
from stages.models import Stage, Target
from stages.setup.stage_types import create_typed_stage, update_typed_stage
from stages.setup.stages import delete_stage
from stages.states import StageType


@viewing
def stage_list(request: Request) -> Reply:
    """In display order. Raises NotFound, Invalid."""
    project = project_of(request)
    rows = Stage.objects.existing(project.pk).filter(name__contains=request.query.get("stageName", ""))
    listed = page_of(request, rows.order_by("sort_number", "name"))
    return Reply({"project": named(project), "stageList": [named(row) for row in listed]})


@viewing
def stage_detail(request: Request) -> Reply:
    """Raises NotFound."""
    row = stage_of(request)
    return Reply({"project": named(request.project), **named(row), "type": row.type, "config": _config(row)})


def stage_create(request: Request) -> Reply:
    """Raises NotFound, Denied, Invalid, Conflict (name taken)."""
    project = project_of(request)
    sent = read(bodies.StageBody, request.body)
    config = _read_config(sent.type, sent.config)
    row = create_typed_stage(
        actor=request.actor, project=project, name=sent.name, type=sent.type, config=config, servers=config.get("serverNo")
    )
    return Reply(named(row))


def stage_update(request: Request) -> Reply:
    """What is absent stays. Raises NotFound, Denied, Invalid, Conflict (name taken)."""
    row = stage_of(request)
    sent = read(bodies.StageChange, request.body)
    if sent.type is not None and sent.type != row.type:
        raise Invalid(f"type: stage {row.name} is of type {row.type}, which does not change. Make another stage.")
    config = None if sent.config is None else _read_config(row.type, sent.config)
    row = update_typed_stage(
        actor=request.actor, stage=row, name=sent.name, config=config, servers=config.get("serverNo") if config else None
    )
    return Reply(named(row))


def stage_delete(request: Request) -> Reply:
    """Raises NotFound, Denied, Conflict while it feeds another stage or a rollout is live."""
    delete_stage(actor=request.actor, stage=stage_of(request))
    return Reply({"result": True})


@viewing
def server_list(request: Request) -> Reply:
    """The targets of all stages. A number here may be given in a stage's serverNo. Raises Invalid."""
    rows = Target.objects.filter(stage__in=Stage.objects.existing(request.project.pk)).order_by("pk")
    return Reply({"serverList": [{"serverNo": row.pk, "name": row.name} for row in page_of(request, rows)]})


def _read_config(kind: str, sent: dict[str, Any]) -> dict[str, Any]:
    config = plain(read(bodies.STAGES[kind], sent, "config"))
    if kind == StageType.KUBERNETES and not config:
        raise Invalid("config: a Kubernetes stage needs clusterNo or clusterUuid.")
    return config


def _config(row: Stage) -> dict[str, Any]:
    """What was sent, with the names that a detail has beside numbers; a Server stage's servers are its targets."""
    if row.type == StageType.SERVER:
        targets = list(row.targets.all())
        return {"serverNo": [target.pk for target in targets], "serverName": [target.name for target in targets]}
    if row.type == StageType.AUTO_SCALING:
        number = row.config.get("autoScalingGroupNo", row.pk)
        return {"autoScalingGroupNo": number, "autoScalingGroupName": row.config.get("autoScalingGroupName", row.name)}
    if row.type == StageType.KUBERNETES:
        return {**(row.config or {"clusterNo": row.pk}), "clusterName": row.config.get("clusterName", row.name)}
    return {"bucketName": row.config.get("bucketName", row.name)}
