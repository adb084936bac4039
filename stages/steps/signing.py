"""The signature of a step's HTTP request. No key is stored: each is derived from one root of this server.

The root lies sealed in the database and outlives a change of SECRET_KEY (gs2admin/identity/server_keys.py); `use` names who reads
it, because steps know no rows. Until then, it is what SECRET_KEY gives.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings

from gs2admin.schema.server_key import signing_root


def of_the_secret_key() -> bytes:
    """The root that SECRET_KEY gives."""
    return signing_root(settings.SECRET_KEY)


_root: Callable[[], bytes] = of_the_secret_key


def use(root: Callable[[], bytes]) -> None:
    """Name the function that gives the 32 bytes that keys are derived from."""
    global _root
    _root = root


def signing_key(target_uid: str, rotation: int) -> str:
    """The text ``whsec_…`` that the receiver keeps; another one for every target and every rotation number.

    HKDF (RFC 5869) with HMAC-SHA256: one key tells nothing about the others.
    """
    info = json.dumps([str(target_uid), int(rotation)]).encode()
    return "whsec_" + hmac.digest(_root(), info + b"\x01", hashlib.sha256).hex()


def with_signing(config: Mapping[str, Any], *, target_uid: str, rotation: int) -> dict[str, Any]:
    """A validated http config with the reference to its key, as a step of it is stored.

    Users cannot set it: ``validate`` refuses the field, so that no target signs as another.
    """
    return {**config, "signing": {"target_uid": str(target_uid), "rotation": int(rotation)}}


def signature(key: str, timestamp: str, body: bytes) -> str:
    """The X-Gs2admin-Signature header: ``v1=`` and hex HMAC-SHA256 over timestamp, a dot and the body.

    The key's bytes are the whole text, prefix included; the timestamp is the text of X-Gs2admin-Timestamp.
    """
    return "v1=" + hmac.digest(key.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hex()
