"""The one middleware in front of Django's stack: what is answered before hosts, redirects, sessions and CSRF are looked at."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from gs2admin.wire import entries
from gs2admin.wire.direct import DIRECT
from gs2admin.wire.location import Location
from gs2admin.wire.protocol import protocols
from gs2admin.wire.rest import respond
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
        table(), protocols()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        entry = entries.known(request.META)
        if entry is None:
            # Behind those, because a host name of the cloud shows no page, whatever the path.
            found = DIRECT.find(request.method or "GET", request.path_info)
            if found is not None:
                return found.target(request, **found.pieces)
            entry = entries.meant(request.META)
        if entry is None:
            return self.get_response(request)
        if isinstance(entry, Location):
            return respond(request.META, entry, getattr(request, "request_id", "")).as_response()
        return entry.protocol.serve(request, entry.path)
