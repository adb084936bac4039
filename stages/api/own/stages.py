"""Stages in our own JSON API: list, read, promote, roll back, and which versions a player gets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from gs2admin.db.columns import moment
from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Boolean, Nothing, Result, Text, field
from gs2admin.wire.table import Answer
from stages.api.find import find_stage, no_stage, rows, viewing
from stages.api.own.shapes import RolloutModel, StageRequest, api_method, iso, rollout_item
from stages.canary.resolve import resolve_in, splits
from stages.models import Rollout, Version
from stages.rollouts.services import promote_stage, rollback_stage
from stages.states import stage_status


class StartRequest(StageRequest):
    """Fields of promote and rollback."""

    reason: Text = field("freeze.stage.reason", "", max_length=1024, description="Kept in the activity log.")
    request_key: Text | None = field(
        "freeze.stage.requestKey",
        None,
        max_length=64,
        description="The same key again returns the rollout that it started, so a repeated request starts no second.",
    )
    override: Boolean = field(
        "freeze.stage.override", False, description="Start although a stop or a freeze window blocks it; needs a reason."
    )


class PromoteRequest(StartRequest):
    """Fields of promote."""

    microservices: list[Text] = field(
        "freeze.stage.microservices",
        [],
        max_length=1000,
        description="The microservices that go, of those that differ from the source; empty: all of them.",
    )


class ResolveRequest(StageRequest):
    """Fields of resolve."""

    user_id: Text = field("freeze.stage.userId", max_length=128, description="The player, as the game knows it.")


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


class ResolveResult(Result):
    """versions: of every microservice, for this player. gray: the player is among the first of rollout `rollout`."""

    stage: str
    user_id: str
    versions: dict[str, str]
    gray: bool
    rollout: int | None


@viewing
def list_stages(call: Call, request: Nothing) -> dict[str, Any]:
    """In display order."""
    return {"items": [_item(row) for row in rows.stages(call.project.pk)]}


@viewing
def get_stage(call: Call, request: StageRequest) -> dict[str, Any]:
    """Raises NotFound."""
    row = rows.stage_detail(call.project.pk, request.name)
    if row is None:
        raise no_stage(request.name)
    source = row.source_versions if row.source_id else Version.objects.latest(call.project.pk)
    return {
        **_item(row),
        "versions": row.versions or {},
        "sourceVersions": source or {},
        "lastRollout": row.last_number,
    }


def promote(call: Call, request: PromoteRequest) -> Answer:
    """202 with the rollout. Raises NotFound, Denied, Conflict while the stage is Updating, Invalid."""
    return _started(call, request, partial(promote_stage, only=request.microservices))


def rollback(call: Call, request: StartRequest) -> Answer:
    """202 with the rollout. Raises NotFound, Denied, Conflict, Invalid when there is nothing to go back to."""
    return _started(call, request, rollback_stage)


def _started(call: Call, request: StartRequest, start: Callable[..., Rollout]) -> Answer:
    sent = {"reason": request.reason, "request_key": request.request_key, "override": request.override}
    rollout = start(actor=call.actor, stage=find_stage(call, request.name), **sent)
    return Answer(rollout_item(call, rollout.number), 202)


@viewing
def resolve(call: Call, request: ResolveRequest) -> Answer:
    """At most one query; ETag changes exactly when the answer does. Raises NotFound."""
    split = splits.get(call.project.pk, request.name)
    if split is None:
        raise no_stage(request.name)
    found = resolve_in(split, request.user_id)
    body: dict[str, Any] = {
        "stage": request.name, "userId": request.user_id, "versions": dict(found.versions), "gray": found.gray,
        "rollout": split.rollout or None,
    }
    return Answer(body, etag=found.etag)


def _item(row: rows.StageRow | rows.StageDetail) -> dict[str, Any]:
    return {
        "name": row.name,
        "source": row.source_name,
        "sortNumber": row.sort_number,
        "status": stage_status(row.last_state, row.last_consistent is not False).value,
        "revision": row.revision,
        "createdAt": iso(moment(row.created_ms)),
        "updatedAt": iso(moment(row.updated_ms)),
    }


_ACCEPTED = {202: "Accepted; the rollout runs."}
METHODS = [
    api_method("stage", "listStages", "GET", "/stages", Nothing, StagesResult, list_stages, "All stages"),
    api_method("stage", "getStage", "GET", "/stages/{name}", StageRequest, StageDetail, get_stage, "A stage and its versions"),
    api_method(
        "stage", "promoteStage", "POST", "/stages/{name}/promote", PromoteRequest, RolloutModel, promote, "Start a promote",
        statuses=_ACCEPTED,
    ),
    api_method(
        "stage", "rollbackStage", "POST", "/stages/{name}/rollback", StartRequest, RolloutModel, rollback, "Start a rollback",
        statuses=_ACCEPTED,
    ),
    api_method(
        "stage", "resolve", "GET", "/stages/{name}/resolve", ResolveRequest, ResolveResult, resolve,
        "Which versions a player gets", statuses={200: "The versions.", 304: "The caller has them already (If-None-Match)."},
    ),
]  # fmt: skip
