"""GS2-Freeze: the six methods of the published contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from gs2admin.errors import Invalid, NotFound
from gs2admin.identity.models import Project
from gs2admin.wire.call import Call
from gs2admin.wire.paging import cut, key_of, small
from gs2admin.wire.shapes import Integer, Nothing, Result, Shape, Text, field
from gs2admin.wire.table import Method
from stages.api.find import find_stage, no_stage, rows, viewing
from stages.api.find.rows import OutputRow, StageDetail, StageRow
from stages.models import Version
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
    return {"items": [_stage_item(call.project, row) for row in rows.stages(call.project.pk)]}


@viewing
def get_stage(call: Call, request: StageRequest) -> dict[str, Any]:
    """Raises NotFound."""
    row = rows.stage_detail(call.project.pk, request.stage_name)
    if row is None:
        raise no_stage(request.stage_name)
    source = row.source_versions if row.source_id else Version.objects.latest(call.project.pk)
    return {
        "item": _stage_item(call.project, row),
        "source": _microservices(source or {}),
        "current": _microservices(row.versions or {}),
    }


def promote(call: Call, request: StageRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict while the stage is Updating, Invalid."""
    promote_stage(actor=call.actor, stage=find_stage(call, request.stage_name))
    return _stage(call, request.stage_name)


def rollback(call: Call, request: StageRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Conflict while the stage is Updating, Invalid when there is nothing to go back to."""
    rollback_stage(actor=call.actor, stage=find_stage(call, request.stage_name))
    return _stage(call, request.stage_name)


def _stage(call: Call, name: str) -> dict[str, Any]:
    return {"item": _stage_item(call.project, _there(call, name))}


def _there(call: Call, name: str) -> StageRow:
    row = rows.stage(call.project.pk, name)
    if row is None:
        raise no_stage(name)
    return row


@viewing
def describe_outputs(call: Call, request: OutputsRequest) -> dict[str, Any]:
    """Oldest first, over all rollouts of the stage whose output is still stored (30 days). Raises NotFound, Invalid."""
    after = _position(call, request)
    found = rows.outputs_after(
        call.project.pk, request.stage_name, after=after, limit=request.limit, small=small(request.limit)
    )
    if not found:
        _there(call, request.stage_name)
    shown, token = cut(found, by="id", limit=request.limit, kind="output", size="size")  # one piece may hold 1 MiB
    texts = rows.texts_of(shown)
    front = _front(call.project, request.stage_name)
    items = [_output_item(front, row, texts[row.id]) for row in shown if row.id in texts]
    return {"items": items, "nextPageToken": token}


@viewing
def get_output(call: Call, request: OutputRequest) -> dict[str, Any]:
    """Raises NotFound with component stage when there is no such stage, else with component output."""
    if _UUID.fullmatch(request.output_name):
        row = rows.output(call.project.pk, request.stage_name, UUID(request.output_name))
        if row:
            return {"item": _output_item(_front(call.project, request.stage_name), row, row.small_text)}
    stage = _there(call, request.stage_name)
    raise NotFound(
        f"{stage.name} has no such output, or it is older than 30 days.",
        component="output",
        message="freeze.output.output.error.notFound",
    )


def _front(project: Project, stage: str) -> str:
    return f"grn:gs2:{project.region}:{project.owner_id}:freeze:{stage}"


def _stage_item(project: Project, row: StageRow | StageDetail) -> dict[str, Any]:
    """The contract's Stage."""
    return {
        "stageId": _front(project, row.name),
        "name": row.name,
        "sourceStageName": row.source_name,
        "sortNumber": row.sort_number,
        "status": stage_status(row.last_state, row.last_consistent is not False).value,
        "createdAt": row.created_ms,
        "updatedAt": row.updated_ms,
        "revision": row.revision,
    }


def _output_item(front: str, row: OutputRow, text: str) -> dict[str, Any]:
    return {"outputId": f"{front}:output:{row.uuid}", "name": row.uuid, "text": text, "createdAt": row.at_ms, "revision": 0}


def _microservices(versions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "version": versions[name]} for name in sorted(versions)]


def _position(call: Call, request: OutputsRequest) -> int:
    """The id of the output that the page token names, ours or the name of an output; 0 without one.

    Raises NotFound, which a missing stage is first, and Invalid.
    """
    token = request.page_token
    if token is not None and _UUID.fullmatch(token):
        found = rows.output(call.project.pk, request.stage_name, UUID(token))
        if found is not None:
            return found.id
        _there(call, request.stage_name)
        raise Invalid(
            "The output of this page token was deleted; begin again without one.", component="output",
            message="freeze.output.pageToken.error.invalid",
        )
    try:
        return key_of(token, "output", int, component="output", word="freeze.output.pageToken") or 0
    except Invalid:
        _there(call, request.stage_name)
        raise


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
