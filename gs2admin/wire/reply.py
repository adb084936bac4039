"""What goes out to a program, before it is Django's or the web server's: status, headers and bytes. Made in one place."""

from __future__ import annotations

import gzip
import json
from http.client import responses
from typing import Any, NamedTuple

from django.http import HttpResponse

from gs2admin.wire.failures import Failure
from gs2admin.wire.table import API, Answer

_GZIP_FROM = 2048
# A program may remember an answer and its ETag itself; what stands between keeps nothing.
_NOT_KEPT = "no-store"
# As json.dumps with these arguments, which makes an encoder each time.
_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Reply(NamedTuple):
    """headers: {name: value} in the order in which they are sent."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def reason(self) -> str:
        """The words behind the status."""
        return responses.get(self.status, "Unknown Status Code")

    def as_response(self) -> HttpResponse:
        """The same for Django's middleware."""
        return HttpResponse(self.content, status=self.status, headers=self.headers)


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


def reply(answer: Answer, meta: dict[str, Any]) -> Reply:
    """An answer as it is sent. meta: of the WSGI request."""
    if answer.etag and answer.etag in [tag.strip().removeprefix("W/") for tag in meta.get("HTTP_IF_NONE_MATCH", "").split(",")]:
        headers = {"ETag": answer.etag, "Cache-Control": _NOT_KEPT, "Content-Type": "text/html; charset=utf-8"}
        return Reply(304, headers, b"")
    content = _text(answer.body).encode("utf-8", "replace")
    headers = {"Content-Type": "application/json"}
    if len(content) >= _GZIP_FROM:
        headers["Vary"] = "Accept-Encoding"
        if _wants_gzip(meta.get("HTTP_ACCEPT_ENCODING", "")):
            content = gzip.compress(content, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
    if answer.headers:
        headers.update(answer.headers)
    headers["Cache-Control"] = _NOT_KEPT
    if answer.etag:
        headers["ETag"] = answer.etag
    headers["X-Content-Type-Options"] = "nosniff"
    if answer.status == 401:
        # Not Basic: a browser would ask for a password and then send it along from other sites.
        headers["WWW-Authenticate"] = "Bearer"
    headers["Content-Length"] = str(len(content))
    return Reply(answer.status, headers, content)


def _wants_gzip(accept: str) -> bool:
    for choice in accept.lower().split(","):
        name, _, quality = choice.strip().partition(";")
        if name.strip() in {"gzip", "x-gzip"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
