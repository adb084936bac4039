"""What base.html shows around every page. Everything that costs a query is lazy: a fragment never pays for it."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from gs2admin.dashboard import health
from gs2admin.dashboard.nav import nav_items
from gs2admin.identity.models import Project

SWITCHER_LIMIT = 50


def theme_of(request: HttpRequest) -> dict[str, str]:
    """The theme to paint first: the chosen one, or light until the script has asked the system."""
    choice = request.COOKIES.get("theme", "auto")
    if choice not in ("light", "dark"):
        choice = "auto"
    return {"theme_choice": choice, "theme": "dark" if choice == "dark" else "light"}


def _projects(request: HttpRequest) -> list[Project]:
    rows = Project.objects.all() if request.user.is_superuser else Project.objects.filter(memberships__user=request.user)
    return list(rows.order_by("name")[:SWITCHER_LIMIT])


def _role(request: HttpRequest) -> str:
    project = getattr(request, "project", None)
    role = request.actor.roles.get(project.pk) if project and getattr(request, "actor", None) else None
    return role or ("administrator" if request.user.is_superuser else "")


def shell(request: HttpRequest) -> dict[str, Any]:
    """project, projects, role, nav, health, theme and theme_choice for base.html."""
    project = getattr(request, "project", None)
    return {
        **theme_of(request),
        "project": project,
        "projects": SimpleLazyObject(lambda: _projects(request)),
        "role": SimpleLazyObject(lambda: _role(request)),
        "nav": SimpleLazyObject(lambda: nav_items(request)),
        "health": SimpleLazyObject(health.snapshot),
    }
