"""Projects: the ones I may see, a new one, and the settings of one."""
from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from gs2admin.dashboard.pages import LAST_PROJECT, project_page, signed_in
from gs2admin.dashboard.posting import attempt, form_page, link, text_of
from gs2admin.errors import Denied
from gs2admin.identity.models import Project
from gs2admin.identity.pages.forms import ProjectForm
from gs2admin.identity.services.projects import create_project, update_project

PAGE = 50


@require_GET
@signed_in
def projects(request: HttpRequest) -> HttpResponse:
    """The projects that this person may see, by name."""
    rows = Project.objects.all() if request.user.is_superuser else Project.objects.filter(memberships__user=request.user)
    query = text_of(request, "q")
    after = text_of(request, "after")
    if query:
        rows = rows.filter(name__icontains=query)
    if after:
        rows = rows.filter(name__gt=after)
    found = list(rows.order_by("name")[: PAGE + 1])
    roles = request.actor.roles
    return render(request, "identity/projects.html", {
        "rows": [(row, roles.get(row.pk, "administrator")) for row in found[:PAGE]],
        "next": link(q=query, after=found[PAGE - 1].name) if len(found) > PAGE else "",
        "first": link(q=query) if after else "",
        "query": query,
        "last": request.session.get(LAST_PROJECT),
        "may_create": request.actor.superuser,
    })


@require_http_methods(["GET", "POST"])
@signed_in
def create(request: HttpRequest) -> HttpResponse:
    """A new project, for administrators of the server."""
    if not request.actor.superuser:
        raise Denied("Only an administrator of the server may make projects. Ask the one who gave you your account.")
    form = ProjectForm(request.POST, new=True) if request.method == "POST" else ProjectForm(new=True)
    if request.method == "POST" and form.is_valid():
        project = attempt(form, lambda: create_project(actor=request.actor, **form.cleaned_data))
        if project:
            messages.success(request, f"{project.name} is ready. You are its first admin.")
            return redirect("board", project=project.name)
    listing = reverse("projects")
    return form_page(
        request, form, title="New project", button="Create project", back=listing,
        text="Stages, versions, members and credentials belong to one project and see nothing of another.",
        crumbs=[("Projects", listing), ("New", "")],
    )


@require_http_methods(["GET", "POST"])
@project_page("project.manage")
def settings(request: HttpRequest, project: Project) -> HttpResponse:
    """Name, owner id and region of one project."""
    facts = {"name": project.name, "owner_id": project.owner_id, "region": project.region}
    form = ProjectForm(request.POST) if request.method == "POST" else ProjectForm(initial=facts)
    if request.method == "POST" and form.is_valid():
        row = attempt(form, lambda: update_project(actor=request.actor, project=project, **form.cleaned_data))
        if row:
            messages.success(request, "The project is saved.")
            return redirect("settings", project=row.name)
    return form_page(
        request, form, template="identity/settings.html", title="Settings", button="Save",
        text=f"Project {project.name}, number {project.pk}.",
        crumbs=[("Settings", "")],
        warning="Owner id and region are part of every GRN, and the name is part of every address here and of the mesh "
                "id: clients and bookmarks that keep the old ones stop matching at once.",
    )
