"""Keys of stamp sheets: what a game's own servers sign an order with that a player's device carries to us.

GS2's signature scheme is not public. Ours: HMAC-SHA256 under the key's secret, over the text of the body, in base64.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import NAME, Project, StampKey
from gs2admin.identity.rights import require
from gs2admin.identity.sealed import Unreadable, seal, unseal

_GRN = re.compile(r"grn:gs2:[^:]*:([^:]*):key:([^:]+):key:([^:]+)\Z")


def purpose_of(project: Project, namespace: str, name: str) -> str:
    """What a key's secret is sealed for."""
    return f"stamp-key {project.pk} {namespace}/{name}"


def create_stamp_key(*, actor: Actor, project: Project, namespace: str, name: str) -> tuple[StampKey, str]:
    """Make a key; returns the row and its secret, which is told only now. Raises NotFound, Denied, Invalid, Conflict."""
    require(actor, "credential.manage", project)
    if not re.match(NAME, namespace) or not re.match(NAME, name):
        raise Invalid("A stamp key's namespace and name are 1 to 128 letters, digits, dots, hyphens and underscores each.",
                      component="key", message="identifier.key.name.error.invalid")
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


def revoke_stamp_key(*, actor: Actor, project: Project, namespace: str, name: str, reason: str = "") -> StampKey:
    """End a key: sheets that it signed are refused from now on. Raises NotFound, Denied."""
    require(actor, "credential.manage", project)
    with transaction.atomic():
        row = StampKey.objects.filter(project=project, namespace=namespace, name=name, revoked_at=None).first()
        if row is None or not StampKey.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=Now(), sealed_secret=""):
            raise NotFound(f"There is no stamp key {namespace}/{name} in {project.name}.", component="key",
                           message="identifier.key.key.error.notFound")
        record(actor=actor, action="stamp_key.revoke", obj=row, before={"key": str(row)}, reason=reason)
        return row


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
    return hmac.compare_digest(signature(secret, body).encode(), claimed.encode("utf-8", "surrogatepass"))
