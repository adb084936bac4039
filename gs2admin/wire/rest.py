"""The entry point by REST: HTTP in, (method, fields, context) to dispatch, HTTP out. Serves the GS2 services and our own API."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse

from gs2admin.caller import client_of
from gs2admin.errors import DomainError
from gs2admin.identity.tokens import BadToken
from gs2admin.wire import bodies, location
from gs2admin.wire.call import CallContext
from gs2admin.wire.dispatch import authenticate, credential_of, dispatch
from gs2admin.wire.failures import Failure, fault, refuse
from gs2admin.wire.location import Location
from gs2admin.wire.table import API, Answer, table
from gs2admin.wire.unserved import nothing_here

_GZIP_FROM = 2048
# A program may remember an answer and its ETag itself; what stands between keeps nothing.
_NOT_KEPT = "no-store"
_NO_TOKEN = frozenset({"null", "none", "undefined"})


def serve(request: HttpRequest, where: Location) -> HttpResponse:
    """Answer a request for one of our services; never raises, never redirects, sets no cookies."""
    meta = request.META
    try:
        answer = _call(request, where)
    except Failure as failure:
        answer = refusal(where.service, failure)
    except Exception as problem:  # noqa: BLE001  the outermost frame: nothing of the fault may reach the client
        answer = refusal(where.service, fault(where.service, problem))
    return _response(answer, meta)


def _call(request: HttpRequest, where: Location) -> Answer:
    meta, service = request.META, where.service
    if not where.served:
        raise nothing_here()
    verb = request.method or "GET"
    found = table().find(service, verb, where.path)
    if found is None:
        raise refuse(404, "method", f"{service}.request.method.error.notFound", table().missing(service, where.path))
    method, names, values = found
    request.wire_method = method.name  # for the access log
    has_body = verb in {"POST", "PUT", "PATCH"}
    cap = min(method.body_cap, settings.GS2_MAX_BODY)
    raw = bodies.read_raw(meta, method.words, cap) if has_body else b""
    # The caller is authenticated before the body is inflated and parsed: a stranger costs nothing.
    call = authenticate(method, _context(request, where))
    if has_body:
        body = bodies.decode(raw, meta.get("HTTP_CONTENT_ENCODING", ""), method.words, cap)
        fields = bodies.parse_object(body, method.words)
    else:
        fields = location.query(meta, method.words)
    for name, value in zip(names, values, strict=True):
        fields[name] = location.piece(value, method.words)
    return dispatch(method, call, fields)


def _context(request: HttpRequest, where: Location) -> CallContext:
    meta = request.META
    scheme, _, credentials = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    own_api = where.service == API
    return CallContext(
        door="api" if own_api else "gs2",
        ip=client_of(request),
        request_id=getattr(request, "request_id", ""),
        project_token=_token(credentials) if scheme.lower() == "bearer" else "",
        basic=_basic(credentials) if own_api and scheme.lower() == "basic" else None,
        access_token=_token(meta.get("HTTP_X_GS2_ACCESS_TOKEN", "")),
        time_offset_token=_token(meta.get("HTTP_X_GS2_TIME_OFFSET_TOKEN", "")),
        duplication_avoider=_token(meta.get("HTTP_X_GS2_DUPLICATION_AVOIDER", "")),
        dry_run=meta.get("HTTP_X_GS2_DRY_RUN", "").strip().lower() == "true",
        base_url=_base_url(request),
    )


def is_program(request: HttpRequest) -> bool:
    """Whether a request, to any path, carries a live credential: its id and secret, or its project token."""
    try:
        credential_of(_context(request, Location(API, request.path_info)))
    except (BadToken, DomainError):
        return False
    return True


def _base_url(request: HttpRequest) -> str:
    try:
        return f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:  # a host that our pages would not answer to; the caller gets a path
        return ""


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


def refusal(service: str, failure: Failure) -> Answer:
    """The error body of our own API or, for any other service, of GS2 clients."""
    if service == API:
        return _own_refusal(failure)
    elements = [problem.as_element() for problem in failure.problems]
    return Answer({"message": json.dumps(elements)}, failure.status, failure.headers)


def _own_refusal(failure: Failure) -> Answer:
    first = failure.problems[0]
    sentence = " ".join(problem.sentence or problem.message for problem in failure.problems)
    return Answer({"error": {"code": first.code or first.message, "message": sentence}}, failure.status, failure.headers)


def _response(answer: Answer, meta: dict[str, Any]) -> HttpResponse:
    if answer.etag and answer.etag in [tag.strip().removeprefix("W/") for tag in meta.get("HTTP_IF_NONE_MATCH", "").split(",")]:
        return HttpResponse(status=304, headers={"ETag": answer.etag, "Cache-Control": _NOT_KEPT})
    content = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    response = HttpResponse(content, status=answer.status, content_type="application/json")
    if len(content) >= _GZIP_FROM:
        response["Vary"] = "Accept-Encoding"
        if _wants_gzip(meta.get("HTTP_ACCEPT_ENCODING", "")):
            response.content = content = gzip.compress(content, compresslevel=1, mtime=0)
            response["Content-Encoding"] = "gzip"
    for name, value in answer.headers.items():
        response[name] = value
    response["Cache-Control"] = _NOT_KEPT
    if answer.etag:
        response["ETag"] = answer.etag
    response["X-Content-Type-Options"] = "nosniff"
    if answer.status == 401:
        # Not Basic: a browser would ask for a password and then send it along from other sites.
        response["WWW-Authenticate"] = "Bearer"
    response["Content-Length"] = str(len(content))
    return response


def _wants_gzip(accept: str) -> bool:
    for choice in accept.lower().split(","):
        name, _, quality = choice.strip().partition(";")
        if name.strip() in {"gzip", "x-gzip"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
