"""Secrets that the server itself needs again, such as keys that check signatures: kept encrypted, bound to what they are for.

What is only compared is kept as a hash instead (secret_hash). AES-128-CBC with HMAC-SHA256 (Fernet) under a
key per purpose, HKDF (RFC 5869) over SECRET_KEY: a copy of the database alone opens nothing, and a text that was sealed
for one purpose does not open for another. SECRET_KEY_FALLBACKS opens what was sealed before the key was changed, and
`manage.py rotatekeys` seals it anew.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
from contextlib import suppress
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def secret_sha256(secret: str) -> str:
    """What is stored of a random secret; enough, because it holds 256 random bits, and no lost key can make it worthless."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def secret_hash(secret: str, key: str = "") -> str:
    """What the release before stored of it: an HMAC under SECRET_KEY, or under the given key."""
    derived = hashlib.sha256(b"gs2admin.credential:" + (key or settings.SECRET_KEY).encode()).digest()
    return hmac.new(derived, secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def keys() -> list[str]:
    """SECRET_KEY, and behind it those of SECRET_KEY_FALLBACKS, which only read."""
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


class Unreadable(Exception):
    """The text was not sealed for this purpose under this server's SECRET_KEY, or was changed since."""


def seal(secret: str, *, purpose: str) -> str:
    """Encrypt a secret for the database: ASCII text, about 4/3 of the secret's bytes and 100 characters more.

    purpose: a constant of the caller, and what row the secret belongs to, such as "stamp-key 17".
    """
    return _box(settings.SECRET_KEY, purpose).encrypt(secret.encode()).decode()


def unseal(text: str, *, purpose: str) -> str:
    """The secret again, sealed under any of the keys. Raises Unreadable."""
    for key in keys():
        with suppress(InvalidToken):
            return _box(key, purpose).decrypt(text.encode()).decode()
    raise Unreadable("this secret was sealed for something else, or under another SECRET_KEY")


def is_current(text: str, *, purpose: str) -> bool:
    """Whether it is sealed under SECRET_KEY itself, and not under a fallback."""
    try:
        _box(settings.SECRET_KEY, purpose).decrypt(text.encode())
    except InvalidToken:
        return False
    return True


@lru_cache(maxsize=256)
def _box(secret_key: str, purpose: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=b"gs2admin/sealed/v1", info=purpose.encode()).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(key))
