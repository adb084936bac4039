"""What live pages answer: 204 while nothing is new, else the parts that changed."""
from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

BUSY_MS, CALM_MS = 1_000, 10_000
NO_STORE = {"Cache-Control": "no-store"}


def cursor_of(*facts: Any) -> str:
    """A digest of the facts, as decimal digits: another one whenever a fact differs, the same in every process.

    Facts are compared by their repr, so the repr of each must tell all that matters.
    """
    return str(int.from_bytes(hashlib.sha256(repr(facts).encode()).digest()[:16]))


def is_present(request: HttpRequest, cursor: str) -> bool:
    """Whether the reader has seen this state already: the cursor is in ?after=."""
    return request.GET.get("after") == cursor


def nothing_new() -> HttpResponse:
    """204."""
    return HttpResponse(status=204, headers=NO_STORE)


def live_answer(request: HttpRequest, template: str, cursor: str, context: dict[str, Any]) -> HttpResponse:
    """204 while the reader's cursor is the present one, else what is new; 286 when nothing changes any more.

    context: "still" when neither something runs nor waits to.
    """
    if is_present(request, cursor):
        return nothing_new()
    status = 286 if context.get("still") else 200
    answer = render(request, template, {**context, "cursor": cursor, "oob": True}, status=status)
    answer.headers["Cache-Control"] = "no-store"
    return answer
