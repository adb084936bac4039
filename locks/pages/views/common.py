"""What the pages of locks share."""
from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from locks import reads
from locks.models import LockNamespace, Mutex

get_and_post = require_http_methods(["GET", "POST"])


def namespace_of(project: Project, name: str) -> LockNamespace:
    """The project's namespace of that name, with its project. Raises NotFound."""
    row = reads.namespace(project, name)
    if row is None:
        raise NotFound(f"There is no lock namespace {name} in {project.name}.", component="namespace")
    return row


def mutex_of(namespace: LockNamespace, pk: int) -> Mutex:
    """A mutex of the namespace. Raises NotFound."""
    row = Mutex.objects.filter(namespace=namespace, pk=pk).first()
    if row is None:
        raise NotFound("There is no such mutex: it was never locked, or not for so long that it is not kept any more.",
                       component="mutex")
    row.namespace = namespace
    return row


def crumbs(project: Project, *parts: tuple[str, str]) -> list[tuple[str, str]]:
    """Where the reader is: the section, then the given parts; the last has no address."""
    return [("Locks", reverse("locks", kwargs={"project": project.name})), *parts]


def rights(request: HttpRequest, project: Project) -> dict[str, bool]:
    """may_release, may_manage."""
    return {"may_release": can(request.actor, "lock.release", project), "may_manage": can(request.actor, "lock.manage", project)}
