"""GS2-Freeze: the six methods of the published contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from django.db.models.functions import Length

from gs2admin.errors import Invalid, NotFound
from gs2admin.identity.models import Project
from gs2admin.wire.call import Call
from gs2admin.wire.paging import fitting, key_of, page_token
from gs2admin.wire.shapes import Integer, Nothing, Result, Shape, Text, field
from gs2admin.wire.table import Method
from stages.api.find import find_stage, viewing
from stages.models import Output, Stage
from stages.plan.previews import source_versions, versions_of
from stages.rollouts.services import promote_stage, rollback_stage
from stages.states import stage_status

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class StageRequest(Shape):
    """Fields of getStage, promoteStage and rollbackStage."""

    stage_name: Text = field("freeze.stage.name", max_length=128, description="Such as dev, stg or live.")


class OutputsRequest(StageRequest):
    """Fields of describeOutputs."""

    page_token: Text | None = field(
        "freeze.output.pageToken",
        None,
        max_length=1024,
        description="Where to go on: nextPageToken, or the name of the output after which the client stopped.",
    )
    limit: Integer = field("freeze.output.limit", 30, ge=1, le=1000, description="At most so many items.")


class OutputRequest(StageRequest):
    """Fields of getOutput."""

    output_name: Text = field("freeze.output.name", max_length=36, description="A UUID.")


class StageModel(Result):
    """An environment that pins the version of every microservice."""

    stage_id: str
    name: str
    source_stage_name: str | None = None
    sort_number: int
    status: Literal["Active", "Updating", "UpdateFailed"]
    created_at: int
    updated_at: int
    revision: int


class MicroserviceModel(Result):
    """One microservice and its version."""

    name: str
    version: str


class OutputModel(Result):
    """One piece of the output of a promote or rollback."""

    output_id: str
    name: str
    text: str
    created_at: int
    revision: int


class StageResult(Result):
    """One stage."""

    item: StageModel


class StagesResult(Result):
    """All stages; there is no next page."""

    items: list[StageModel]


class StageDetailResult(Result):
    """source: what the next promote would apply. current: what is deployed."""

    item: StageModel
    source: list[MicroserviceModel]
    current: list[MicroserviceModel]


class OutputResult(Result):
    """One piece of output."""

    item: OutputModel


class OutputsResult(Result):
    """A page, oldest first; nextPageToken is null on the last."""

    items: list[OutputModel]
    next_page_token: str | None = None


@viewing
def describe_stages(call: Call, request: Nothing) -> dict[str, Any]:
    """By sortNumber, then name."""
    rows = Stage.objects.existing(call.project.pk).with_last_rollout().select_related("source")
    return {"items": [stage_item(call.project, row) for row in rows]}


@viewing
def get_stage(call: Call, request: StageRequest) -> dict[str, Any]:
    """Raises NotFound."""
    row = find_stage(call, request.stage_name)
    return {
        "item": stage_item(call.project, row),
        "source": _microservices(source_versions(row)),
        "current": _microservices(versions_of(row.current_set)),
    }


def promote(call: Call, request: StageRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict while the stage is Updating, Invalid."""
    promote_stage(actor=call.actor, stage=find_stage(call, request.stage_name))
    return {"item": stage_item(call.project, find_stage(call, request.stage_name))}


def rollback(call: Call, request: StageRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict while the stage is Updating, Invalid when there is nothing to go back to."""
    rollback_stage(actor=call.actor, stage=find_stage(call, request.stage_name))
    return {"item": stage_item(call.project, find_stage(call, request.stage_name))}


@viewing
def describe_outputs(call: Call, request: OutputsRequest) -> dict[str, Any]:
    """Oldest first, over all rollouts of the stage whose output is still stored (30 days). Raises NotFound, Invalid."""
    stage = find_stage(call, request.stage_name)
    after = _position(stage, request.page_token)
    following = Output.objects.kept().filter(stage=stage, id__gt=after).order_by("id")
    measured = list(following.annotate(size=Length("text")).values("id", "size")[: request.limit + 1])
    shown = fitting([row["size"] for row in measured[: request.limit]])  # one piece of output may hold 1 MiB
    last = measured[shown - 1]["id"] if shown else 0
    rows = following.filter(id__lte=last) if shown else []
    return {
        "items": [_output_item(call.project, stage, row) for row in rows],
        "nextPageToken": page_token("output", last) if shown < len(measured) else None,
    }


@viewing
def get_output(call: Call, request: OutputRequest) -> dict[str, Any]:
    """Raises NotFound with component stage when there is no such stage, else with component output."""
    stage = find_stage(call, request.stage_name)
    if _UUID.fullmatch(request.output_name):
        row = Output.objects.kept().filter(stage=stage, name=request.output_name).first()
        if row:
            return {"item": _output_item(call.project, stage, row)}
    raise NotFound(
        f"{stage.name} has no such output, or it is older than 30 days.",
        component="output",
        message="freeze.output.output.error.notFound",
    )


def stage_item(project: Project, row: Stage) -> dict[str, Any]:
    """The contract's Stage of a row that `with_last_rollout` annotated."""
    return {
        "stageId": f"grn:gs2:{project.region}:{project.owner_id}:freeze:{row.name}",
        "name": row.name,
        "sourceStageName": row.source.name if row.source_id else None,
        "sortNumber": row.sort_number,
        "status": stage_status(row.last_state, row.last_consistent is not False).value,
        "createdAt": _ms(row.created_at),
        "updatedAt": _ms(row.updated_at),
        "revision": row.revision,
    }


def _output_item(project: Project, stage: Stage, row: Output) -> dict[str, Any]:
    return {
        "outputId": f"grn:gs2:{project.region}:{project.owner_id}:freeze:{stage.name}:output:{row.name}",
        "name": str(row.name),
        "text": row.text,
        "createdAt": _ms(row.at),
        "revision": 0,
    }


def _microservices(versions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "version": versions[name]} for name in sorted(versions)]


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _position(stage: Stage, token: str | None) -> int:
    """The id of the output that a page token names, ours or the name of an output; 0 without one. Raises Invalid."""
    if token is None or not _UUID.fullmatch(token):
        return key_of(token, "output", int, component="output", word="freeze.output.pageToken") or 0
    found = Output.objects.kept().filter(stage=stage, name=token).values_list("id", flat=True).first()
    if found is None:
        raise Invalid(
            "The output of this page token was deleted; begin again without one.", component="output",
            message="freeze.output.pageToken.error.invalid",
        )
    return found


def _method(component: str, function: str, verb: str, path: str, request, result, handler, summary: str) -> Method:
    return Method(
        service="freeze",
        component=component,
        function=function,
        verb=verb,
        path=path,
        request=request,
        result=result,
        handler=handler,
        writes=verb == "POST",
        summary=summary,
    )


METHODS = [
    _method("stage", "describeStages", "GET", "/", Nothing, StagesResult, describe_stages, "All stages"),
    _method("stage", "getStage", "GET", "/{stageName}", StageRequest, StageDetailResult, get_stage,
            "A stage with its source's and its own versions"),
    _method("stage", "promoteStage", "POST", "/{stageName}/promote", StageRequest, StageResult, promote,
            "Copy the source's versions onto the stage"),
    _method("stage", "rollbackStage", "POST", "/{stageName}/rollback", StageRequest, StageResult, rollback,
            "Return to the previously deployed versions"),
    _method("output", "describeOutputs", "GET", "/{stageName}/progress/output", OutputsRequest, OutputsResult, describe_outputs,
            "Output of promote and rollback, oldest first"),
    _method("output", "getOutput", "GET", "/{stageName}/progress/output/{outputName}", OutputRequest, OutputResult, get_output,
            "One piece of output"),
]  # fmt: skip
