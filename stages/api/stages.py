"""Our own JSON API of stages, versions and rollouts, for build pipelines and scripts: /api/v1/…"""

from __future__ import annotations

from typing import Any

from gs2admin.errors import Invalid
from gs2admin.identity.rights import require
from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Boolean, Integer, Nothing, Result, Shape, Text, field
from gs2admin.wire.table import Answer
from stages.api import delivery as api_delivery
from stages.api import governance as api_governance
from stages.api.paging import find_stage, page_token, row_of
from stages.api.shapes import RolloutModel, RolloutRequest, StageRequest, api_method, find_rollout, iso, rollout_item
from stages.models import Rollout, Stage, Version
from stages.plan.previews import source_versions, versions_of
from stages.rollouts.services import cancel_rollout, promote_stage, rollback_stage
from stages.setup.versions import register_version
from stages.states import stage_status


class RegisterRequest(Shape):
    """Fields of registerVersion."""

    microservice: Text = field("freeze.microservice.name", max_length=128, description="Made when it is new.")
    version: Text = field("freeze.microservice.version", max_length=32)
    note: Text = field("freeze.microservice.note", "", max_length=1024, description="For people; kept from the first time.")


class VersionsRequest(Shape):
    """Fields of listVersions."""

    microservice: Text | None = field("freeze.microservice.name", None, max_length=128, description="Only its versions.")
    page_token: Text | None = field("freeze.microservice.pageToken", None, max_length=1024)
    limit: Integer = field("freeze.microservice.limit", 100, ge=1, le=1000)


class StartRequest(StageRequest):
    """Fields of promote and rollback."""

    reason: Text = field("freeze.stage.reason", "", max_length=1024, description="Kept in the activity log.")
    request_key: Text | None = field(
        "freeze.stage.requestKey",
        None,
        max_length=64,
        description="The same key again returns the rollout that it started, so a repeated request starts no second.",
    )
    override: Boolean = field("freeze.stage.override", False, description="In spite of a stop or freeze window; with a reason.")


class CancelRequest(RolloutRequest):
    """Fields of cancel."""

    reason: Text = field("freeze.rollout.reason", "", max_length=1024, description="Kept in the activity log.")


class VersionModel(Result):
    """A registered version; times are ISO 8601 in UTC."""

    microservice: str
    version: str
    note: str
    registered_by: str
    registered_at: str
    withdrawn_at: str | None


class VersionsResult(Result):
    """Newest first."""

    items: list[VersionModel]
    next_page_token: str | None


class StageModel(Result):
    """A stage as on the board."""

    name: str
    source: str | None
    sort_number: int
    status: str
    revision: int
    created_at: str
    updated_at: str


class StagesResult(Result):
    """In display order."""

    items: list[StageModel]


class StageDetail(StageModel):
    """versions: what is deployed. source_versions: what the next promote would apply."""

    versions: dict[str, str]
    source_versions: dict[str, str]
    last_rollout: int | None


def register(call: Call, request: RegisterRequest) -> Answer:
    """201 when it is new, 200 when it was there. Raises Conflict when it was withdrawn."""
    row, created = register_version(
        actor=call.actor,
        project=call.project,
        microservice=request.microservice,
        version=request.version,
        note=request.note,
    )
    if created:
        row = Version.objects.select_related("microservice").get(pk=row.pk)
    return Answer(_version_item(row), 201 if created else 200)


def list_versions(call: Call, request: VersionsRequest) -> dict[str, Any]:
    """Newest first, keyset paged. Raises Invalid for a foreign page token."""
    require(call.actor, "project.view", call.project)
    rows = Version.objects.of_project(call.project.pk).select_related("microservice").order_by("-id")
    if request.microservice is not None:
        rows = rows.filter(microservice__name=request.microservice)
    if request.page_token is not None:
        rows = rows.filter(id__lt=row_of(request.page_token, _bad_token))
    found = list(rows[: request.limit + 1])
    more = len(found) > request.limit
    found = found[: request.limit]
    return {
        "items": [_version_item(row) for row in found],
        "nextPageToken": page_token(found[-1].pk) if more else None,
    }


def list_stages(call: Call, request: Nothing) -> dict[str, Any]:
    """In display order."""
    require(call.actor, "project.view", call.project)
    rows = Stage.objects.existing(call.project.pk).with_last_rollout().select_related("source")
    return {"items": [_stage_item(row) for row in rows]}


def get_stage(call: Call, request: StageRequest) -> dict[str, Any]:
    """Raises NotFound."""
    row = find_stage(call, request.name)
    last = Rollout.objects.filter(pk=row.last_rollout_id).values_list("number", flat=True).first()
    return {
        **_stage_item(row),
        "versions": versions_of(row.current_set),
        "sourceVersions": source_versions(row),
        "lastRollout": last,
    }


def promote(call: Call, request: StartRequest) -> Answer:
    """202 with the rollout. Raises NotFound, Denied, Conflict while the stage is Updating, Invalid."""
    return _started(call, request, promote_stage)


def rollback(call: Call, request: StartRequest) -> Answer:
    """202 with the rollout. Raises NotFound, Denied, Conflict, Invalid when there is nothing to go back to."""
    return _started(call, request, rollback_stage)


def _started(call: Call, request: StartRequest, start) -> Answer:
    stage = find_stage(call, request.name)
    sent = {"reason": request.reason, "request_key": request.request_key, "override": request.override}
    rollout = start(actor=call.actor, stage=stage, **sent)
    return Answer(rollout_item(find_rollout(call, rollout.number)), 202)


def get_rollout(call: Call, request: RolloutRequest) -> dict[str, Any]:
    """Raises NotFound."""
    return rollout_item(find_rollout(call, request.number))


def cancel(call: Call, request: CancelRequest) -> dict[str, Any]:
    """The rollout, canceled or canceling. Raises NotFound, Denied, Conflict when it has ended."""
    cancel_rollout(actor=call.actor, rollout=find_rollout(call, request.number), reason=request.reason)
    return rollout_item(find_rollout(call, request.number))


def _version_item(row: Version) -> dict[str, Any]:
    return {
        "microservice": row.microservice.name,
        "version": row.version,
        "note": row.note,
        "registeredBy": row.registered_by,
        "registeredAt": iso(row.registered_at),
        "withdrawnAt": iso(row.withdrawn_at),
    }


def _stage_item(row: Stage) -> dict[str, Any]:
    return {
        "name": row.name,
        "source": row.source.name if row.source_id else None,
        "sortNumber": row.sort_number,
        "status": stage_status(row.last_state, row.last_consistent is not False).value,
        "revision": row.revision,
        "createdAt": iso(row.created_at),
        "updatedAt": iso(row.updated_at),
    }


def _bad_token() -> Invalid:
    return Invalid(
        "The page token is not one of ours; begin again without one.",
        component="microservice",
        message="freeze.microservice.pageToken.error.invalid",
    )


_ACCEPTED = {"statuses": {202: "Accepted; the rollout runs."}}
METHODS = [
    *api_delivery.METHODS,
    api_method(
        "version",
        "registerVersion",
        "POST",
        "/versions",
        RegisterRequest,
        VersionModel,
        register,
        "Register a version of a microservice",
        statuses={201: "Registered.", 200: "It was registered before."},
    ),
    api_method(
        "version", "listVersions", "GET", "/versions", VersionsRequest, VersionsResult, list_versions, "Registered versions"
    ),
    api_method("stage", "listStages", "GET", "/stages", Nothing, StagesResult, list_stages, "All stages"),
    api_method("stage", "getStage", "GET", "/stages/{name}", StageRequest, StageDetail, get_stage, "A stage and its versions"),
    api_method(
        "stage",
        "promoteStage",
        "POST",
        "/stages/{name}/promote",
        StartRequest,
        RolloutModel,
        promote,
        "Start a promote",
        **_ACCEPTED,
    ),
    api_method(
        "stage",
        "rollbackStage",
        "POST",
        "/stages/{name}/rollback",
        StartRequest,
        RolloutModel,
        rollback,
        "Start a rollback",
        **_ACCEPTED,
    ),
    api_method("rollout", "getRollout", "GET", "/rollouts/{number}", RolloutRequest, RolloutModel, get_rollout, "A rollout"),
    api_method(
        "rollout",
        "cancelRollout",
        "POST",
        "/rollouts/{number}/cancel",
        CancelRequest,
        RolloutModel,
        cancel,
        "Cancel a rollout",
    ),
    *api_governance.METHODS,
]
