"""Writes of credentials, with which programs sign in."""
from __future__ import annotations

import re
import secrets
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity import tokens
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Credential, Project, Role
from gs2admin.identity.rights import require
from gs2admin.identity.sealed import seal, secret_hash, secret_sha256
from gs2admin.limits import require_fewer
from gs2admin.names import NAME


def signing_purpose(client_id: str) -> str:
    """What the encrypted secret of a credential is bound to, so that it opens for no other row."""
    return f"credential {client_id}"


def create_credential(
    *, actor: Actor, project: Project, name: str, role: str = Role.SERVICE, signs: bool = False
) -> tuple[Credential, str]:
    """Make a credential; returns the row and its secret, which is stored nowhere.

    signs: keep the secret encrypted, so that requests signed with it can be checked (SourceDeploy, ASM).
    Raises NotFound, Denied, Invalid, Conflict, Quota.
    """
    require(actor, "credential.manage", project)
    name = name.strip()
    if not re.match(NAME, name):
        raise Invalid("A credential's name is 1 to 128 letters, digits, dots, hyphens and underscores.",
                      component="credential", message="identifier.credential.name.error.invalid")
    if role not in Role.values:
        raise Invalid(f"A credential's role is one of: {', '.join(Role.values)}.", component="credential",
                      message="identifier.credential.role.error.invalid")
    require_fewer(Credential.objects.filter(project=project, revoked_at=None), settings.MAX_CREDENTIALS,
                  f"valid credentials in {project.name}", component="credential",
                  message="identifier.credential.credential.error.tooMany")  # fmt: skip
    secret = secrets.token_urlsafe(32)
    client_id = "gs2a-" + secrets.token_hex(16)
    try:
        with transaction.atomic():
            row = Credential.objects.create(
                project=project,
                name=name,
                client_id=client_id,
                secret_hash=secret_hash(secret),
                secret_sha256=secret_sha256(secret),
                sealed_secret=seal(secret, purpose=signing_purpose(client_id)) if signs else "",
                role=role,
                created_by=actor.name,
            )
            facts = {"client_id": row.client_id, "role": role} | ({"signs": True} if signs else {})
            record(actor=actor, action="credential.create", obj=row, after=facts)
            return row, secret
    except IntegrityError:
        raise Conflict(f"There is a credential called {name} already; revoke it first or choose another name.",
                       component="credential", message="identifier.credential.name.error.duplicate") from None


def revoke_credential(*, actor: Actor, credential: Credential, reason: str = "") -> Credential:
    """End a credential and every token made with it; revoking twice changes nothing. Raises NotFound, Denied."""
    require(actor, "credential.manage", credential)
    with transaction.atomic():
        if Credential.objects.filter(pk=credential.pk, revoked_at=None).update(revoked_at=Now(), sealed_secret=""):
            record(actor=actor, action="credential.revoke", obj=credential, reason=reason)
            transaction.on_commit(partial(tokens.forget, credential.client_id))
    credential.refresh_from_db()
    return credential
