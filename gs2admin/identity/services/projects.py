"""Writes of projects: made and changed."""
from __future__ import annotations

import re
import secrets

from django.db import IntegrityError, transaction

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Denied, Invalid
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Membership, Project, Role
from gs2admin.identity.rights import require
from gs2admin.names import NAME, RESERVED_NAMES


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
