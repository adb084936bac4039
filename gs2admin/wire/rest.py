"""The entry point by REST: HTTP in, (method, fields, context) to dispatch, HTTP out. Serves the GS2 services and our own API."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest

from gs2admin.errors import DomainError
from gs2admin.identity.tokens import BadToken
from gs2admin.wire import bodies, location
from gs2admin.wire.call import CallContext
from gs2admin.wire.dispatch import authenticate, credential_of, dispatch
from gs2admin.wire.failures import Failure, fault, refuse
from gs2admin.wire.location import Location
from gs2admin.wire.reply import Reply, refusal, reply
from gs2admin.wire.table import API, Answer, table
from gs2admin.wire.unserved import nothing_here

_NO_TOKEN = frozenset({"null", "none", "undefined"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def respond(meta: dict[str, Any], where: Location, request_id: str) -> Reply:
    """Answer a WSGI request for one of our services; never raises, never redirects, sets no cookies."""
    try:
        answer = _call(meta, where, request_id)
    except Failure as failure:
        answer = refusal(where.service, failure)
    except Exception as problem:  # noqa: BLE001  the outermost frame: nothing of the fault may reach the client
        answer = refusal(where.service, fault(where.service, problem))
    return reply(answer, meta)


def _call(meta: dict[str, Any], where: Location, request_id: str) -> Answer:
    service = where.service
    if not where.served:
        raise nothing_here()
    verb = meta["REQUEST_METHOD"].upper()
    found = table().find(service, verb, where.path)
    if found is None:
        raise refuse(404, "method", f"{service}.request.method.error.notFound", table().missing(service, where.path))
    method, names, values = found
    has_body = verb in _WITH_BODY
    cap = min(method.body_cap, settings.GS2_MAX_BODY)
    raw = bodies.read_raw(meta, method.words, cap) if has_body else b""
    # The caller is authenticated before the body is inflated and parsed: a stranger costs nothing.
    call = authenticate(method, _context(meta, service, request_id))
    if has_body:
        body = bodies.decode(raw, meta.get("HTTP_CONTENT_ENCODING", ""), method.words, cap)
        fields = bodies.parse_object(body, method.words)
    else:
        fields = location.query(meta, method.words)
    for name, value in zip(names, values, strict=True):
        fields[name] = location.piece(value, method.words)
    return dispatch(method, call, fields)


def _context(meta: dict[str, Any], service: str, request_id: str) -> CallContext:
    scheme, _, credentials = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    scheme, own_api = scheme.lower(), service == API
    return CallContext(
        door="api" if own_api else "gs2",
        ip=meta.get("REMOTE_ADDR", "") or "",
        request_id=request_id,
        project_token=_token(credentials) if scheme == "bearer" else "",
        basic=_basic(credentials) if own_api and scheme == "basic" else None,
        access_token=_header(meta, "HTTP_X_GS2_ACCESS_TOKEN"),
        time_offset_token=_header(meta, "HTTP_X_GS2_TIME_OFFSET_TOKEN"),
        duplication_avoider=_header(meta, "HTTP_X_GS2_DUPLICATION_AVOIDER"),
        dry_run="HTTP_X_GS2_DRY_RUN" in meta and meta["HTTP_X_GS2_DRY_RUN"].strip().lower() == "true",
        reached_by=partial(_base_url, meta),
    )


def is_program(request: HttpRequest) -> bool:
    """Whether a request, to any path, carries a live credential: its id and secret, or its project token."""
    try:
        credential_of(_context(request.META, API, getattr(request, "request_id", "")))
    except (BadToken, DomainError):
        return False
    return True


def _base_url(meta: dict[str, Any]) -> str:
    request = WSGIRequest(dict(meta))
    try:
        return f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:  # a host that our pages would not answer to; the caller gets a path
        return ""


def _header(meta: dict[str, Any], name: str) -> str:
    return _token(meta[name]) if name in meta else ""


def _token(value: str) -> str:
    value = value.strip()
    return "" if value.lower() in _NO_TOKEN else value


def _basic(credentials: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(credentials, validate=True).decode()
    except ValueError:
        return "", ""
    client_id, _, secret = text.partition(":")
    return client_id, secret
