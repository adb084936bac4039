"""The credential behind a signed request: what every published signature has in common.

Who signs is named by a client id; the secret is the one that the server keeps of a credential that signs requests. An unknown
id, a revoked one, one that does not sign and a wrong signature take the same way and get the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.crypto import constant_time_compare

from gs2admin.errors import Unavailable
from gs2admin.identity import throttle
from gs2admin.identity.models import Credential
from gs2admin.identity.sealed import Unreadable, unseal
from gs2admin.identity.services.credentials import signing_purpose
from gs2admin.identity.tokens import BadToken, credential_of, find_credential
from gs2admin.wire.failures import when_to_try_again
from gs2admin.wire.protocol import Refused

# What an unknown key is checked against, so that it takes the same time as a wrong signature.
NOBODY = "0" * 43
_TOKENS = {"expired": "This token has expired; sign in again.", "revoked": "The credential behind this token was revoked."}


def by_token(token: str) -> Credential:
    """The live credential of a project token. Raises Refused 401."""
    try:
        return credential_of(token)
    except BadToken as bad:
        raise Refused(401, _TOKENS.get(bad.kind, "This token is not one of ours.")) from None


def by_signature(
    access_key: str, given: str, sign: Callable[[str], str], meta: dict[str, Any], *, throttled: int = 429
) -> Credential:
    """The live credential that signed. given: the signature as it came; sign: secret -> the right one; meta: of WSGI.

    A right signature is never slowed, because its key has 256 random bits. Raises Refused: 401, or `throttled` after too many
    wrong ones.
    """
    credential = find_credential(access_key)
    secret = _secret_of(credential)
    right = constant_time_compare(sign(secret or NOBODY), given)
    if not right or secret is None or credential is None:
        try:
            throttle.begin("signature", access_key, meta.get("REMOTE_ADDR", ""), by_name=False)
        except Unavailable as slowed:
            raise Refused(throttled, slowed.sentence, headers=when_to_try_again(slowed.extra)) from None
        raise Refused(401, "The access key or the signature is wrong, or this credential does not sign requests.")
    return credential


def _secret_of(credential: Credential | None) -> str | None:
    if credential is None or credential.revoked_at or not credential.sealed_secret:
        return None
    try:
        return unseal(credential.sealed_secret, purpose=signing_purpose(credential.client_id))
    except Unreadable:  # SECRET_KEY was changed since: nobody can sign with it any more
        return None
