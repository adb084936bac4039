"""Takes the table's requests out of Django's stack before hosts, redirects, sessions and CSRF are looked at."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from gs2admin.wire.location import locate
from gs2admin.wire.protocol import families
from gs2admin.wire.rest import serve
from gs2admin.wire.table import table


class WireMiddleware:
    """Stands second, behind the request log. Django's request signals still frame it, so connections are kept well."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        table()  # a doubled or broken declaration stops the server at its start, not at the first call

    def __call__(self, request: HttpRequest) -> HttpResponse:
        where = locate(request.META)
        return self.get_response(request) if where is None else serve(request, where)


class FamiliesMiddleware:
    """Does the same for the other published protocols."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        families()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        for family in families():
            path = family.find(request.META)
            if path is not None:
                return family.serve(request, path)
        return self.get_response(request)
