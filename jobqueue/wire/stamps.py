"""The stamp-sheet methods of the SDKs: refused, and said so.

A stamp sheet is signed by a GS2 key whose scheme is not public, and nothing here issues any, so there is no signature
that this server could believe (contract: job_queue, Stamp sheet bodies).
"""
from __future__ import annotations

from typing import Any

from gs2admin.errors import Invalid
from gs2admin.identity.rights import require
from gs2admin.wire.dispatch import Call
from gs2admin.wire.shapes import Result, Shape, Text, field
from gs2admin.wire.table import Method


class SheetRequest(Shape):
    """Fields of pushByStampSheet and invokeByStampSheet."""

    stamp_sheet: Text = field("jobQueue.stampSheet.stampSheet", max_length=5_242_880)
    key_id: Text | None = field("jobQueue.stampSheet.keyId", None, max_length=1024)


class TaskRequest(Shape):
    """Fields of deleteByStampTask."""

    stamp_task: Text = field("jobQueue.stampSheet.stampTask", max_length=5_242_880)
    key_id: Text | None = field("jobQueue.stampSheet.keyId", None, max_length=1024)


class Never(Result):
    """There is no answer but the refusal."""


def refuse(call: Call, request: SheetRequest | TaskRequest) -> dict[str, Any]:
    """Always raises Invalid."""
    require(call.actor, "project.view", call.project)
    raise Invalid(
        "This server cannot check the signature of a stamp sheet; call the method itself instead.",
        component="stampSheet", message="jobQueue.stampSheet.signature.error.invalid",
    )  # fmt: skip


def _method(service: str, component: str, function: str, path: str, request: type[Shape]) -> Method:
    return Method(
        service=service, component=component, function=function, verb="POST", path=path, request=request, result=Never,
        handler=refuse, summary="Not offered here: answers 400",
    )  # fmt: skip


METHODS = [
    _method("job-queue", "job", "pushByStampSheet", "/stamp/job", SheetRequest),
    _method("job-queue", "job", "deleteByStampTask", "/stamp/job/delete", TaskRequest),
    _method("script", "script", "invokeByStampSheet", "/stamp/script/invoke", SheetRequest),
]
