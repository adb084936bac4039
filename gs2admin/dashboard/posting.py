"""What pages with a form have in common: refusals beside the form, lists in pieces, an answer that no cache keeps."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from gs2admin.errors import Conflict, Invalid, NotFound

T = TypeVar("T")
SENT = "sent_forms"
REMEMBERED = 20


def attempt(form: forms.Form, call: Callable[[], T]) -> T | None:
    """Call a service; what it refuses is shown in the form, beside the field that `extra["field"]` names.

    Returns the service's answer, None when it refused. Denied is not caught: that is a page of its own.
    """
    try:
        return call()
    except (Invalid, NotFound, Conflict) as refusal:
        field = refusal.extra.get("field")
        field = getattr(form, "called_here", {}).get(field, field)
        form.add_error(field if field in form.fields else None, refusal.sentence)
        form.status = 409 if isinstance(refusal, Conflict) else 400
        return None


def status_of(form: forms.Form) -> int:
    """200 for a fresh form, 400 or 409 for one that was refused."""
    return getattr(form, "status", 400) if form.is_bound and form.errors else 200


def form_page(request: HttpRequest, form: forms.Form, *, template: str = "manage/form.html", **context: Any) -> HttpResponse:
    """A page with one form. context: title, text, button, back (address), crumbs [(label, address)], warning."""
    return render(request, template, {"form": form, **context}, status=status_of(form))


def confirm_page(request: HttpRequest, form: forms.Form, **context: Any) -> HttpResponse:
    """A page that says what will happen and asks. context: as form_page, and points: the consequences as sentences."""
    return form_page(request, form, template="manage/confirm.html", **context)


def first_time(request: HttpRequest, key: str) -> bool:
    """Whether this session sends the form with that key for the first time: a reload of an answer must not act again."""
    sent = list(request.session.get(SENT, []))
    if key in sent:
        return False
    request.session[SENT] = [*sent, key][-REMEMBERED:]
    return True


def link(**words: Any) -> str:
    """`?q=…&before=…` of what is not empty; "?" when everything is."""
    return "?" + urlencode({key: value for key, value in words.items() if value not in ("", None)})


def text_of(request: HttpRequest, name: str) -> str:
    """A word from the address: trimmed, without NUL, which no database takes. As long as it was sent: a cut word finds others."""
    return request.GET.get(name, "").replace("\x00", "").strip()


def number_of(request: HttpRequest, name: str = "before") -> int | None:
    """A cursor from the address; None when it is absent or nonsense."""
    value = request.GET.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def never_kept(response: HttpResponse) -> HttpResponse:
    """Keep an answer that holds a secret out of every cache and out of the browser's history."""
    response.headers["Cache-Control"] = "no-store, private"
    response.headers["Pragma"] = "no-cache"
    return response
