"""The OpenAPI 3.1 document of the whole table."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from pydantic.json_schema import models_json_schema

from gs2admin import __version__
from gs2admin.wire import openapi_plain, openapi_protocols
from gs2admin.wire.table import API, Auth, Method, table

_REF = "#/components/schemas/{model}"
_GS2_ERRORS = {
    "400": "The request is not valid; one problem per bad field.",
    "401": "A token is missing, expired, revoked or not good, or the right is missing.",
    "402": "A quota is used up.",
    "404": "No such thing, or not in this project.",
    "409": "The present state forbids it.",
    "500": "A fault of the server; it was logged.",
    "503": "Busy; try again.",
}
# A missing right has a status of its own there; GS2 clients do not know 403.
_API_ERRORS = _GS2_ERRORS | {
    "401": "A token or secret is missing, expired, revoked or not good.",
    "403": "The right is missing.",
}
_INTRODUCTION = """\
Every service answers 200 with a JSON object, and errors as the component Gs2Error. Sign in with
identifier.projectToken.login and send the access_token as `Authorization: Bearer ...`.
The paths under /api/v1 are this server's own: plain errors, and `curl -u clientId:clientSecret` is enough.
Request bodies may be gzipped (Content-Encoding: gzip). Path pieces marked greedy may hold slashes.
"""


@cache
def document() -> dict[str, Any]:
    """The document, as one JSON-ready dict; made once."""
    methods = table().methods
    models = {(model, "validation") for m in methods for model in (m.request, m.result)}
    names, definitions = models_json_schema(sorted(models, key=_full_name), ref_template=_REF)
    schemas = definitions.get("$defs", {}) | _ERROR_SCHEMAS
    paths: dict[str, dict[str, Any]] = {}
    for method in methods:
        path = f"/{method.service}{re.sub(r'{[+]', '{', method.path)}"
        paths.setdefault(path, {})[method.verb.lower()] = _operation(method, names)
    for path, operations in (*openapi_protocols.paths().items(), *openapi_plain.paths().items()):
        paths.setdefault(path, {}).update(operations)
    return {
        "openapi": "3.1.0",
        "info": {"title": "gs2admin", "version": __version__, "description": _INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": service} for service in dict.fromkeys(m.service for m in methods)]
        + openapi_protocols.tags() + [openapi_plain.TAG],  # fmt: skip
        "paths": paths,
        "components": {
            "schemas": schemas | openapi_protocols.schemas(),
            "securitySchemes": _SECURITY | openapi_protocols.security(),
            "responses": _responses(),
        },
    }


def _full_name(item: tuple[type, str]) -> str:
    return f"{item[0].__module__}.{item[0].__qualname__}"


def _operation(method: Method, names: dict) -> dict[str, Any]:
    own_api = method.service == API
    operation: dict[str, Any] = {
        "operationId": method.name,
        "tags": [method.service],
        "summary": method.summary,
        "description": (method.handler.__doc__ or "").strip(),
        "parameters": _parameters(method),
        "security": _security(method, own_api),
        "responses": {
            str(status): _success(text, names[(method.result, "validation")])
            for status, text in (method.statuses or {200: "Done."}).items()
        },
    }
    for status in _API_ERRORS if own_api else _GS2_ERRORS:
        kind = "Api" if own_api else "Gs2"
        operation["responses"][status] = {"$ref": f"#/components/responses/{kind}{status}"}
    if method.verb in {"POST", "PUT"}:
        operation["requestBody"] = {"content": {"application/json": {"schema": _body(method)}}}
    return operation


def _split(method: Method) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
    """Properties of the path, the others, and the names that are required."""
    schema = method.request.model_json_schema(ref_template=_REF)
    pieces = re.findall(r"{\+?([A-Za-z]+)}", method.path)
    properties = {key: _clean(value) for key, value in schema.get("properties", {}).items()}
    in_path = {name: properties.pop(name) for name in pieces}
    return in_path, properties, set(schema.get("required", []))


def _clean(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "title"}


def _parameters(method: Method) -> list[dict[str, Any]]:
    in_path, others, required = _split(method)
    found = [_parameter(name, "path", schema, True) for name, schema in in_path.items()]
    for parameter in found:
        if f"{{+{parameter['name']}}}" in method.path:
            parameter["description"] = (parameter.get("description", "") + " Greedy: may hold slashes.").strip()
    if method.verb in {"GET", "DELETE"}:
        found += [_parameter(name, "query", schema, name in required) for name, schema in others.items()]
    for takes, header, text in (
        (method.takes_time_offset, "X-GS2-TIME-OFFSET-TOKEN", "Shifts the user's clock."),
        (method.takes_duplication_avoider, "X-GS2-DUPLICATION-AVOIDER", "The same again has no second effect."),
        (method.writes, "X-GS2-DRY-RUN", "true: answer as if done, and change nothing."),
    ):
        if takes:
            found.append(_parameter(header, "header", {"type": "string", "description": text}, False))
    return found


def _parameter(name: str, where: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    schema = dict(schema)
    description = schema.pop("description", "")
    found = {"name": name, "in": where, "required": required, "schema": schema}
    return found | ({"description": description} if description else {})


def _body(method: Method) -> dict[str, Any]:
    _, others, required = _split(method)
    schema: dict[str, Any] = {"type": "object", "properties": others}
    needed = sorted(required & set(others))
    return schema | ({"required": needed} if needed else {})


def _security(method: Method, own_api: bool) -> list[dict[str, list[str]]]:
    if method.auth is Auth.NONE:
        return []
    if method.auth is Auth.ACCESS:
        return [{"projectToken": [], "accessToken": []}]
    return [{"projectToken": []}, {"clientSecret": []}] if own_api else [{"projectToken": []}]


def _success(text: str, reference: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": reference}}}


def _responses() -> dict[str, Any]:
    found = {}
    for kind, errors in (("Gs2", _GS2_ERRORS), ("Api", _API_ERRORS)):
        schema = {"$ref": f"#/components/schemas/{kind}Error"}
        for status, text in errors.items():
            found[kind + status] = {"description": text, "content": {"application/json": {"schema": schema}}}
    return found


_SECURITY = {
    "projectToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "access_token of identifier.projectToken.login.",
    },
    "accessToken": {
        "type": "apiKey",
        "in": "header",
        "name": "X-GS2-ACCESS-TOKEN",
        "description": "token of auth.accessToken.login.",
    },
    "clientSecret": {"type": "http", "scheme": "basic", "description": "Client id and secret of a credential."},
}
_ERROR_SCHEMAS = {
    "Gs2Error": {
        "type": "object",
        "required": ["message"],
        "properties": {
            "message": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["component", "message", "code"],
                        "properties": {word: {"type": "string"} for word in ("component", "message", "code")},
                    },
                },
                "description": "JSON text of the list of problems, the decisive one first.",
            }
        },
    },
    "ApiError": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string", "description": "A sentence for people."},
                },
            }
        },
    },
}
