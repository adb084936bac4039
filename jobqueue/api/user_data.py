"""Dump, clean and import of a player's data, through all namespaces (contract: job_queue).

A check that comes too early is answered with 409 and the code jobQueue.userData.unfinished.
"""
from __future__ import annotations

from typing import Any

from gs2admin.errors import Conflict
from gs2admin.wire.call import Call
from gs2admin.wire.shapes import Result, Shape, Text, field
from jobqueue.api.shapes import UserId, method
from jobqueue.models import UserDataRun
from jobqueue.states import UserDataKind, UserDataState
from jobqueue.userdata import files, services


class PlayerRequest(Shape):
    """Names a player of the project."""

    user_id: UserId = field("jobQueue.job.userId", max_length=128, description="The player.")


class ImportRequest(PlayerRequest):
    """Names a prepared import."""

    upload_token: Text = field("jobQueue.userData.uploadToken", max_length=1024)


class Begun(Result):
    """An empty object: it is begun, or it is done."""


class UrlResult(Result):
    """A link that works for an hour, by default."""

    url: str


class PreparedResult(Result):
    """PUT or POST the zip to uploadUrl, then call importUserDataByUserId with uploadToken."""

    upload_token: str
    upload_url: str


def dump(call: Call, request: PlayerRequest) -> dict[str, Any]:
    """Raises Denied, Conflict while a clean or an import is under way."""
    services.start_dump(actor=call.actor, project=call.project, user_id=request.user_id)
    return {}


def check_dump(call: Call, request: PlayerRequest) -> dict[str, Any]:
    """Raises NotFound, Conflict while it is not finished."""
    run = services.newest(actor=call.actor, project=call.project, user_id=request.user_id, kind=UserDataKind.DUMP)
    _finished(run)
    return {"url": files.link(run, files.Link.FILE, call.context.base_url)}


def clean(call: Call, request: PlayerRequest) -> dict[str, Any]:
    """Raises Denied, Conflict while a dump or an import is under way."""
    services.start_clean(actor=call.actor, project=call.project, user_id=request.user_id)
    return {}


def check_clean(call: Call, request: PlayerRequest) -> dict[str, Any]:
    """Raises NotFound, Conflict while it is not finished."""
    _finished(services.newest(actor=call.actor, project=call.project, user_id=request.user_id, kind=UserDataKind.CLEAN))
    return {}


def prepare_import(call: Call, request: PlayerRequest) -> dict[str, Any]:
    """Raises Denied."""
    run = services.prepare_import(actor=call.actor, project=call.project, user_id=request.user_id)
    return {"uploadToken": str(run.token), "uploadUrl": files.link(run, files.Link.UPLOAD, call.context.base_url)}


def start_import(call: Call, request: ImportRequest) -> dict[str, Any]:
    """Raises NotFound, Denied, Invalid before the upload, Conflict."""
    services.start_import(actor=call.actor, project=call.project, user_id=request.user_id, token=request.upload_token)
    return {}


def check_import(call: Call, request: ImportRequest) -> dict[str, Any]:
    """The log, also of an import that was refused. Raises NotFound, Conflict while it is not finished."""
    run = services.find_import(actor=call.actor, project=call.project, user_id=request.user_id, token=request.upload_token)
    if run.state != UserDataState.FAILED:
        _finished(run)
    return {"url": files.link(run, files.Link.LOG, call.context.base_url)}


def _finished(run: UserDataRun) -> None:
    if run.state == UserDataState.DONE:
        return
    failed = run.state == UserDataState.FAILED
    raise Conflict(
        f"It failed: {run.error}" if failed else "It is not finished yet; ask again.",
        component="userData", message="jobQueue.userData.userData.error.conflict",
        code=f"jobQueue.userData.{'failed' if failed else 'unfinished'}",
    )  # fmt: skip


_SYSTEM = "/system/{}/user/{{userId}}"
METHODS = [
    method("namespace", "dumpUserDataByUserId", "POST", _SYSTEM.format("dump"), PlayerRequest, Begun, dump, "Begin a dump"),
    method(
        "namespace", "checkDumpUserDataByUserId", "GET", _SYSTEM.format("dump"), PlayerRequest, UrlResult, check_dump,
        "Where the dump is",
    ),
    method("namespace", "cleanUserDataByUserId", "POST", _SYSTEM.format("clean"), PlayerRequest, Begun, clean, "Begin to erase"),
    method(
        "namespace", "checkCleanUserDataByUserId", "GET", _SYSTEM.format("clean"), PlayerRequest, Begun, check_clean,
        "Whether all is erased",
    ),
    method(
        "namespace", "prepareImportUserDataByUserId", "POST", _SYSTEM.format("import") + "/prepare", PlayerRequest,
        PreparedResult, prepare_import, "A place to upload to",
    ),
    method(
        "namespace", "importUserDataByUserId", "POST", _SYSTEM.format("import"), ImportRequest, Begun, start_import,
        "Begin an import",
    ),
    method(
        "namespace", "checkImportUserDataByUserId", "GET", _SYSTEM.format("import") + "/{uploadToken}", ImportRequest,
        UrlResult, check_import, "The log of an import",
    ),
]  # fmt: skip
