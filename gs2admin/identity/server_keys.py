"""What belongs to the server's SECRET_KEY and lies in the database (ServerKey).

- fingerprint: a host with another key refuses to start (schema/server_key.py).
- signing_root, sealed: the keys of webhooks and http targets are derived from it, so that they outlive a change of SECRET_KEY.
"""
from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from gs2admin.cache import FOR_EVER, Cache
from gs2admin.identity.models import ServerKey
from gs2admin.identity.sealed import Unreadable, seal, unseal
from gs2admin.schema import server_key

log = logging.getLogger(__name__)
ROOT = "signing_root"
_kept: Cache[str, bytes] = Cache(ttl_s=FOR_EVER, entries=1, max_bytes=10_000)


def adopt(using: str = DEFAULT_DB_ALIAS, **more: Any) -> None:
    """After each `migrate`: where nothing is stored yet, the database gets to know this server's key."""
    if server_key.TABLE not in connections[using].introspection.table_names():
        return
    there = set(ServerKey.objects.using(using).values_list("name", flat=True))
    if there != {ROOT, server_key.NAME}:
        missing = [row for row in _fresh() if row.name not in there]
        ServerKey.objects.using(using).bulk_create(missing, ignore_conflicts=True)


def _fresh() -> list[ServerKey]:
    key = settings.SECRET_KEY
    return [
        ServerKey(name=server_key.NAME, value=server_key.fingerprint(key)),
        ServerKey(name=ROOT, value=seal(server_key.signing_root(key).hex(), purpose=ROOT)),
    ]


def signing_root() -> bytes:
    """32 bytes that signing keys are derived from. Asked once per process: the threads of a rollout's lanes ask no database."""
    return _kept.get_or_make("root", _read)


def _read() -> bytes:
    row = ServerKey.objects.filter(name=ROOT).first()
    if row is not None:
        try:
            return bytes.fromhex(unseal(row.value, purpose=ROOT))
        except Unreadable:
            log.error("the root of signing keys cannot be read under this SECRET_KEY")
    return server_key.signing_root(settings.SECRET_KEY)
