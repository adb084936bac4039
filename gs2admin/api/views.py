"""The OpenAPI document, and the page that makes it readable."""

from __future__ import annotations

import json
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from gs2admin.wire.openapi import document


@cache
def _text() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """/openapi.json: what this server speaks; nothing of its data, so everybody may read it."""
    return HttpResponse(_text(), content_type="application/json")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """/docs: the document in Swagger UI. Of the known viewers it alone keeps to style-src 'self'."""
    return render(request, "api/docs.html")
