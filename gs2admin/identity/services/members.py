"""Writes of members: who has which role in a project."""
from __future__ import annotations

from django.db import IntegrityError, transaction

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import MEMBER_ROLES, Membership, Project, Role, User
from gs2admin.identity.rights import require


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
