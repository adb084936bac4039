"""Namespaces of scripts and their scripts: lists and settings."""
from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import link, text_of
from gs2admin.identity.models import Project
from gs2admin.namespaces.pages import NamespacePages
from jobqueue.models import ScriptNamespace
from jobqueue.pages.forms import ScriptNamespaceForm
from jobqueue.pages.views.common import crumbs, rights
from jobqueue.reads import scripts as reads
from jobqueue.services import namespaces as services

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


def _lost(row: ScriptNamespace) -> list[str]:
    count = row.scripts.count()
    return [
        f"Its {count:,} script{'' if count == 1 else 's'} and all their versions go with it.",
        "Jobs that name them fail from then on, with status 404.",
    ]


def _first(project: Project) -> dict[str, str]:
    return {} if ScriptNamespace.objects.filter(project=project).exists() else {"name": "default"}


create, edit, delete = NamespacePages(
    front="scripts", noun="script namespace", section="Scripts", right="script.edit", form=ScriptNamespaceForm,
    find=reads.namespace_of, create=services.create_script_namespace, update=services.update_script_namespace,
    delete=services.delete_script_namespace, first=_first, made="", lost=_lost,
    holds="Jobs that name a script without a namespace mean the one called default.",
).views()
