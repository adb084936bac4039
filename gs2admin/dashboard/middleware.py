"""Turns what the domain refuses into a page with a sentence."""
from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from gs2admin.dashboard.errors import domain_error_page, error_page, form_of, outage_page
from gs2admin.errors import DomainError


class PageErrorsMiddleware:
    """DomainError, and the errors of a database that is away -> error page; a wrong method -> a page instead of an empty 405."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path_info:  # no name holds it, and PostgreSQL cannot even be asked
            return error_page(request, 404, "There is nothing at this address. Check the link.")
        response = self.get_response(request)
        if response.status_code == 405 and not response.content:
            allowed = response.headers.get("Allow", "")
            sentence = "This address only takes what a button on a page sends. Go back to the page."
            if form_of(request) != "page":
                sentence = f"This address takes {allowed or 'another method'} only."
            page = error_page(request, 405, sentence)
            page.headers["Allow"] = allowed
            return page
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, DomainError):
            return domain_error_page(request, exception)
        return outage_page(request, exception)
