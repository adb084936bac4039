"""What the pages of one namespace share."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.dashboard.player import address
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from gs2admin.text import without_nul
from jobqueue.models import Namespace, Queue
from jobqueue.reads.scripts import known
from jobqueue.templatetags.jobs import player_url

get_and_post = require_http_methods(["GET", "POST"])


def namespace_of(project: Project, name: str) -> Namespace:
    """The project's namespace of that name, with its project. Raises NotFound."""
    row = Namespace.objects.filter(project=project, name=name).first()
    if row is None:
        raise NotFound(f"There is no queue namespace {name} in {project.name}.", component="namespace")
    row.project = project
    return row


def player_of(request: HttpRequest) -> str:
    """The player's id in ?id=, exactly as it was pushed."""
    return without_nul(request.GET.get("id", ""))


def queue_of(namespace: Namespace, user_id: str) -> Queue:
    """The player's queue. Raises NotFound when nothing was ever pushed for that player."""
    row = Queue.objects.filter(namespace=namespace, user_id=user_id).first()
    if row is None:
        raise NotFound(f"No job was ever pushed to {namespace.name} for a player with the id {user_id or '(empty)'}.",
                       component="job")
    row.namespace = namespace
    return row


def crumbs(project: Project, *parts: tuple[str, str], section: str = "Queues", name: str = "queues") -> list[tuple[str, str]]:
    """Where the reader is: the section, then the given parts; the last has no address."""
    return [(section, reverse(name, kwargs={"project": project.name})), *parts]


def at(name: str, namespace: Namespace, **more: Any) -> str:
    """The address of a page of the namespace."""
    return reverse(name, kwargs={"project": namespace.project.name, "namespace": namespace.name, **more})


def back_to(request: HttpRequest, namespace: Namespace, user_id: str) -> str:
    """Where an action on a player ends: on the page of the player it was chosen on (?from=player), else at the queue."""
    if request.GET.get("from") == "player":
        return address(namespace.project, user_id)
    return player_url({"project": namespace.project}, namespace.name, user_id)


def script_urls(project: Project, ids: Iterable[str]) -> dict[str, str]:
    """Where the scripts of these ids are shown: {id: address}, without those that do not exist."""
    return {script_id: script_url(project, place) for script_id, place in known(project, ids).items()}


def script_url(project: Project, place: tuple[str, str] | None) -> str:
    """Where the script of a namespace and a name is shown; empty without one."""
    words = dict(zip(("namespace", "script"), place, strict=True)) if place else {}
    return reverse("scripts-script", kwargs={"project": project.name, **words}) if words else ""


def rights(request: HttpRequest, project: Project, *names: str) -> dict[str, bool]:
    """{"may_run": True, …} for "job.run", …"""
    return {f"may_{name.split('.')[1]}": can(request.actor, name, project) for name in names}
