"""How programs sign in: project tokens, access tokens and time-offset tokens.

Project tokens and time-offset tokens are signed texts, so that checking one costs no query; each kind has a key of
its own. An access token is a row, because the contract allows it only 128 characters; the row holds its hash.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import lru_cache, partial
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import DEFAULT_DB_ALIAS, DatabaseError, transaction
from django.utils.crypto import constant_time_compare

from gs2admin.cache import Cache
from gs2admin.db import clock
from gs2admin.db.raw import raw_cursor, vendor
from gs2admin.identity import throttle
from gs2admin.identity.models import AccessToken, Credential, Project
from gs2admin.identity.sealed import keys, secret_hash, secret_sha256
from gs2admin.text import storable

log = logging.getLogger(__name__)

PROJECT_TOKEN_S = 3600
ACCESS_TOKEN_S = 3600
# A revoked credential must lose its tokens in every process within 1 s.
_CREDENTIAL_TTL_S = 0.5
_ID_LENGTH = Credential._meta.get_field("client_id").max_length


class BadToken(Exception):
    """A token does not let its holder in. kind: require, invalid, expired, revoked or secret."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True)
class Offset:
    """What an access token or a time-offset token says: this user's clock runs so many seconds ahead."""

    user_id: str
    time_offset_s: int


# ── Project tokens ──────────────────────────────────────────────────────────────────────────────────────────


def issue_project_token(credential: Credential) -> str:
    """A token that lets the holder act as this credential for PROJECT_TOKEN_S seconds."""
    expires = int(clock.seconds()) + PROJECT_TOKEN_S
    return _sign("project-token", f"{credential.project_id}:{expires}:{credential.client_id}")


def credential_of(token: str) -> Credential:
    """The live credential (with its project) that a project token stands for. Raises BadToken."""
    project_id, expires, client_id = _unsign("project-token", token, 3)
    if clock.seconds() >= int(expires):
        raise BadToken("expired")
    credential = find_credential(client_id)
    if credential is None or credential.revoked_at or credential.project_id != int(project_id):
        raise BadToken("revoked")
    return credential


_OWN = ("id", "project_id", "name", "client_id", "secret_hash", "secret_sha256", "sealed_secret", "role", "revoked_at")
_OF_PROJECT = ("id", "name", "owner_id", "region")
_CREDENTIAL = (
    f"SELECT {', '.join(f'own.{name}' for name in _OWN)}, {', '.join(f'of_project.{name}' for name in _OF_PROJECT)}"
    f" FROM {Credential._meta.db_table} own JOIN {Project._meta.db_table} of_project ON of_project.id = own.project_id"
    " WHERE own.client_id = %s"
)
_credentials: Cache[str, Credential | None] = Cache(ttl_s=_CREDENTIAL_TTL_S, entries=10_000, max_bytes=4_000_000)


def find_credential(client_id: str) -> Credential | None:
    """The credential of a client id, at most half a second old, with its project; also a revoked one."""
    if len(client_id) > _ID_LENGTH or not storable(client_id):
        return None  # strangers choose it: it is neither looked up nor cached
    return _credentials.get_or_make(client_id, partial(_read_credential, client_id))


def _read_credential(client_id: str) -> Credential | None:
    """Without the columns that no call needs, which are read when somebody asks for them."""
    found = _row(_CREDENTIAL, client_id)
    if found is None:
        return None
    own, of_project = list(found[: len(_OWN)]), found[len(_OWN) :]
    if own[-1] is not None:
        own[-1] = own[-1].replace(tzinfo=UTC)
    credential = Credential.from_db(DEFAULT_DB_ALIAS, _OWN, own)
    credential.project = Project.from_db(DEFAULT_DB_ALIAS, _OF_PROJECT, of_project)
    return credential


def _row(statement: str, *values: Any) -> tuple[Any, ...] | None:
    with raw_cursor() as cursor:
        cursor.execute(statement.replace("%s", "?") if vendor() == "sqlite" else statement, values)
        return cursor.fetchone()


def forget(client_id: str) -> None:
    """Look a credential up anew. Whoever revokes it calls this; the other processes see it within _CREDENTIAL_TTL_S."""
    _credentials.pop(client_id)


def forget_all() -> None:
    """Empty this process's cache of credentials."""
    _credentials.clear()


# ── Client secrets ──────────────────────────────────────────────────────────────────────────────────────────


def check_secret(client_id: str, client_secret: str, *, ip: str) -> Credential:
    """The live credential with this id and secret.

    An unknown id, a revoked one and a wrong secret take the same path and give the same answer. A right secret is never
    slowed: it has 256 random bits, so that nobody guesses it, and to compare it costs less than to count. Raises BadToken, and
    Unavailable after too many wrong ones.
    """
    credential = find_credential(client_id)
    live = credential is not None and credential.revoked_at is None
    if _is_secret_of(credential if live else None, client_secret):
        return credential
    throttle.begin("program", client_id, ip, by_name=False)
    raise BadToken("secret")


def _is_secret_of(credential: Credential | None, secret: str) -> bool:
    """Compare; what the release before made gets its plain hash at the first right one."""
    plain = secret_sha256(secret)
    if credential is None or credential.secret_sha256:
        return constant_time_compare(plain, credential.secret_sha256 if credential else "0" * 64) and credential is not None
    if not any(constant_time_compare(secret_hash(secret, key), credential.secret_hash) for key in keys()):
        return False
    try:
        with transaction.atomic():
            Credential.objects.filter(pk=credential.pk, secret_sha256="").update(secret_sha256=plain)
        credential.secret_sha256 = plain  # what this process remembers
    except DatabaseError:  # a full disk keeps nobody out
        log.warning("a credential's hash was not moved over", exc_info=True)
    return True


# ── Access tokens ───────────────────────────────────────────────────────────────────────────────────────────

_ACCESS = f"SELECT user_id, time_offset_s, expires_at FROM {AccessToken._meta.db_table} WHERE token_hash = %s AND project_id = %s"


def issue_access_token(*, project: Project, user_id: str, time_offset_s: int) -> tuple[str, int]:
    """A player's token (64 characters) and the time it ends, in Unix milliseconds."""
    token = secrets.token_urlsafe(48)
    expires_at = clock.now() + timedelta(seconds=ACCESS_TOKEN_S)
    AccessToken.objects.create(
        token_hash=_digest(token),
        project=project,
        user_id=user_id,
        time_offset_s=time_offset_s,
        expires_at=expires_at,
    )
    return token, int(expires_at.timestamp() * 1000)


def access_of(token: str, project: Project) -> Offset:
    """Whose token of this project it is, and how far that player's clock runs ahead. Raises BadToken."""
    found = _row(_ACCESS, _digest(token), project.pk)
    if found is None:
        raise BadToken("invalid")
    user_id, time_offset_s, expires_at = found
    if expires_at.replace(tzinfo=UTC) <= clock.now():
        raise BadToken("expired")
    return Offset(user_id, time_offset_s)


def delete_expired_access_tokens(limit: int = 5000) -> int:
    """Remove rows that ended more than an hour ago (until then the answer to them is "expired"). Returns how many."""
    old = AccessToken.objects.filter(expires_at__lt=clock.now() - timedelta(hours=1))
    keys = list(old.order_by("expires_at").values_list("pk", flat=True)[:limit])
    return AccessToken.objects.filter(pk__in=keys).delete()[0] if keys else 0


# ── Time-offset tokens ──────────────────────────────────────────────────────────────────────────────────────


def issue_time_offset_token(*, project: Project, user_id: str, time_offset_s: int) -> tuple[str, int]:
    """A token (at most 1024 characters) that shifts this user's clock, and its end in Unix milliseconds."""
    expires = int(clock.seconds()) + ACCESS_TOKEN_S
    return _sign("time-offset", f"{project.pk}:{expires}:{time_offset_s}:{user_id}"), expires * 1000


def offset_of(token: str, project: Project) -> Offset:
    """What a time-offset token of this project says. Raises BadToken."""
    project_id, expires, offset, user_id = _unsign("time-offset", token, 4)
    if int(project_id) != project.pk:
        raise BadToken("invalid")
    if clock.seconds() >= int(expires):
        raise BadToken("expired")
    return Offset(user_id, int(offset))


# ── Signing ─────────────────────────────────────────────────────────────────────────────────────────────────


@lru_cache(maxsize=16)
def _signer(purpose: str, key: str, *fallbacks: str) -> Signer:
    # The salt separates the keys: a token of one purpose never passes for another's.
    return Signer(key=key, sep=".", salt=f"gs2admin.identity.{purpose}", fallback_keys=fallbacks)


def _sign(purpose: str, text: str) -> str:
    body = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return _signer(purpose, settings.SECRET_KEY).sign(body)


def _unsign(purpose: str, token: str, parts: int) -> tuple[str, ...]:
    return _verified(purpose, token, parts, *keys())


# A client shows the same token with each of its calls; one that is not ours is not cached.
@lru_cache(maxsize=4096)
def _verified(purpose: str, token: str, parts: int, *keys: str) -> tuple[str, ...]:
    try:
        body = _signer(purpose, *keys).unsign(token)
        return tuple(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode().split(":", parts - 1))
    except (BadSignature, ValueError):
        raise BadToken("invalid") from None


def _digest(token: str) -> str:
    # 384 random bits need no slow hash.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
