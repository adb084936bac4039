"""The one middleware in front of Django's stack: what is answered before hosts, redirects, sessions and CSRF are looked at."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from gs2admin.wire import unserved
from gs2admin.wire.direct import DIRECT
from gs2admin.wire.location import locate, target_of
from gs2admin.wire.protocol import protocols
from gs2admin.wire.rest import serve
from gs2admin.wire.table import table

Answer = Callable[[HttpRequest], HttpResponse]


class EntryMiddleware:
    """Answers direct paths, the published protocols and the methods of GS2, and what clients of these ask for in vain.

    Everything else goes on to the pages.

    Stands behind the request log. Django's request signals still frame it, so connections are kept well.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        # A doubled or broken declaration stops the server at its start, not at the first call.
        self._table, self._protocols = table(), protocols()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        for protocol in self._protocols:
            path = protocol.find(meta)
            if path is not None:
                return protocol.serve(request, path)
        where = locate(meta)
        if where is not None:
            return serve(request, where)
        # Behind those, because a host name of the cloud shows no page, whatever the path.
        found = DIRECT.find(request.method or "GET", request.path_info)
        return found.target(request, **found.pieces) if found is not None else self._otherwise(request)

    def _otherwise(self, request: HttpRequest) -> HttpResponse:
        """A page, or a refusal in the form that the caller reads."""
        meta = request.META
        meant = unserved.meant(target_of(meta).path)
        for protocol in self._protocols:
            if protocol.is_near(meant):
                return protocol.serve(request, "")
        where = unserved.look(meta)
        return self.get_response(request) if where is None else serve(request, where)
