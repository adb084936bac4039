"""Stamp sheets: a request that a game's servers sign and a player's device sends (contract: job_queue).

The signature of GS2's own sheets is not public; ours is in identity/services/stamp_keys.py. The key carries the right: the
sender needs none but to see the project. A sheet has one effect, by its transactionId as idempotency key. Keys are stored for
an hour, so a sheet must expire within that hour.
"""
from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from gs2admin.db import clock
from gs2admin.errors import Invalid
from gs2admin.identity.models import Role
from gs2admin.identity.rights import require
from gs2admin.identity.services.stamp_keys import signed_by
from gs2admin.wire.call import Call
from gs2admin.wire.dispatch import dispatch
from gs2admin.wire.idempotency import KEPT_S
from gs2admin.wire.shapes import Result, Shape, Text, field
from gs2admin.wire.table import Method, table
from jobqueue.api.jobs import PushResult
from jobqueue.api.script_shapes import InvokeResult
from jobqueue.api.scripts import TEXT_BODY
from jobqueue.api.shapes import PUSH_BODY, JobModel

# For so many seconds a sheet may be sent: less than its transaction is stored, so that it has no effect twice.
LONGEST_S = KEPT_S - 300
MAX_ID = 128


class SheetRequest(Shape):
    """Fields of pushByStampSheet and invokeByStampSheet. keyId: GRN of the key that signed it."""

    stamp_sheet: Text = field("jobQueue.stampSheet.stampSheet", max_length=TEXT_BODY)
    key_id: Text = field("jobQueue.stampSheet.keyId", max_length=1024)


class TaskRequest(Shape):
    """Fields of deleteByStampTask."""

    stamp_task: Text = field("jobQueue.stampSheet.stampTask", max_length=TEXT_BODY)
    key_id: Text = field("jobQueue.stampSheet.keyId", max_length=1024)
    context_stack: Text | None = field("jobQueue.stampSheet.contextStack", None, max_length=32_768)


class TaskResult(Result):
    """The deleted job; newContextStack is what the client sent along."""

    item: JobModel
    new_context_stack: str


def _refuse(sentence: str, word: str) -> Invalid:
    return Invalid(sentence, component="stampSheet", message=f"jobQueue.stampSheet.{word}.error.invalid")


def _members(text: Any) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _refuse("A stamp sheet is the JSON text of an object with body and signature, and so is its body.", "stampSheet")
    return found


def _carry_out(call: Call, sheet: str, key_id: str, action: str, method: tuple[str, str, str]) -> dict[str, Any]:
    """Check a sheet and carry out its action, once. Raises Invalid, NotFound, and what the method raises."""
    require(call.actor, "project.view", call.project)
    outer = _members(sheet)
    body, claimed = outer.get("body"), outer.get("signature")
    if not isinstance(body, str) or not isinstance(claimed, str):
        raise _refuse("A stamp sheet has a body and a signature, both text.", "stampSheet")
    if not signed_by(call.project, key_id, body, claimed):
        raise _refuse("This stamp sheet is not signed by that key of this project, or the key was revoked.", "signature")
    order = _members(body)
    if order.get("action") != action:
        raise _refuse(f"This method takes stamp sheets of the action {action} only.", "action")
    if order.get("tasks") or order.get("verifyTasks"):
        raise _refuse("This server cannot tell whether the tasks of a sheet were carried out; sign a sheet without.", "tasks")
    transaction_id, expires_at, now = order.get("transactionId"), order.get("expiresAt"), clock.seconds()
    if not isinstance(transaction_id, str) or not 1 <= len(transaction_id) <= MAX_ID:
        raise _refuse(f"A stamp sheet has a transactionId of 1 to {MAX_ID} characters.", "transactionId")
    if not isinstance(expires_at, int) or isinstance(expires_at, bool) or expires_at > (now + LONGEST_S) * 1000:
        raise _refuse(
            f"A stamp sheet says in expiresAt, in Unix ms, when it ends: at most {LONGEST_S // 60} minutes from now.", "expiresAt"
        )
    if expires_at < now * 1000:
        raise _refuse("This stamp sheet has expired; let a new one be signed.", "expiresAt")
    args = order.get("args")
    by_key = replace(
        call, actor=replace(call.actor, roles={call.project.pk: Role.SERVICE}),
        duplication_avoider=f"stamp {key_id} {transaction_id}",
    )  # fmt: skip
    return dispatch(table().by_name[method], by_key, args if isinstance(args, dict) else _members(args or "{}")).body


def push(call: Call, request: SheetRequest) -> dict[str, Any]:
    """What pushByUserId answers. Raises what `_carry_out` raises."""
    return _carry_out(
        call, request.stamp_sheet, request.key_id, "Gs2JobQueue:PushByUserId", ("job-queue", "job", "pushByUserId")
    )


def invoke(call: Call, request: SheetRequest) -> dict[str, Any]:
    """What invokeScript answers. Raises what `_carry_out` raises."""
    return _carry_out(
        call, request.stamp_sheet, request.key_id, "Gs2Script:InvokeScript", ("script", "script", "invokeScript")
    )


def delete(call: Call, request: TaskRequest) -> dict[str, Any]:
    """What deleteJobByUserId answers. Raises what `_carry_out` raises."""
    done = _carry_out(
        call, request.stamp_task, request.key_id, "Gs2JobQueue:DeleteJobByUserId", ("job-queue", "job", "deleteJobByUserId")
    )
    return done | {"newContextStack": request.context_stack or ""}


def _method(service: str, component: str, function: str, path: str, request: type[Shape], result: Any, handler: Any,
            summary: str, body_cap: int, **more: bool) -> Method:  # fmt: skip
    return Method(
        service=service, component=component, function=function, verb="POST", path=path, request=request, result=result,
        handler=handler, summary=summary, writes=True, body_cap=body_cap, **more,
    )  # fmt: skip


METHODS = [
    _method("job-queue", "job", "pushByStampSheet", "/stamp/job", SheetRequest, PushResult, push,
            "Push jobs by a signed sheet", 2 * PUSH_BODY),
    _method("job-queue", "job", "deleteByStampTask", "/stamp/job/delete", TaskRequest, TaskResult, delete,
            "Take a job away by a signed task", 256 * 1024),
    _method("script", "script", "invokeByStampSheet", "/stamp/script/invoke", SheetRequest, InvokeResult, invoke,
            "Run a stored script by a signed sheet", TEXT_BODY, runs_scripts=True),
]  # fmt: skip
