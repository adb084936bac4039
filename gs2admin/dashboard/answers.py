"""What holds for every answer of the server, whoever made it: pages, parts of pages, downloads, methods and their refusals.

- HEAD is a GET whose body is left out.
- Nothing is kept by browsers and proxies, unless the answer says otherwise itself; only static files do.
- Texts that people read are sent with marks for what cannot be seen. Downloads are sent as they are.
"""
from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from gs2admin.dashboard.unseen_html import mark_html
from gs2admin.unseen import shown

_EMPTY = (204, 304)


class AnswersMiddleware:
    """Stands in front of all that answer, behind the log alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        head = request.method == "HEAD"
        if head:
            # For what looks at the request line itself, such as a signature of it.
            request.asked_by = "HEAD"
            request.method = request.META["REQUEST_METHOD"] = "GET"
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        if not response.streaming:
            _mark(response)
            if response.status_code not in _EMPTY:
                response.headers["Content-Length"] = str(len(response.content))
        if head:
            request.method = request.META["REQUEST_METHOD"] = "HEAD"
            response = _without_body(response)
        return response


def _mark(response: HttpResponse) -> None:
    kind = response.headers.get("Content-Type", "")
    if kind.startswith("text/html"):
        body = response.content
        marked = mark_html(body)
        if marked is not body:
            response.content = marked
    elif kind.startswith("text/plain") and not response.headers.get("Content-Disposition", "").startswith("attachment"):
        response.content = shown(response.content.decode("utf-8", "replace"))


def _without_body(response: HttpResponse) -> HttpResponse:
    if not response.streaming:
        response.content = b""
        return response
    bare = HttpResponse(status=response.status_code, headers=dict(response.headers))
    bare.cookies = response.cookies
    # The file or the generator behind it is closed when the server closes the answer, as it would have been.
    bare._resource_closers = response._resource_closers
    return bare
