"""Namespaces of scripts and their scripts: lists and settings."""
from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from gs2admin.dashboard.forms import ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, form_page, link, text_of
from gs2admin.identity.models import Project
from jobqueue.forms import ScriptNamespaceForm
from jobqueue.models import ScriptNamespace
from jobqueue.reads import scripts as reads
from jobqueue.services import namespaces as services
from jobqueue.views.common import crumbs, get_and_post, rights

PAGE = 50


def at(name: str, namespace: ScriptNamespace, **more: str) -> str:
    """The address of a page of the namespace."""
    return reverse(name, kwargs={"project": namespace.project.name, "namespace": namespace.name, **more})


def trail(project: Project, *parts: tuple[str, str]) -> list[tuple[str, str]]:
    """Where the reader is, from Scripts on."""
    return crumbs(project, *parts, section="Scripts", name="scripts")


@require_GET
@project_page()
def scripts(request: HttpRequest, project: Project) -> HttpResponse:
    """All namespaces of scripts, by name."""
    after = text_of(request, "after")
    rows = reads.namespaces(project, after=after, limit=PAGE + 1)
    return render(request, "jobqueue/scripts.html", {
        "rows": rows[:PAGE], "next": link(after=rows[PAGE - 1].name) if len(rows) > PAGE else "", "first": "?" if after else "",
        **rights(request, project, "script.edit"),
    })


@require_GET
@project_page()
def namespace(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """The scripts of one namespace, by name."""
    row = reads.namespace_of(project, namespace)
    query, after = text_of(request, "q"), text_of(request, "after")
    found = reads.listed(row, query=query, after=after, limit=PAGE + 1)
    return render(request, "jobqueue/script_list.html", {
        "namespace": row, "rows": found[:PAGE], "query": query, "first": link(q=query) if after else "",
        "next": link(q=query, after=found[PAGE - 1].name) if len(found) > PAGE else "",
        **rights(request, project, "script.edit"),
    })


@get_and_post
@project_page("script.edit")
def create(request: HttpRequest, project: Project) -> HttpResponse:
    """A new namespace."""
    started = {} if ScriptNamespace.objects.filter(project=project).exists() else {"name": "default"}
    form = ScriptNamespaceForm(request.POST if request.method == "POST" else None, initial=started)
    if request.method == "POST" and form.is_valid():
        made = attempt(form, lambda: services.create_script_namespace(
            actor=request.actor, project=project, name=form.cleaned_data["name"], **form.settings()
        ))
        if made:
            messages.success(request, f"{made.name} is made.")
            return redirect("scripts-namespace", project=project.name, namespace=made.name)
    return form_page(
        request, form, title="New script namespace", button="Create namespace", template="manage/settings.html",
        back=reverse("scripts", kwargs={"project": project.name}), crumbs=trail(project, ("New namespace", "")),
        text="Jobs that name a script without a namespace mean the one called default.",
    )


@get_and_post
@project_page("script.edit")
def edit(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Change its settings."""
    row = reads.namespace_of(project, namespace)
    stored = {name: getattr(row, name) for name in ScriptNamespaceForm.STORED}
    form = ScriptNamespaceForm(request.POST if request.method == "POST" else None, initial=stored)
    del form.fields["name"]
    form.fields["reason"] = ReasonForm().fields["reason"]
    if request.method == "POST" and form.is_valid():
        saved = attempt(form, lambda: services.update_script_namespace(
            actor=request.actor, namespace=row, reason=form.cleaned_data["reason"], **form.settings()
        ))
        if saved:
            messages.success(request, f"{saved.name} is saved.")
            return redirect("scripts-namespace", project=project.name, namespace=saved.name)
    return form_page(
        request, form, title=f"Settings of {row.name}", button="Save", template="manage/settings.html",
        back=at("scripts-namespace", row), delete_url=at("scripts-delete", row),
        crumbs=trail(project, (row.name, at("scripts-namespace", row)), ("Settings", "")),
    )


@get_and_post
@project_page("script.edit")
def delete(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Ask, then delete a namespace with its scripts."""
    row = reads.namespace_of(project, namespace)
    form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: services.delete_script_namespace(
            actor=request.actor, namespace=row, reason=form.cleaned_data["reason"]
        ))
        if done:
            messages.success(request, f"{row.name} is deleted.")
            return redirect("scripts", project=project.name)
    count = row.scripts.count()
    return confirm_page(
        request, form, title=f"Delete {row.name}", button="Delete namespace", back=at("scripts-namespace", row),
        crumbs=trail(project, (row.name, at("scripts-namespace", row)), ("Delete", "")),
        points=[
            f"Its {count:,} script{'' if count == 1 else 's'} and all their versions go with it.",
            "Jobs that name them fail from then on, with status 404.",
            "This cannot be taken back.",
        ],
    )
