"""Finds out whether a request is for one of our services, and for which path below it.

The raw request target is used where the server gives it, because a decoded path cannot tell `%2F` from a slash and
has lost `//` and bare `%` (contract: transport, section 6).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from gs2admin.wire.failures import refuse
from gs2admin.wire.table import API, GS2_SERVICES

_PREFIXES = frozenset({*GS2_SERVICES, API})
# Clients that can only change DNS ask {service}.{region}.gen2.gs2io.com or the like. A second label that is no region
# leaves ordinary hosts such as auth.example.com alone.
_HOST = re.compile(rf"({'|'.join(GS2_SERVICES)})\.(?:[a-z]{{2,}}-[a-z]+-\d+\..+|[^.]+\.gen2\.gs2io\.com)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?([^/?#]*)", re.IGNORECASE)
_UNQUOTED = "/~:@!$&'()*+,;=-._"
_MAX_QUERY_FIELDS = 200


class Target(NamedTuple):
    """What a request asks for. path: percent-encoded; host: of an absolute target, else of the Host header."""

    path: str
    host: str


@dataclass(frozen=True)
class Location:
    """service: table's service. path: below it, beginning with a slash, percent-encoded.

    served: False where nothing answers, and the service only says in whose form that is said.
    """

    service: str
    path: str
    served: bool = True


def sent(meta: dict[str, Any]) -> Target:
    """The target as it was sent, here with its query, without scheme, host and fragment.

    Scheme and host of an absolute one (`GET http://host/path`) count more than the headers. Where the server does not give it
    (only gunicorn and servers like it do), the decoded path is encoded again.
    """
    raw, host = meta.get("RAW_URI"), meta.get("HTTP_HOST", "")
    if raw is None:
        whole = meta.get("SCRIPT_NAME", "") + (meta.get("PATH_INFO") or "/")
        query = meta.get("QUERY_STRING", "")
        return Target(quote(whole.encode("latin-1", "replace"), safe=_UNQUOTED) + (query and "?" + query), host)
    raw = raw.partition("#")[0]
    absolute = None if raw[:1] == "/" else _ABSOLUTE.match(raw)
    if absolute is None:
        return Target(raw, host)
    rest = raw[absolute.end() :]
    return Target(rest if rest[:1] == "/" else "/" + rest, absolute[1])


def target_of(meta: dict[str, Any]) -> Target:
    """What a WSGI request asks for, without its query, below the root of this server."""
    whole, host = sent(meta)
    return Target(whole.partition("?")[0].removeprefix(meta.get("SCRIPT_NAME", "")), host)


def locate(meta: dict[str, Any]) -> Location | None:
    """Where a WSGI request goes, or None when it is not for the table."""
    return located(target_of(meta))


def located(target: Target) -> Location | None:
    """The same for a target that is known already."""
    path, host = target
    named = _HOST.match(host)
    if named:
        return Location(named[1].lower(), path if path.startswith("/") else "/" + path)
    first, _, rest = path[1:].partition("/")
    if path[:1] != "/" or first not in _PREFIXES:
        return None
    return Location(first, "/" + rest)


def piece(value: str, service: str) -> str | None:
    """One path piece as text; None when it is not given. A bare `%` stays as it is, `+` is a plus.

    SDKs write a missing piece as the word null. Raises Failure 400 when the bytes are not UTF-8.
    """
    try:
        text = unquote_to_bytes(value.encode("latin-1", "replace")).decode("utf-8")
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
