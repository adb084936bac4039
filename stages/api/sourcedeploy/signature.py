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

from django.utils.crypto import constant_time_compare

from gs2admin.db import clock
from gs2admin.errors import Unavailable
from gs2admin.identity import throttle
from gs2admin.identity.models import Credential
from gs2admin.identity.sealed import Unreadable, unseal
from gs2admin.identity.services.credentials import signing_purpose
from gs2admin.identity.tokens import BadToken, credential_of, find_credential
from gs2admin.wire.failures import when_to_try_again
from gs2admin.wire.protocol import Refused

# Valid while the clocks differ by less than this; at exactly five minutes a request is refused.
WINDOW_MS = 300_000
_TIMESTAMP = re.compile(r"[0-9]{1,15}")
# What an unknown key is checked against, so that it takes the same time as a wrong signature.
_NOBODY = "0" * 43


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
        try:
            return credential_of(token.strip())
        except BadToken as bad:
            raise Refused(401, _TOKENS.get(bad.kind, "This token is not one of ours.")) from None
    access_key = meta.get("HTTP_X_NCP_IAM_ACCESS_KEY", "").strip()
    timestamp = meta.get("HTTP_X_NCP_APIGW_TIMESTAMP", "").strip()
    given = (meta.get("HTTP_X_NCP_APIGW_SIGNATURE_V2") or meta.get("HTTP_X_NCP_APIGW_SIGNATURE_V1") or "").strip()
    if not (access_key and timestamp and given):
        raise Refused(
            401,
            "Sign the request (x-ncp-apigw-timestamp, x-ncp-iam-access-key, x-ncp-apigw-signature-v2), "
            "or send a project token as Authorization: Bearer.",
        )
    now = int(clock.seconds() * 1000) if now_ms is None else now_ms
    if not _TIMESTAMP.fullmatch(timestamp) or abs(now - int(timestamp)) >= WINDOW_MS:
        raise Refused(401, "x-ncp-apigw-timestamp is five minutes or more away from the server's clock, or no milliseconds.")
    credential = find_credential(access_key)
    secret = _secret_of(credential)
    right = constant_time_compare(sign(secret or _NOBODY, method, uri, timestamp, access_key), given)
    if not right or secret is None or credential is None:
        _count(access_key, meta.get("REMOTE_ADDR", ""))
        raise Refused(401, "The access key or the signature is wrong, or this credential does not sign requests.")
    return credential


def _count(access_key: str, address: str) -> None:
    """Count a wrong signature; a right one is never slowed, because its key has 256 random bits. Raises Refused 429."""
    try:
        throttle.begin("signature", access_key, address, by_name=False)
    except Unavailable as slowed:
        raise Refused(429, slowed.sentence, headers=when_to_try_again(slowed.extra)) from None


_TOKENS = {"expired": "This token has expired; sign in again.", "revoked": "The credential behind this token was revoked."}


def _secret_of(credential: Credential | None) -> str | None:
    if credential is None or credential.revoked_at or not credential.sealed_secret:
        return None
    try:
        return unseal(credential.sealed_secret, purpose=signing_purpose(credential.client_id))
    except Unreadable:  # SECRET_KEY was changed since: nobody can sign with it any more
        return None
