"""What live pages answer: 204 while nothing is new, else the parts that moved."""
from __future__ import annotations

import zlib
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

BUSY_MS, CALM_MS = 1_000, 10_000
NO_STORE = {"Cache-Control": "no-store"}


def cursor_of(*facts: Any) -> int:
    """An integer that changes with the facts; the same in every process."""
    return zlib.crc32(repr(facts).encode())


def is_present(request: HttpRequest, cursor: int) -> bool:
    """Whether the reader has seen this state already."""
    return request.GET.get("after") == str(cursor)


def nothing_new() -> HttpResponse:
    """204."""
    return HttpResponse(status=204, headers=NO_STORE)


def live_answer(request: HttpRequest, template: str, cursor: int, context: dict[str, Any]) -> HttpResponse:
    """204 while the reader's cursor (?after=) is the present one, else what is new; 286 when nothing moves any more.

    context: "still" when neither something runs nor waits to.
    """
    if is_present(request, cursor):
        return nothing_new()
    status = 286 if context.get("still") else 200
    answer = render(request, template, {**context, "cursor": cursor, "oob": True}, status=status)
    answer.headers["Cache-Control"] = "no-store"
    return answer
