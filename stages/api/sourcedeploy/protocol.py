"""The SourceDeploy protocol: its prefix, its errors, its envelope, its calls."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from gs2admin.identity.models import Credential
from gs2admin.wire import location
from gs2admin.wire.protocol import Protocol, Refused, Reply
from stages.api.sourcedeploy import signature
from stages.api.sourcedeploy.routes import ROUTES

# Status to errorCode and message, as published. A missing right is 401 there, not 403.
ERRORS = {
    400: ("100", "Bad Request Exception"),
    401: ("200", "Authentication Failed"),
    404: ("300", "Not Found Exception"),
    413: ("430", "Request Entity Too Large"),
    429: ("400", "Quota Exceeded"),
    500: ("900", "Unexpected Error"),
    503: ("500", "Endpoint Error"),
    504: ("510", "Endpoint Timeout"),
}
DENIED = ("210", "Permission Denied")
ENVELOPES = ("flat", "result")


class SourceDeploy(Protocol):
    """Served at /sourcedeploy/api/v1, and at /api/v1 of its own host names for clients that can only change DNS."""

    name = "sourcedeploy"
    title = "SourceDeploy: the history of rollouts, and what leads to one"
    root = "/sourcedeploy"
    prefix = "/sourcedeploy/api/v1"
    host = re.compile(r"(?:vpc)?sourcedeploy\.apigw\.", re.IGNORECASE)
    routes = ROUTES
    security = {
        "naverSignature": {
            "type": "apiKey",
            "in": "header",
            "name": "x-ncp-apigw-signature-v2",
            "description": "With x-ncp-iam-access-key (client id of a credential that signs) and x-ncp-apigw-timestamp.",
        },
        "projectToken": {"type": "http", "scheme": "bearer"},
    }
    error_schema = {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["errorCode", "message", "details"],
                "properties": {word: {"type": "string"} for word in ("errorCode", "message", "details")},
            }
        },
    }

    def caller(self, request: HttpRequest, uri: str, body: bytes) -> Credential:
        """By signature, which does not cover the body, or project token."""
        return signature.caller(request.META, getattr(request, "asked_by", request.method or "GET"), uri)

    def refusal(self, refused: Refused) -> Reply:
        """{"error": {"errorCode", "message", "details"}}, all text; details is a sentence."""
        status = 401 if refused.denied else refused.status
        code, message = DENIED if refused.denied else ERRORS.get(status, ERRORS[400])
        return Reply(
            {"error": {"errorCode": code, "message": message, "details": refused.sentence}}, status if status in ERRORS else 400
        )

    def dress(self, reply: Reply, request: HttpRequest) -> Reply:
        """Flat as in the seed, or inside `result` as the current public pages show.

        `?envelope=` decides per request; else the vendor's Go client gets what alone it can read, and everybody else the setting.
        """
        wanted = _envelope(request.META)
        return Reply({"result": reply.body}, reply.status) if wanted == "result" else reply


def _envelope(meta: dict[str, Any]) -> str:
    wanted = location.query(meta, "sourcedeploy").get("envelope", "")
    if wanted in ENVELOPES:
        return wanted
    return "result" if signature.OF_GO_CLIENT in meta else settings.SOURCEDEPLOY_ENVELOPE
