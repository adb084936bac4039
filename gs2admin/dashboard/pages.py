"""What every page of a project begins with: who reads it, which project, and the right to see it."""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from gs2admin.caller import client_of
from gs2admin.errors import NotFound
from gs2admin.identity.actors import Actor, person
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can, require

View = Callable[..., HttpResponse]
LAST_PROJECT = "project"


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person behind a browser request, with roles as they are now; one query per request."""
    actor = getattr(request, "actor", None)
    if actor is None:
        actor = person(
            request.user,
            door="browser",
            ip=client_of(request),
            request_id=str(getattr(request, "request_id", "") or ""),
        )
        request.actor = actor
    return actor


def sign_in_first(request: HttpRequest) -> HttpResponse:
    """Send an anonymous reader to the sign-in page; a fragment gets a 401 that makes the whole page go there."""
    if request.htmx:
        back = request.htmx.current_url or ""
        path = "/" + back.split("/", 3)[3] if back.count("/") >= 3 else "/"
        return HttpResponse(status=401, headers={"HX-Redirect": f"{resolve_url('login')}?next={quote(path)}"})
    return redirect_to_login(request.get_full_path() if request.method == "GET" else "/", resolve_url("login"))


def signed_in(view: View) -> View:
    """A page for anybody who has signed in."""

    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return sign_in_first(request)
        actor_of(request)
        return view(request, *args, **kwargs)

    return page


def project_page(action: str = "project.view", *, post: str = "") -> Callable[[View], View]:
    """A page of one project, for actors who may do `action` in it. The view gets the Project instead of its name.

    post: what they need for a POST, where that is more. This is where a page asks for a right; a service that it calls asks for
    its own. A page uses `can` only to show or hide.
    Sets request.actor and request.project. Raises NotFound for strangers, as for a project that does not exist,
    and Denied for members whose role lacks the right; the error pages say both in a sentence.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def page(request: HttpRequest, project: str, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                return sign_in_first(request)
            row = Project.objects.filter(name=project).first()
            if row is None:
                raise NotFound("There is no such project, or you are not a member of it.", component="project")
            if can(actor_of(request), "project.view", row):
                request.project = row  # also for the page that says what the role lacks
            require(request.actor, post if post and request.method == "POST" else action, row)
            if request.session.get(LAST_PROJECT) != row.name:
                request.session[LAST_PROJECT] = row.name
            return view(request, row, *args, **kwargs)

        return page

    return decorate
