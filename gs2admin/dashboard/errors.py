"""Errors as pages: one sentence that says what happened and one link that goes on. No traceback.

A member of the project whose page was refused stays in it: the navigation is around the sentence. Any other error is a page
without context processors and without a query, so that it can be shown while the database is away.
"""
from __future__ import annotations

import logging
import re
import sys
from typing import Any

from django import db
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader

from gs2admin import outage
from gs2admin.dashboard.context import theme_of
from gs2admin.errors import (
    Conflict,
    Denied,
    DomainError,
    Invalid,
    NotFound,
    Quota,
    Unavailable,
)

log = logging.getLogger(__name__)

STATUS: dict[type[DomainError], int] = {
    Invalid: 400, NotFound: 404, Conflict: 409, Denied: 403, Quota: 402, Unavailable: 503,
}
TITLES = {
    400: "That request cannot be carried out",
    402: "A limit was reached",
    403: "You may not do this here",
    404: "There is nothing here",
    405: "That is not how this page is opened",
    409: "Something changed meanwhile",
    500: "Something broke on our side",
    503: "Not available just now",
}

# Addresses among the pages that programs open: (expression, whether their errors are JSON and not text).
_of_programs: list[tuple[re.Pattern[str], bool]] = []


def errors_for_programs(path: str, *, as_json: bool = False) -> None:
    """Errors of addresses that begin so (a regular expression) are no pages: the sentence alone, or the error of our JSON API."""
    _of_programs.append((re.compile(path), as_json))


def form_of(request: HttpRequest) -> str:
    """What an error of this address is answered as: page, text or json."""
    # Read from the request itself: what is answered before the pages' middleware has no request.htmx.
    if request.headers.get("HX-Request") == "true":
        return "text"
    as_json = next((as_json for path, as_json in _of_programs if path.match(request.path_info)), None)
    if as_json is None:
        return "text" if request.method == "PUT" else "page"
    return "json" if as_json else "text"


def error_page(request: HttpRequest, status: int, sentence: str, *, title: str = "") -> HttpResponse:
    """An error as a page for people; a fragment's request gets the sentence alone, and a program its own form."""
    form = form_of(request)
    if form == "json":
        return JsonResponse({"error": {"code": f"transport.http.request.error.{status}", "message": sentence}}, status=status)
    if form == "text":
        return HttpResponse(sentence, status=status, content_type="text/plain; charset=utf-8")
    request_id = str(getattr(request, "request_id", "") or "") if status >= 500 else ""
    context = {
        **theme_of(request),
        "status": status,
        "title": title or TITLES.get(status, "That did not work"),
        "sentence": sentence,
        "request_id": request_id,
        "retry": request.get_full_path() if request.method == "GET" and status >= 500 else "",
    }
    try:
        body = _inside(request, context) or loader.render_to_string("errors/error.html", context)
    except Exception:  # the error page must not be the second error
        log.exception("the error page could not be rendered")
        return HttpResponse(f"{context['title']}. {sentence}", status=status, content_type="text/plain; charset=utf-8")
    return HttpResponse(body, status=status)


def _inside(request: HttpRequest, context: dict[str, Any]) -> str:
    """The page with the navigation of the project, for who may see it; empty for everybody else, and where the fault is ours."""
    if context["status"] >= 500 or getattr(request, "project", None) is None or getattr(request, "actor", None) is None:
        return ""
    try:
        return loader.render_to_string("errors/in_project.html", context, request)
    except db.Error:  # the database went away meanwhile
        return ""


def domain_error_page(request: HttpRequest, error: DomainError) -> HttpResponse:
    """A refusal of the domain as a page with the status that browsers know."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
    page = error_page(request, status, error.sentence)
    if "retry_after_s" in error.extra:
        page.headers["Retry-After"] = str(error.extra["retry_after_s"])
    return page


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler400"""
    return error_page(request, 400, "The browser sent something this page does not understand. Go back and try again.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler403"""
    return error_page(request, 403, "Your account may not open this page. Ask an admin of the project.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """handler404"""
    return error_page(
        request, 404, "The page does not exist, or it belongs to a project that you are not a member of."
    )


def outage_page(request: HttpRequest, problem: BaseException | None) -> HttpResponse | None:
    """503 with the reason when an exception tells of an outage, and None else. Asks no database."""
    found = outage.seen(problem)
    if found is None:
        return None
    page = error_page(request, 503, found.sentence)
    page.headers["Retry-After"] = str(found.retry_after_s)
    page.headers["Cache-Control"] = "no-store"
    page._has_been_logged = True  # in a line of its own, without Django's traceback
    return page


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500: Django calls it while it handles the exception; what a middleware raises ends here."""
    return outage_page(request, sys.exc_info()[1]) or error_page(
        request, 500,
        "The server could not finish this page. It has been written to the log; try again, and if it stays, give the "
        "administrator the number below.",
    )


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW: a form that is not ours, or that has been open for too long."""
    return error_page(
        request, 403,
        "This form was open for too long or you signed in again meanwhile, so nothing was done. Go back, reload the "
        "page and send it again.",
        title="The form has expired",
    )
