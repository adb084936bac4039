"""The other published protocols as parts of the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

from gs2admin.wire.protocol import Protocol, Route, families


def tags() -> list[dict[str, str]]:
    """One group per family."""
    return [{"name": family.name, "description": family.title} for family in families()]


def schemas() -> dict[str, Any]:
    """Each family's error body, and the bodies of its requests with their parts."""
    found: dict[str, Any] = {}
    for family in families():
        found[_error(family)] = family.error_schema
        for route in family.routes:
            if isinstance(route.request, type):
                schema = route.request.model_json_schema(ref_template=f"#/components/schemas/{family.name}.{{model}}")
                found |= {f"{family.name}.{name}": part for name, part in schema.pop("$defs", {}).items()}
                found[f"{family.name}.{route.request.__name__}"] = schema
    return found


def security() -> dict[str, Any]:
    """How callers of the families show who they are; a scheme's name begins with its family's."""
    return {_scheme(family, name): scheme for family in families() for name, scheme in family.security.items()}


def paths() -> dict[str, dict[str, Any]]:
    """{path: {verb: operation}}."""
    found: dict[str, dict[str, Any]] = {}
    for family in families():
        for route in family.routes:
            found.setdefault(family.prefix + route.path, {})[route.verb.lower()] = _operation(family, route)
    return found


def _operation(family: Protocol, route: Route) -> dict[str, Any]:
    refused = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_error(family)}"}}}
    success: dict[str, Any] = {"description": "Done."}
    if route.result is not None:
        success["content"] = {"application/json": {"schema": route.result}}
    operation: dict[str, Any] = {
        "operationId": f"{family.name}.{route.name}",
        "summary": route.summary,
        "tags": [family.name],
        "security": [{_scheme(family, name): []} for name in family.security],
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
            body = {"$ref": f"#/components/schemas/{family.name}.{body.__name__}"}
        operation["requestBody"] = {"content": {"application/json": {"schema": body or {"type": "object"}}}}
    return operation


def _error(family: Protocol) -> str:
    return family.name[:1].upper() + family.name[1:] + "Error"


def _scheme(family: Protocol, name: str) -> str:
    return family.name + name[:1].upper() + name[1:]
