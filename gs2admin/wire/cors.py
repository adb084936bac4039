"""CORS, for games in a browser: pages of chosen origins may call the GS2 services and our JSON API. Nothing else here.

Only origins of the setting, never with cookies, and never at a page: what stands at those needs a session, which no other site
may use. In front of all that answers, so that refusals can be read too.
"""

from __future__ import annotations

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from gs2admin.wire import entries
from gs2admin.wire.location import Location


class ProgramsCorsMiddleware(CorsMiddleware):
    """Django's usual middleware for CORS, told by the place of a request instead of its path alone."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Programs outside of browsers send no origin, and pay nothing.
        return super().__call__(request) if "HTTP_ORIGIN" in request.META else self.get_response(request)

    def is_enabled(self, request: HttpRequest) -> bool:
        """Whether this origin may call what it calls. A preflight of any other goes on, and is refused in the service's form."""
        meta = request.META
        if meta.get("HTTP_ORIGIN") not in settings.CORS_ALLOWED_ORIGINS:
            return False
        return isinstance(entries.known(meta) or entries.meant(meta), Location)
