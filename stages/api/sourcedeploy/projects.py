"""Projects: a caller belongs to exactly one."""

from __future__ import annotations

from gs2admin.errors import Denied
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.identity.services.access import create_project
from gs2admin.wire.protocol import Asked, Reply
from stages.api.sourcedeploy.asking import page_of, project_of
from stages.api.sourcedeploy.shapes import named


def project_list(asked: Asked) -> Reply:
    """The caller's own project, when its name holds `projectName`. Raises Invalid."""
    require(asked.actor, "project.view", asked.project)
    rows = Project.objects.filter(pk=asked.project.pk, name__contains=asked.query.get("projectName", ""))
    return Reply({"projectList": [named(row) for row in page_of(asked, rows.order_by("pk"))]})


def project_create(asked: Asked) -> Reply:
    """The rights of a credential end at its project, so the service refuses. Raises Denied, Invalid."""
    name = asked.body.get("name")
    return Reply(named(create_project(actor=asked.actor, name=name if isinstance(name, str) else "")))


def project_delete(asked: Asked) -> Reply:
    """Nobody deletes a project by a program. Raises NotFound, Denied."""
    project_of(asked)
    raise Denied("A project is not deleted by a program: its history would go with it. Ask an administrator of the server.")
