"""Whether this server's SECRET_KEY is the one that the database was used with: its fingerprint lies there.

The fingerprint is scrypt over the key and a salt of its own. It tells nothing about a random key, and what it costs to try one
protects a key that somebody thought up.
"""
from __future__ import annotations

import hashlib
import hmac
import secrets

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE, NAME = "identity_serverkey", "fingerprint"
SENTENCE = (
    "This server's SECRET_KEY is not the key that this database was used with. Give this host the same SECRET_KEY as the others"
    " (where none was set, the file secret_key in the data directory that was used until now). To change the key, name the old"
    " one in SECRET_KEY_FALLBACKS and run `python manage.py rotatekeys`. If the old one is lost, run `python manage.py"
    " rotatekeys --lost`."
)


def fingerprint(key: str, salt: bytes = b"") -> str:
    """A text by which the key is known again. salt: 16 bytes, new ones by default."""
    salt = salt or secrets.token_bytes(16)
    return f"scrypt:{salt.hex()}:{hashlib.scrypt(key.encode(), salt=salt, n=2**12, r=8, p=1, dklen=16).hex()}"


def is_of(key: str, text: str) -> bool:
    """Whether that fingerprint is the key's."""
    kind, _, rest = text.partition(":")
    salt = rest.partition(":")[0]
    return kind == "scrypt" and hmac.compare_digest(fingerprint(key, bytes.fromhex(salt)), text)


def key_refusal(connection: BaseDatabaseWrapper) -> str:
    """Why this server's keys do not fit the database, as a sentence; empty when one does, or the database knows none yet."""
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return ""
        cursor.execute(f"SELECT value FROM {TABLE} WHERE name = %s", [NAME])
        row = cursor.fetchone()
    if row is None or any(is_of(key, row[0]) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)):
        return ""
    return SENTENCE


def signing_root(key: str) -> bytes:
    """What the keys of webhooks and http targets are derived from (RFC 5869, the first half) while nothing is stored."""
    return hmac.digest(b"gs2admin/step-signing/v1", key.encode(), hashlib.sha256)
