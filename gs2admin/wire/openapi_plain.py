"""Addresses that programs open and that belong to no protocol, as parts of the OpenAPI document: files and calendars by signed
links, probes, the document itself. Each app lists its own in its package `api` as PLAIN."""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule

TAG = {"name": "plain", "description": "Files and calendars by signed links, probes, and this document."}
_JSON, _OBJECT = "application/json", {"type": "object"}


@dataclass(frozen=True)
class Plain:
    """One address and verb. answers: {status: (what it means, media type)}, no media type: the text of a sentence.

    sends: media type of the body that is sent. query: {name: description}. security: as OpenAPI has it; none for what needs none
    or carries its own signature.
    """

    name: str
    verb: str
    path: str
    summary: str
    answers: Mapping[int, tuple[str, str]]
    sends: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    security: tuple[dict[str, list[str]], ...] = ()


_PROBE = {200: ("It is.", _JSON), 503: ("It is not.", _JSON)}
OURS = [
    Plain("healthz", "GET", "/healthz", "Whether this process answers", {200: _PROBE[200]}),
    Plain("readyz", "GET", "/readyz", "Whether this server can do its work", _PROBE),
    Plain("document", "GET", "/openapi.json", "This document",
          {200: ("The document.", _JSON), 401: ("No credential was sent, or not a live one.", _JSON)},
          security=({"projectToken": []}, {"clientSecret": []})),
]  # fmt: skip


@cache
def plain() -> list[Plain]:
    """All of them."""
    found = list(OURS)
    for config in apps.get_app_configs():
        if config.module and module_has_submodule(config.module, "api"):
            found += getattr(import_module(f"{config.name}.api"), "PLAIN", [])
    return found


def paths() -> dict[str, dict[str, Any]]:
    """{path: {verb: operation}}."""
    found: dict[str, dict[str, Any]] = {}
    for one in plain():
        found.setdefault(one.path, {})[one.verb.lower()] = _operation(one)
    return found


def _operation(one: Plain) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"plain.{one.name}",
        "summary": one.summary,
        "tags": [TAG["name"]],
        "security": list(one.security),
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
              for name in re.findall(r"{(\w+)}", one.path)),
            *({"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": text}
              for name, text in one.query.items()),
        ],
        "responses": {
            str(status): {"description": text, "content": {kind or "text/plain": {"schema": _OBJECT if kind == _JSON else {}}}}
            for status, (text, kind) in one.answers.items()
        },
    }  # fmt: skip
    if one.sends:
        operation["requestBody"] = {"required": True, "content": {one.sends: {"schema": {"type": "string", "format": "binary"}}}}
    return operation
