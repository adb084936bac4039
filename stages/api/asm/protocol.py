"""The ASM protocol: its prefix, its errors, its calls."""

from __future__ import annotations

from django.http import HttpRequest

from gs2admin.identity.models import Credential
from gs2admin.wire.protocol import Protocol, Refused, Reply, Route
from stages.api.asm import bodies, releases, signature
from stages.api.signers import by_token

# Status to errorCode, as published now.
ERRORS = {
    400: "ASM.01010001",
    401: "ASM.01000001",
    403: "ASM.01000002",
    404: "ASM.01010002",
    409: "ASM.01010003",
    500: "ASM.01040001",
    503: "ASM.01040001",
}
_ONE = "/{mesh_id}/namespaces/{namespace}/releases"
_RELEASE = _ONE + "/{release_id}"
_ACTION = {"action": "cancel: the original version has all the traffic; finish (or end): the gray version has it."}
_NAMES = {
    "type": "object",
    "properties": {"kind": {"const": "Release"}, "apiVersion": {"const": "asm/v2"},
                   "metadata": {"type": "object"}, "spec": {"type": "object"}, "status": {"type": "object"}},
}  # fmt: skip
_LIST = {
    "type": "object",
    "properties": {"kind": {"const": "ReleaseList"}, "apiVersion": {"const": "asm/v2"},
                   "items": {"type": "array", "items": _NAMES}},
}  # fmt: skip
_WEIGHT = {
    "type": "object",
    "required": ["grayWeight"],
    "properties": {"grayWeight": {"type": "integer", "minimum": 0, "maximum": 100}},
}


class Asm(Protocol):
    """Served at /v2/meshes; a mesh is a project, by its name."""

    name = "asm"
    title = "ASM: grayscale releases of one microservice. A release is a rollout, a canary is a release."
    root = "/v2/meshes"
    prefix = "/v2/meshes"
    body_cap = 256 * 1024
    security = {
        "projectToken": {"type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "A project token."},
        "signature": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=…, with X-Sdk-Date; Access: client id of a "
            "credential that signs.",
        },
    }
    error_schema = {
        "type": "object",
        "required": ["errorCode", "errorMsg"],
        "properties": {"errorCode": {"type": "string"}, "errorMsg": {"type": "string"}},
    }
    routes = [
        Route("GetReleaseByName", "GET", _RELEASE, releases.get_release, "A release", result=_NAMES),
        Route("GetAllReleases", "GET", "/{mesh_id}/releases", releases.list_releases, "All releases of a mesh", result=_LIST),
        Route("CreateRelease", "POST", _ONE, releases.create, "Release a version to a part of the players first",
              takes_body=True, conflict=409, status=201, request=bodies.ReleaseBody, result=_NAMES),
        Route("UpdateRelease", "PUT", _RELEASE, releases.update, "Another image tag for the gray version",
              takes_body=True, request=_NAMES),
        Route("DeleteRelease", "DELETE", _RELEASE, releases.end, "Cancel a release, or finish it", query=_ACTION),
        Route("SetTraffic", "PUT", _RELEASE + "/traffic", releases.traffic, "Set the gray weight (an extension of this server)",
              takes_body=True, request=_WEIGHT),
    ]  # fmt: skip

    def caller(self, request: HttpRequest, uri: str, body: bytes) -> Credential:
        """By signature where the request carries one, else by project token."""
        meta = request.META
        if signature.signed(meta):
            return signature.caller(meta, getattr(request, "asked_by", request.method or "GET"), uri, body)
        token = meta.get("HTTP_X_AUTH_TOKEN", "").strip()
        if not token:
            raise Refused(401, "Send a project token as X-Auth-Token, or sign the request (Authorization: SDK-HMAC-SHA256).")
        return by_token(token)

    def refusal(self, refused: Refused) -> Reply:
        """{"errorCode", "errorMsg"}."""
        status = refused.status if refused.status in ERRORS else 400
        return Reply({"errorCode": ERRORS[status], "errorMsg": refused.sentence}, status)
