"""A good request for every method of the table, and how the SDKs write one. A new method needs a line here."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote_plus

from gs2admin.wire.table import API, Auth, Method, table
from tests.wire import jobs_world, locks_world

GOOD: dict[str, dict[str, Any]] = {
    "identifier.projectToken.login": {},  # filled in by `fields_of`
    "identifier.projectToken.getServiceVersion": {},
    "auth.accessToken.login": {"userId": "user-0001", "timeOffset": 60},
    "auth.accessToken.issueTimeOffsetTokenByUserId": {"userId": "user-0001", "timeOffset": 60},
    "auth.accessToken.getServiceVersion": {},
    "freeze.stage.describeStages": {},
    "freeze.stage.getStage": {"stageName": "dev"},
    "freeze.stage.promoteStage": {"stageName": "stg"},
    "freeze.stage.rollbackStage": {"stageName": "dev"},
    "freeze.output.describeOutputs": {"stageName": "dev", "limit": 7},
    "freeze.output.getOutput": {"stageName": "dev"},
    **jobs_world.GOOD,
    **locks_world.GOOD,
}
GS2_METHODS = [method for method in table().methods if method.service != API]
NAMES = [method.name for method in GS2_METHODS]
GUARDED = [method for method in GS2_METHODS if method.auth is not Auth.NONE]


def fields_of(method: Method, server) -> dict[str, Any]:
    """The fields of a request that must be answered with 200."""
    fields = dict(GOOD[method.name])
    if method.name == "identifier.projectToken.login":
        ours = server.credentials["ours"]
        fields = {"client_id": ours["clientId"], "client_secret": ours["clientSecret"]}
    if method.name == "freeze.output.getOutput":
        fields["outputName"] = server.call("GET", "/freeze/dev/progress/output?limit=1").json()["items"][0]["name"]
    return fields


def path_of(method: Method, fields: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The path as SDKs build it (a missing piece is the word null) and the fields that are left."""
    rest = dict(fields)
    pieces = re.findall(r"{\+?([A-Za-z]+)}", method.path)
    path = method.path
    for name in pieces:
        path = re.sub(rf"{{\+?{name}}}", lambda _, name=name: str(rest.pop(name, None) or "null"), path)
    return f"/{method.service}{path}", rest


def request_of(method: Method, fields: dict[str, Any], habit: str) -> dict[str, Any]:
    """verb, path, headers and content of a call as one of the SDKs writes it.

    plain: only set fields. ts: nulls in bodies and as text in queries. go: Content-Type on GET, no contextStack,
    dry-run header. cs: numbers and booleans as text.
    """
    path, rest = path_of(method, fields)
    others = {info.alias for info in method.request.model_fields.values()} - set(fields)
    headers = {"Accept-Encoding": "identity"}
    has_body = method.verb in {"POST", "PUT"}
    if habit == "ts":
        rest |= {name: None if has_body else "null" for name in others if f"{name}}}" not in method.path}
        if has_body:
            rest["contextStack"] = None
    if habit == "cs":
        rest = {key: str(value) if isinstance(value, bool | int) else value for key, value in rest.items()}
    if habit == "go":
        headers["X-GS2-DRY-RUN"] = "false"
        headers["Content-Type"] = "application/json"
    if method.writes:
        headers["X-GS2-DRY-RUN"] = "true"
    if method.auth is Auth.ACCESS:
        headers["X-GS2-ACCESS-TOKEN"] = jobs_world.ACCESS_TOKEN
    if has_body:
        headers["Content-Type"] = "application/json"
        content = json.dumps(rest).encode() + (b"\n" if habit == "go" else b"")
        return {"verb": method.verb, "path": path, "headers": headers, "content": content}
    query = "&".join(f"{key}={quote_plus(str(value))}" for key, value in rest.items())
    return {"verb": method.verb, "path": path + (f"?{query}" if query else ""), "headers": headers}
