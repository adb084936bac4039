"""Projects by SourceDeploy. A caller belongs to exactly one."""

from __future__ import annotations

from gs2admin.errors import Denied
from gs2admin.identity.models import Project
from gs2admin.identity.services.projects import create_project
from gs2admin.wire.protocol import Reply, Request
from stages.api.find import viewing
from stages.api.sourcedeploy.find import page_of, project_of
from stages.api.sourcedeploy.shapes import named


@viewing
def project_list(request: Request) -> Reply:
    """The caller's own project, when its name holds `projectName`. Raises Invalid."""
    rows = Project.objects.filter(pk=request.project.pk, name__contains=request.query.get("projectName", ""))
    return Reply({"projectList": [named(row) for row in page_of(request, rows.order_by("pk"))]})


def project_create(request: Request) -> Reply:
    """The rights of a credential end at its project, so the service refuses. Raises Denied, Invalid."""
    name = request.body.get("name")
    return Reply(named(create_project(actor=request.actor, name=name if isinstance(name, str) else "")))


def project_delete(request: Request) -> Reply:
    """Always refused: a program does not delete a project. Raises NotFound, Denied."""
    project_of(request)
    raise Denied("A project is not deleted by a program: its history would go with it. Ask an administrator of the server.")
