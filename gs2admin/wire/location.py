"""Finds out whether a request is for one of our services, and for which path below it.

The raw request target is used where the server gives it, because a decoded path cannot tell `%2F` from a slash and
has lost `//` and bare `%` (contract: transport, section 6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from gs2admin.wire.failures import refuse
from gs2admin.wire.table import API, GS2_SERVICES

_PREFIXES = frozenset({*GS2_SERVICES, API})
# Clients that can only change DNS ask {service}.{region}.gen2.gs2io.com or the like. A second label that is no region
# leaves ordinary hosts such as auth.example.com alone.
_HOST = re.compile(rf"({'|'.join(GS2_SERVICES)})\.(?:[a-z]{{2,}}-[a-z]+-\d+\..+|[^.]+\.gen2\.gs2io\.com)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_MAX_QUERY_FIELDS = 200


@dataclass(frozen=True)
class Location:
    """service: table's service. path: below it, beginning with a slash. encoded: still percent-encoded."""

    service: str
    path: str
    encoded: bool


def locate(meta: dict[str, Any]) -> Location | None:
    """Where a WSGI request goes, or None when it is not for the table."""
    raw = meta.get("RAW_URI")
    if raw is None:
        path, encoded = meta.get("PATH_INFO") or "/", False
    else:
        path, encoded = re.split(r"[?#]", raw, maxsplit=1)[0], True
        if path[:1] != "/":
            path = _ABSOLUTE.sub("", path, count=1) or "/"
        path = path.removeprefix(meta.get("SCRIPT_NAME", ""))
    host = _HOST.match(meta.get("HTTP_HOST", ""))
    if host:
        return Location(host[1].lower(), path if path.startswith("/") else "/" + path, encoded)
    first, slash, rest = path[1:].partition("/")
    if path[:1] != "/" or first not in _PREFIXES:
        return None
    return Location(first, "/" + rest, encoded)


def piece(value: str, encoded: bool, service: str) -> str | None:
    """One path piece as text; None when it is not given. A bare `%` stays as it is, `+` is a plus.

    SDKs write a missing piece as the word null. Raises Failure 400 when the bytes are not UTF-8.
    """
    data = value.encode("latin-1", "replace")
    try:
        text = (unquote_to_bytes(data) if encoded else data).decode("utf-8")
    except UnicodeDecodeError:
        raise refuse(400, "path", f"{service}.request.path.error.invalid", "The path is not UTF-8.") from None
    return None if text in {"", "null"} else text


def query(meta: dict[str, Any], service: str) -> dict[str, str]:
    """The fields of a query string; `null` is what TypeScript sends for "unset". Raises Failure 400."""
    raw = meta.get("QUERY_STRING", "")
    if not raw:
        return {}
    text = raw.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        raise refuse(400, "query", f"{service}.request.query.error.tooMany", "The query string has too many fields.") from None
    return {key: value for key, value in pairs if value != "null"}
