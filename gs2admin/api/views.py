"""The OpenAPI document, and the page that makes it readable."""

from __future__ import annotations

import json
from functools import cache

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from gs2admin.dashboard.errors import errors_for_programs
from gs2admin.dashboard.pages import signed_in
from gs2admin.wire.openapi import document
from gs2admin.wire.rest import is_program
from gs2admin.wire.unserved import for_programs


@cache
def _text() -> bytes:
    return json.dumps(document(), ensure_ascii=False).encode()


errors_for_programs(r"/openapi\.json$", as_json=True)


@for_programs
@csrf_exempt  # a wrong method is told as such
@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """/openapi.json: what this server speaks, for people who are signed in and for programs with a credential."""
    if not request.user.is_authenticated and not is_program(request):
        sentence = "Sign in, or send the credential of a program (Basic, or Bearer with its token)."
        return JsonResponse({"error": {"code": "unauthorized", "message": sentence}}, status=401,
                            headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(_text(), content_type="application/json")


@require_safe
@signed_in
def docs(request: HttpRequest) -> HttpResponse:
    """/docs: the document in Swagger UI. Of the known viewers it alone keeps to style-src 'self'."""
    return render(request, "api/docs.html")
