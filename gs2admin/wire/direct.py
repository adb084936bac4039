"""Pages' paths that are requested so often that they are answered before sessions, CSRF and messages, which they do not need.

An app adds its own when its pages are loaded. Such a path has no line in the access log, but at DEBUG.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from gs2admin.wire.router import Router

Handler = Callable[..., HttpResponse]
DIRECT: Router[Handler] = Router()


def direct(path: str) -> Callable[[Handler], Handler]:
    """Answer GET of a path by the decorated function: fn(request, **pieces of the path) -> response.

    Pieces are decoded texts, and a `{name:int}` is one of digits. Raises ValueError for a path that is taken.
    """

    def register(handler: Handler) -> Handler:
        def answer(request: HttpRequest, **pieces: str) -> HttpResponse:
            request.quiet = True
            return handler(request, **pieces)

        DIRECT.add("GET", path, answer)
        return handler

    return register
