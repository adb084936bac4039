"""GS2-Script: scripts, and running them at once (contract: support_services, script)."""
from __future__ import annotations

import math
from typing import Any

from gs2admin.db.columns import milliseconds
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.wire.call import Call
from gs2admin.wire.paging import cut, small
from gs2admin.wire.table import Method
from jobqueue.api.script_namespaces import NAMESPACES
from jobqueue.api.script_shapes import (
    MAX_TEXT,
    WORD,
    CreateScriptRequest,
    DebugRequest,
    InvokeRequest,
    InvokeResult,
    RunRequest,
    ScriptRequest,
    ScriptResult,
    ScriptsRequest,
    ScriptsResult,
    UpdateScriptRequest,
)
from jobqueue.models import Script
from jobqueue.reads import script_rows
from jobqueue.reads.scripts import scripts_of
from jobqueue.services.scripts import Invoked, create_script, delete_script, invoke_script, try_script, update_script

# A character may take 6 bytes in JSON text.
TEXT_BODY = MAX_TEXT * 6 + 64 * 1024


def _find(call: Call, request: ScriptRequest) -> Script:
    namespace = NAMESPACES.find(call, request.namespace_name)
    row = scripts_of(namespace).filter(name=request.script_name).first()
    if row is None:
        raise _none(request.script_name)
    return row


def _none(name: str) -> NotFound:
    return NotFound(f"There is no script {name}.", component="script", message="script.script.script.error.notFound")


def _item_of_model(project: Project, row: Script) -> dict[str, Any]:
    made = script_rows.ScriptRow(
        row.pk, row.name, row.description, row.source, row.disable_string_number_to_number, milliseconds(row.created_at),
        milliseconds(row.updated_at), row.revision, 0,
    )  # fmt: skip
    return _item(NAMESPACES.grn_of(project, row.namespace.name), made)


def _item(front: str, row: script_rows.ScriptRow) -> dict[str, Any]:
    return {
        "scriptId": f"{front}:script:{row.name}",
        "name": row.name,
        "description": row.description or None,
        "script": row.small_source,
        "disableStringNumberToNumber": row.disable_string_number_to_number,
        "createdAt": row.created_ms,
        "updatedAt": row.updated_ms,
        "revision": row.revision,
    }


def describe_scripts(call: Call, request: ScriptsRequest) -> dict[str, Any]:
    """By name. Raises NotFound, Invalid."""
    NAMESPACES.may_view(call)
    after = NAMESPACES.after(
        call, request.namespace_name, request.page_token, "script", str, component="script", word=f"{WORD}.pageToken"
    )
    rows = script_rows.scripts_after(
        call.project, request.namespace_name, after=after, prefix=request.name_prefix, limit=request.limit,
        small=small(request.limit),
    )  # fmt: skip
    if not rows:
        NAMESPACES.find(call, request.namespace_name)
    shown, token = cut(rows, by="name", limit=request.limit, kind="script", size="size")
    front = NAMESPACES.grn_of(call.project, request.namespace_name)
    items = [_item(front, row) for row in script_rows.whole(shown)]
    return {"items": items, "nextPageToken": token}


def create(call: Call, request: CreateScriptRequest) -> dict[str, Any]:
    """Stored as it is, also when it does not parse. Raises NotFound, Denied, Invalid, Conflict when the name is taken."""
    row = create_script(
        actor=call.actor, namespace=NAMESPACES.find(call, request.namespace_name), name=request.name, source=request.script,
        description=request.description or "", disable_string_number_to_number=request.disable_string_number_to_number,
    )  # fmt: skip
    return {"item": _item_of_model(call.project, row)}


def get(call: Call, request: ScriptRequest) -> dict[str, Any]:
    """Raises NotFound."""
    NAMESPACES.may_view(call)
    row = script_rows.script(call.project, request.namespace_name, request.script_name)
    if row is None:
        NAMESPACES.find(call, request.namespace_name)
        raise _none(request.script_name)
    return {"item": _item(NAMESPACES.grn_of(call.project, request.namespace_name), row)}


def update(call: Call, request: UpdateScriptRequest) -> dict[str, Any]:
    """What is omitted, null or empty stays as it is. Raises NotFound, Denied."""
    given = {
        "description": request.description, "source": request.script,
        "disable_string_number_to_number": request.disable_string_number_to_number,
    }  # fmt: skip
    changes = {name: value for name, value in given.items() if value is not None}
    return {"item": _item_of_model(call.project, update_script(actor=call.actor, script=_find(call, request), **changes))}


def delete(call: Call, request: ScriptRequest) -> dict[str, Any]:
    """With its versions. Raises NotFound, Denied."""
    return {"item": _item_of_model(call.project, delete_script(actor=call.actor, script=_find(call, request)))}


def invoke(call: Call, request: InvokeRequest) -> dict[str, Any]:
    """Run a stored script; a script that fails is still answered with 200. Raises NotFound, Denied."""
    return _answer(
        invoke_script(
            actor=call.actor, project=call.project, script_id=request.script_id, user_id=request.user_id,
            args=request.args, random_status=_random(request),
        )  # fmt: skip
    )


def debug_invoke(call: Call, request: DebugRequest) -> dict[str, Any]:
    """Run a text that is not stored. Raises Denied."""
    return _answer(
        try_script(
            actor=call.actor, project=call.project, source=request.script, user_id=request.user_id, args=request.args,
            disable_string_number_to_number=request.disable_string_number_to_number, random_status=_random(request),
        )  # fmt: skip
    )


def _random(request: RunRequest) -> dict[str, Any] | None:
    status = request.random_status
    if status is None or status.seed is None:
        return None
    return {"seed": status.seed, "used": [{"category": u.category or 0, "used": u.used or 0} for u in status.used or ()]}


def _answer(done: Invoked) -> dict[str, Any]:
    random = done.random_status
    return {
        "code": done.status_code,
        "result": done.result,
        "transaction": done.transaction,
        "randomStatus": {
            "seed": random["seed"],
            "used": [{"category": 0, "used": entry["used"]} for entry in random.get("used", ())],
        }
        if random and random.get("seed") is not None
        else None,
        "atomicCommit": False,
        "transactionResult": None,
        "executeTime": done.execute_ms,
        "charged": math.ceil(done.execute_ms / 1000),
        "output": done.output,
    }


def _method(
    function: str, verb: str, path: str, request: Any, result: Any, handler: Any, summary: str, **more: Any
) -> Method:
    return Method(
        service="script", component="script", function=function, verb=verb, path=path, request=request, result=result,
        handler=handler, summary=summary, writes=verb != "GET", **more,
    )  # fmt: skip


_RUNS = {
    "takes_duplication_avoider": True, "takes_time_offset": True, "runs_scripts": True, "body_cap": TEXT_BODY,
}  # fmt: skip
_SCRIPTS = "/{namespaceName}/script"
METHODS = [
    _method("describeScripts", "GET", _SCRIPTS, ScriptsRequest, ScriptsResult, describe_scripts, "Scripts of a namespace"),
    _method(
        "createScript", "POST", _SCRIPTS, CreateScriptRequest, ScriptResult, create, "Store a script", body_cap=TEXT_BODY
    ),
    _method("getScript", "GET", _SCRIPTS + "/{scriptName}", ScriptRequest, ScriptResult, get, "A script"),
    _method(
        "updateScript", "PUT", _SCRIPTS + "/{scriptName}", UpdateScriptRequest, ScriptResult, update, "Change a script",
        body_cap=TEXT_BODY,
    ),
    _method("deleteScript", "DELETE", _SCRIPTS + "/{scriptName}", ScriptRequest, ScriptResult, delete, "Delete a script"),
    _method("invokeScript", "POST", "/invoke", InvokeRequest, InvokeResult, invoke, "Run a stored script", **_RUNS),
    _method("debugInvoke", "POST", "/debug/invoke", DebugRequest, InvokeResult, debug_invoke, "Run a text", **_RUNS),
]  # fmt: skip
