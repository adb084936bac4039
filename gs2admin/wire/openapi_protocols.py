"""The other published protocols as parts of the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

from gs2admin.wire.protocol import Protocol, Route, protocols


def tags() -> list[dict[str, str]]:
    """One group per protocol."""
    return [{"name": protocol.name, "description": protocol.title} for protocol in protocols()]


def schemas() -> dict[str, Any]:
    """Each protocol's error body, and the bodies of its requests with their parts."""
    found: dict[str, Any] = {}
    for protocol in protocols():
        found[_error(protocol)] = protocol.error_schema
        for route in protocol.routes:
            if isinstance(route.request, type):
                schema = route.request.model_json_schema(ref_template=f"#/components/schemas/{protocol.name}.{{model}}")
                found |= {f"{protocol.name}.{name}": part for name, part in schema.pop("$defs", {}).items()}
                found[f"{protocol.name}.{route.request.__name__}"] = schema
    return found


def security() -> dict[str, Any]:
    """How callers of the protocols show who they are; a scheme's name begins with its protocol's."""
    return {_scheme(protocol, name): scheme for protocol in protocols() for name, scheme in protocol.security.items()}


def paths() -> dict[str, dict[str, Any]]:
    """{path: {verb: operation}}."""
    found: dict[str, dict[str, Any]] = {}
    for protocol in protocols():
        for route in protocol.routes:
            found.setdefault(protocol.prefix + route.path, {})[route.verb.lower()] = _operation(protocol, route)
    return found


def _operation(protocol: Protocol, route: Route) -> dict[str, Any]:
    refused = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_error(protocol)}"}}}
    success: dict[str, Any] = {"description": "Done."}
    if route.result is not None:
        success["content"] = {"application/json": {"schema": route.result}}
    operation: dict[str, Any] = {
        "operationId": f"{protocol.name}.{route.name}",
        "summary": route.summary,
        "tags": [protocol.name],
        "security": [{_scheme(protocol, name): []} for name in protocol.security],
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
              for name in re.findall(r"{([A-Za-z_]+)}", route.path)),
            *({"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": text}
              for name, text in route.query.items()),
        ],
        "responses": {str(route.status): success, "default": {"description": "Refused.", "content": refused}},
    }  # fmt: skip
    if route.takes_body:
        body = route.request
        if isinstance(body, type):
            body = {"$ref": f"#/components/schemas/{protocol.name}.{body.__name__}"}
        operation["requestBody"] = {"content": {"application/json": {"schema": body or {"type": "object"}}}}
    return operation


def _error(protocol: Protocol) -> str:
    return protocol.name[:1].upper() + protocol.name[1:] + "Error"


def _scheme(protocol: Protocol, name: str) -> str:
    return protocol.name + name[:1].upper() + name[1:]
