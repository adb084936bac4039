"""Writes of projects, members and credentials."""
from __future__ import annotations

import re
import secrets
from functools import partial

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity import tokens
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import MEMBER_ROLES, Credential, Membership, Project, Role, User
from gs2admin.identity.rights import require
from gs2admin.identity.sealed import seal, secret_hash
from gs2admin.names import NAME, RESERVED_NAMES


def signing_purpose(client_id: str) -> str:
    """What the encrypted secret of a credential is bound to, so that it opens for no other row."""
    return f"credential {client_id}"


def create_project(*, actor: Actor, name: str, owner_id: str = "", region: str = "ap-northeast-1") -> Project:
    """Make a project; a person who makes one becomes its admin. Only superusers and the system may.

    Raises Denied, Invalid, Conflict (name taken).
    """
    if not actor.superuser:
        raise Denied("Only an administrator of the server may make projects.", component="project",
                     message="identifier.project.project.error.require")
    _check_project(name, owner_id, region)
    try:
        with transaction.atomic():
            project = Project.objects.create(name=name, owner_id=owner_id or _new_owner_id(), region=region)
            if actor.kind == "person":
                Membership.objects.create(project=project, user_id=int(actor.id), role=Role.ADMIN)
            record(actor=actor, action="project.create", obj=project, after=_facts(project))
            return project
    except IntegrityError:
        raise Conflict(f"There is a project called {name} already.", component="project",
                       message="identifier.project.name.error.duplicate") from None


def update_project(*, actor: Actor, project: Project, name: str, owner_id: str, region: str) -> Project:
    """Change a project. Clients see owner id and region in every GRN. Raises NotFound, Denied, Invalid, Conflict."""
    require(actor, "project.manage", project)
    _check_project(name, owner_id or "-", region)
    try:
        with transaction.atomic():
            row = Project.objects.select_for_update().get(pk=project.pk)
            before = _facts(row)
            row.name, row.owner_id, row.region = name, owner_id or row.owner_id, region
            row.save(update_fields=["name", "owner_id", "region"])
            if _facts(row) != before:
                record(actor=actor, action="project.update", obj=row, before=before, after=_facts(row))
            return row
    except IntegrityError:
        raise Conflict(f"There is a project called {name} already.", component="project",
                       message="identifier.project.name.error.duplicate") from None


def add_member(*, actor: Actor, project: Project, username: str, role: str) -> Membership:
    """Give a person a role. Raises NotFound (also for an unknown name), Denied, Invalid, Conflict (member already)."""
    require(actor, "member.manage", project)
    _check_role(role)
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise NotFound(f"There is nobody called {username}. An administrator makes people under Data fixes.",
                       component="member", message="identifier.member.user.error.notFound")
    try:
        with transaction.atomic():
            member = Membership.objects.create(project=project, user=user, role=role)
            record(actor=actor, action="member.add", obj=member, after={"user": user.username, "role": role})
            return member
    except IntegrityError:
        raise Conflict(f"{username} is a member already; change the role instead.", component="member",
                       message="identifier.member.user.error.duplicate") from None


def change_member_role(*, actor: Actor, membership: Membership, role: str, reason: str = "") -> Membership:
    """Change a role. Raises NotFound, Denied, Invalid, Conflict (the last admin)."""
    require(actor, "member.manage", membership)
    _check_role(role)
    with transaction.atomic():
        row = _locked(membership)
        if row.role != role:
            _keep_one_admin(row)
            before, row.role = row.role, role
            row.save(update_fields=["role"])
            record(actor=actor, action="member.role", obj=row, before={"role": before},
                   after={"user": row.user.username, "role": role}, reason=reason)
        return row


def remove_member(*, actor: Actor, membership: Membership, reason: str = "") -> None:
    """Take a person's role away. Raises NotFound, Denied, Conflict (the last admin)."""
    require(actor, "member.manage", membership)
    with transaction.atomic():
        row = _locked(membership)
        _keep_one_admin(row)
        record(actor=actor, action="member.remove", obj=row, before={"user": row.user.username, "role": row.role},
               reason=reason)
        row.delete()


def create_credential(
    *, actor: Actor, project: Project, name: str, role: str = Role.SERVICE, signs: bool = False
) -> tuple[Credential, str]:
    """Make a credential; returns the row and its secret, which is kept nowhere.

    signs: keep the secret encrypted, so that requests signed with it can be checked (SourceDeploy).
    Raises NotFound, Denied, Invalid, Conflict.
    """
    require(actor, "credential.manage", project)
    name = name.strip()
    if not re.match(NAME, name):
        raise Invalid("A credential's name is 1 to 128 letters, digits, dots, hyphens and underscores.",
                      component="credential", message="identifier.credential.name.error.invalid")
    if role not in Role.values:
        raise Invalid(f"A credential's role is one of: {', '.join(Role.values)}.", component="credential",
                      message="identifier.credential.role.error.invalid")
    secret = secrets.token_urlsafe(32)
    client_id = "gs2a-" + secrets.token_hex(16)
    try:
        with transaction.atomic():
            row = Credential.objects.create(
                project=project,
                name=name,
                client_id=client_id,
                secret_hash=secret_hash(secret),
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


def _facts(project: Project) -> dict[str, str]:
    return {"name": project.name, "owner_id": project.owner_id, "region": project.region}


def _new_owner_id() -> str:
    return f"{secrets.token_hex(4)}-owner"


def _check_project(name: str, owner_id: str, region: str) -> None:
    if not re.match(NAME, name) or name.lower() in RESERVED_NAMES:
        raise Invalid("A project's name is 1 to 128 letters, digits, dots, hyphens and underscores.",
                      component="project", message="identifier.project.name.error.invalid")
    for word, value in (("owner id", owner_id or "-"), ("region", region)):
        if not re.match(r"^[A-Za-z0-9._-]{1,64}\Z", value):
            raise Invalid(f"The {word} is 1 to 64 letters, digits, dots, hyphens and underscores.",
                          component="project", message="identifier.project.project.error.invalid")


def _check_role(role: str) -> None:
    if role not in MEMBER_ROLES:
        raise Invalid(f"A member's role is one of: {', '.join(MEMBER_ROLES)}.", component="member",
                      message="identifier.member.role.error.invalid")


def _locked(membership: Membership) -> Membership:
    Project.objects.select_for_update().get(pk=membership.project_id)  # orders changes of one project's members
    row = Membership.objects.select_related("user").filter(pk=membership.pk).first()
    if row is None:
        raise NotFound("That person is no longer a member.", component="member",
                       message="identifier.member.user.error.notFound")
    return row


def _keep_one_admin(row: Membership) -> None:
    others = Membership.objects.filter(project_id=row.project_id, role=Role.ADMIN).exclude(pk=row.pk)
    if row.role == Role.ADMIN and not others.exists():
        raise Conflict("A project keeps at least one admin; make somebody else admin first.", component="member",
                       message="identifier.member.role.error.conflict")
