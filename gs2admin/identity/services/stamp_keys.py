"""Keys of stamp sheets: what a game's own servers sign an order with that a player's device carries to us.

GS2's signature scheme is not public. Ours: HMAC-SHA256 under the key's secret, over the text of the body, in base64.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.db import clock
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project, StampKey
from gs2admin.identity.rights import require
from gs2admin.identity.sealed import Unreadable, seal, unseal
from gs2admin.limits import require_fewer
from gs2admin.names import NAME

_GRN = re.compile(r"grn:gs2:[^:]*:([^:]*):key:([^:]+):key:([^:]+)\Z")
_USED_EVERY = timedelta(minutes=1)


def purpose_of(project: Project, namespace: str, name: str) -> str:
    """What a key's secret is sealed for."""
    return f"stamp-key {project.pk} {namespace}/{name}"


def create_stamp_key(*, actor: Actor, project: Project, namespace: str, name: str) -> tuple[StampKey, str]:
    """Make a key; returns the row and its secret, which is shown only now. Raises NotFound, Denied, Invalid, Conflict, Quota."""
    require(actor, "credential.manage", project)
    for field, value in (("namespace", namespace), ("name", name)):
        if not re.match(NAME, value):
            raise Invalid(f"A stamp key's {field} is 1 to 128 letters, digits, dots, hyphens and underscores.",
                          component="key", message="identifier.key.name.error.invalid", extra={"field": field})
    require_fewer(StampKey.objects.filter(project=project, revoked_at=None), settings.MAX_CREDENTIALS,
                  f"valid stamp keys in {project.name}", component="key", message="identifier.key.key.error.tooMany")  # fmt: skip
    secret = secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            row = StampKey.objects.create(
                project=project, namespace=namespace, name=name, created_by=actor.name,
                sealed_secret=seal(secret, purpose=purpose_of(project, namespace, name)),
            )  # fmt: skip
            record(actor=actor, action="stamp_key.create", obj=row, after={"key": str(row)})
            return row, secret
    except IntegrityError:
        raise Conflict(f"There is a stamp key {namespace}/{name} already; revoke it first or choose another name.",
                       component="key", message="identifier.key.name.error.duplicate") from None


def living_key(project: Project, namespace: str, name: str) -> StampKey:
    """The key of that name that is not revoked. Raises NotFound."""
    row = StampKey.objects.filter(project=project, namespace=namespace, name=name, revoked_at=None).first()
    if row is None:
        raise NotFound(f"There is no stamp key {namespace}/{name} in {project.name}.", component="key",
                       message="identifier.key.key.error.notFound")
    return row


def revoke_stamp_key(*, actor: Actor, key: StampKey, reason: str = "") -> StampKey:
    """End a key: sheets that it signed are refused from now on; revoking twice changes nothing. Raises NotFound, Denied."""
    require(actor, "credential.manage", key)
    with transaction.atomic():
        if StampKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=Now(), sealed_secret=""):
            record(actor=actor, action="stamp_key.revoke", obj=key, before={"key": str(key)}, reason=reason)
    key.refresh_from_db()
    return key


def signature(secret: str, body: str) -> str:
    """What belongs beside the body of a sheet."""
    return base64.b64encode(hmac.digest(secret.encode(), body.encode("utf-8", "surrogatepass"), hashlib.sha256)).decode()


def signed_by(project: Project, key_id: str, body: str, claimed: str) -> bool:
    """Whether a living key of this project with that GRN made the signature."""
    grn = _GRN.match(key_id)
    if grn is None or grn[1] != project.owner_id:
        return False
    row = StampKey.objects.filter(project=project, namespace=grn[2], name=grn[3], revoked_at=None).first()
    if row is None:
        return False
    try:
        secret = unseal(row.sealed_secret, purpose=purpose_of(project, row.namespace, row.name))
    except Unreadable:
        return False
    if not hmac.compare_digest(signature(secret, body).encode(), claimed.encode("utf-8", "surrogatepass")):
        return False
    # Once a minute: so that somebody who wants to revoke it sees whether it is in use, and a flood of sheets writes nothing more.
    if row.used_at is None or row.used_at < clock.now() - _USED_EVERY:
        StampKey.objects.filter(Q(used_at=None) | Q(used_at__lt=Now() - _USED_EVERY), pk=row.pk).update(used_at=Now())
    return True
