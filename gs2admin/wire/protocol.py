"""A published protocol that is not GS2's: a prefix, routes, and an error shape of its own.

Its requests are taken out of Django's stack as the GS2 ones are, before hosts, redirects, sessions and CSRF are looked
at, so that nothing under the prefix is ever answered in another shape. A protocol says how its caller is known and how it
refuses; reading, routing and the last resort are here. Each app lists its protocols in its package `api` as PROTOCOLS.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import Any

from django.apps import apps
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import module_has_submodule
from pydantic import BaseModel

from gs2admin import outage
from gs2admin.caller import client_of
from gs2admin.errors import Conflict, DomainError, Invalid, NotFound, Quota, Unavailable
from gs2admin.identity.actors import Actor, from_credential
from gs2admin.identity.models import Credential, Project
from gs2admin.text import storable
from gs2admin.wire import bodies, location
from gs2admin.wire.failures import Failure, when_to_try_again
from gs2admin.wire.router import Router, compiled

log = logging.getLogger(__name__)
# A body that is nested deeper is refused: recursive functions walk through what is stored.
MOST_DEEP = 100


class Refused(Exception):
    """A call is refused. status: HTTP; sentence: for people, shown to the client; denied: a right is missing.

    headers: what the answer carries besides, such as when to try again.
    """

    def __init__(
        self, status: int, sentence: str, *, denied: bool = False, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.denied = denied
        self.headers = dict(headers or {})


@dataclass(frozen=True)
class Reply:
    """body: None is an empty one. retry_after_s: when it is worth trying again; 0: not said."""

    body: dict[str, Any] | None
    status: int = 200
    retry_after_s: int = 0


@dataclass(frozen=True)
class Request:
    """What a handler may rely on: who calls, in which project, and the fields. pieces: of the path, decoded."""

    actor: Actor
    project: Project
    pieces: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class Route:
    """One call. path: below the prefix, `{name}` is one piece. takes_body: whether its JSON is read, else it is ignored.

    conflict: the status for an action that the present state forbids. status: of a success. query: {name: description}.
    request, result: JSON schemas (a request may be a pydantic model), for the OpenAPI page.
    """

    name: str
    verb: str
    path: str
    handler: Callable[[Request], Reply]
    summary: str
    takes_body: bool = False
    conflict: int = 400
    status: int = 200
    request: type[BaseModel] | dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)

    def pattern(self) -> re.Pattern[str]:
        """The path as an expression over the raw, still encoded path."""
        return compiled(self.path)


class Protocol:
    """Base of a protocol. root: everything below it is ours. prefix: of the routes.

    host: a Host header that means the root, for clients that can only change DNS; their path begins below `root`.
    name, title, security (OpenAPI security schemes) and error_schema are for the OpenAPI page.
    """

    name = ""
    title = ""
    root = ""
    prefix = ""
    host: re.Pattern[str] | None = None
    body_cap = 1024 * 1024
    routes: list[Route] = []
    security: dict[str, Any] = {}
    error_schema: dict[str, Any] = {}

    def __init__(self) -> None:
        self._router: Router[Route] = Router()
        for route in self.routes:
            self._router.add(route.verb, route.path, route)

    # ── What a protocol defines ──────────────────────────────────────────────────────────────────────────

    def caller(self, request: HttpRequest, uri: str, body: bytes) -> Credential:
        """The live credential that calls. Raises Refused.

        uri: the request target as it was sent, path and query. body: as it was sent, encoded still; a GET has none here.
        """
        raise NotImplementedError

    def refusal(self, refused: Refused) -> Reply:
        """The protocol's error body."""
        raise NotImplementedError

    def dress(self, reply: Reply, request: HttpRequest) -> Reply:
        """The last change of a success, such as an envelope."""
        return reply

    # ── What all protocols share ────────────────────────────────────────────────────────────────────────────

    def find(self, target: location.Target) -> str | None:
        """The path below the root, encoded, or None when the request is not for this protocol."""
        path, host = target
        if self.host is not None and self.host.match(host):
            return path
        return path.removeprefix(self.root) if path == self.root or path.startswith(self.root + "/") else None

    def is_near(self, meant: Iterable[str]) -> bool:
        """Whether a path means one below the root: as it is written it is none, which is said in this protocol's form."""
        return any(path == self.root or path.startswith(self.root + "/") for path in meant)

    def serve(self, request: HttpRequest, path: str) -> HttpResponse:
        """Answer; never raises, never redirects, sets no cookies."""
        headers: dict[str, str] = {}
        try:
            reply = self.dress(self._call(request, path), request)
        except Refused as refused:
            reply, headers = self.refusal(refused), refused.headers
        except Failure as failure:
            large = failure.problems[0].message.endswith(".tooLong")
            reply = self.refusal(Refused(413 if large else failure.status, failure.problems[0].sentence))
        except Exception as problem:  # noqa: BLE001  the outermost frame: nothing of the fault may reach the client
            reply = self._fault(problem)
        response = _response(reply)
        for name, value in headers.items():
            response[name] = value
        return response

    def _fault(self, problem: Exception) -> Reply:
        found = outage.seen(problem)
        if found is None:
            log.error("a call failed", exc_info=problem)
            return self.refusal(Refused(500, "Something went wrong here; it was logged."))
        return replace(self.refusal(Refused(503, found.sentence)), retry_after_s=found.retry_after_s)

    def _call(self, request: HttpRequest, path: str) -> Reply:
        meta, verb = request.META, request.method or "GET"
        words = self.root.strip("/")
        raw = bodies.read_raw(meta, words, self.body_cap) if verb != "GET" else b""
        credential = self.caller(request, target(meta), raw)
        route, found = self._route(verb, path.removeprefix(self.prefix.removeprefix(self.root)), path)
        call = Request(
            actor=from_credential(
                credential, door="api", ip=client_of(request), request_id=getattr(request, "request_id", "")
            ),
            project=credential.project,
            pieces={name: self._piece(value, words) for name, value in found.items()},
            query=_text_of(location.query(meta, words), "query"),
            body=self._body(raw, meta, words) if route.takes_body else {},
        )
        try:
            return route.handler(call)
        except DomainError as error:
            raise refused_by(error, route.conflict) from None

    def _route(self, verb: str, path: str, whole: str) -> tuple[Route, dict[str, str]]:
        if not whole.startswith(self.prefix.removeprefix(self.root)):
            raise Refused(404, "There is no such path.")
        found = self._router.find(verb, path)
        if found is None:
            raise Refused(404, self._router.missing(path))
        return found.target, found.pieces

    def _piece(self, value: str, words: str) -> str:
        text = location.piece(value, words)
        if text is None or "\0" in text:
            raise Refused(404, "There is no such path.")
        return text

    def _body(self, raw: bytes, meta: dict[str, Any], words: str) -> dict[str, Any]:
        found = bodies.parse_object(bodies.decode(raw, meta.get("HTTP_CONTENT_ENCODING", ""), words, self.body_cap), words)
        return _text_of(found, "body")


def target(meta: dict[str, Any]) -> str:
    """The request target as it was sent, path and query, for what is signed."""
    whole = location.sent(meta).path
    return whole if whole[:1] == "/" else "/" + whole


def refused_by(error: DomainError, conflict: int) -> Refused:
    """A refusal of the domain as one of this protocol. conflict: the status where the present state forbids the action."""
    status = 400
    for kind, code in ((NotFound, 404), (Conflict, conflict), (Unavailable, 503), (Quota, 429), (Invalid, 400)):
        if isinstance(error, kind):
            status = code
            break
    else:
        return Refused(403, error.sentence, denied=True)
    return Refused(status, error.sentence, headers=when_to_try_again(error.extra))


def _text_of(found: dict[str, Any], where: str) -> dict[str, Any]:
    """The fields, if a database column and other clients can hold their text, and our own code can walk through them.

    where: query or body. Raises Refused.
    """
    left: list[tuple[Any, int]] = [(found, 1)]
    while left:
        value, depth = left.pop()
        if isinstance(value, str) and not storable(value):
            raise Refused(400, f"The {where} holds a character that is not text.")
        if isinstance(value, (dict, list)):
            if depth > MOST_DEEP:
                raise Refused(400, "The JSON is nested too deeply.")
            left += ((each, depth + 1) for each in value)
        if isinstance(value, dict):
            left += ((each, depth + 1) for each in value.values())
    return found


def _response(reply: Reply) -> HttpResponse:
    text = "" if reply.body is None else json.dumps(reply.body, ensure_ascii=False, separators=(",", ":"))
    content = text.encode("utf-8", "replace")
    response = HttpResponse(content, status=reply.status, content_type="application/json;charset=utf-8")
    response["Content-Length"] = str(len(content))
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    if reply.retry_after_s:
        response["Retry-After"] = str(reply.retry_after_s)
    return response


@cache
def protocols() -> list[Protocol]:
    """All published protocols of this server, from the apps' `api` packages."""
    found: list[Protocol] = []
    for config in apps.get_app_configs():
        if config.module and module_has_submodule(config.module, "api"):
            found += getattr(import_module(f"{config.name}.api"), "PROTOCOLS", [])
    return found
