"""NAVER Cloud's request signature, version 2, and the credential behind it.

Three lines are signed with HMAC-SHA256: `METHOD URI`, the timestamp, the access key. The URI is the request target
exactly as it was sent, with its query; body and other headers are not signed. The published scheme knows no nonce, so a
captured request can be repeated for five minutes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Any

from gs2admin.db import clock
from gs2admin.identity.models import Credential
from gs2admin.wire.protocol import Refused
from stages.api.signers import by_signature, by_token

# Valid while the clocks differ by less than this; at exactly five minutes a request is refused.
WINDOW_MS = 300_000
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
# The name under which the vendor's Go client sends the signature.
OF_GO_CLIENT = "HTTP_X_NCP_APIGW_SIGNATURE_V1"


def sign(secret: str, method: str, uri: str, timestamp: str, access_key: str) -> str:
    """The signature, base64. uri: path and query as they are sent; one character per byte."""
    message = f"{method.upper()} {uri}\n{timestamp}\n{access_key}".encode("latin-1", "replace")
    return base64.b64encode(hmac.new(secret.encode(), message, hashlib.sha256).digest()).decode()


def caller(meta: dict[str, Any], method: str, uri: str, now_ms: int | None = None) -> Credential:
    """The live credential behind a request: a project token, or the signature of a credential that signs.

    The vendor's Go client sends the signature under `-v1`; that is read where `-v2` is absent. Raises Refused 401 with
    a sentence that says what was wrong, but not whether the access key exists.
    """
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer":
        return by_token(token.strip())
    access_key = meta.get("HTTP_X_NCP_IAM_ACCESS_KEY", "").strip()
    timestamp = meta.get("HTTP_X_NCP_APIGW_TIMESTAMP", "").strip()
    given = (meta.get("HTTP_X_NCP_APIGW_SIGNATURE_V2") or meta.get(OF_GO_CLIENT) or "").strip()
    if not (access_key and timestamp and given):
        raise Refused(
            401,
            "Sign the request (x-ncp-apigw-timestamp, x-ncp-iam-access-key, x-ncp-apigw-signature-v2), "
            "or send a project token as Authorization: Bearer.",
        )
    now = int(clock.seconds() * 1000) if now_ms is None else now_ms
    if not _TIMESTAMP.fullmatch(timestamp) or abs(now - int(timestamp)) >= WINDOW_MS:
        raise Refused(401, "x-ncp-apigw-timestamp is five minutes or more away from the server's clock, or no milliseconds.")
    return by_signature(access_key, given, lambda secret: sign(secret, method, uri, timestamp, access_key), meta)
