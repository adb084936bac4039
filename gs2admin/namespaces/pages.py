"""The pages and forms by which people make, change and delete a namespace: one mechanism for all services that have some."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from gs2admin.dashboard.forms import PageForm, ReasonForm
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, confirm_page, form_page
from gs2admin.identity.models import Project

View = Callable[..., HttpResponse]
get_and_post = require_http_methods(["GET", "POST"])


def name_field() -> forms.CharField:
    """The name of something that clients name."""
    return forms.CharField(
        max_length=128, help_text="Letters, digits, dots, hyphens and underscores. Clients use it in every call.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )


class NamespaceForm(PageForm):
    """What clients can set on a namespace: the description, and the fields of a subclass. The services check it.

    row: the namespace that is changed, the form has a reason then; without a row it makes one, and has a name.
    """

    name = name_field()
    description = forms.CharField(required=False, max_length=1024, widget=forms.Textarea(attrs={"rows": 2}))
    reason = ReasonForm.base_fields["reason"]

    def __init__(self, data: Any = None, *, row: Any = None, **more: Any) -> None:
        if row is not None:
            more["initial"] = {name: getattr(row, name) for name in self._settings_of(self.base_fields)}
        super().__init__(data, **more)
        del self.fields["name" if row is not None else "reason"]
        self.order_fields(["name", *self._settings_of(self.fields), "reason"])

    @staticmethod
    def _settings_of(names: Any) -> list[str]:
        return [name for name in names if name not in ("name", "reason")]

    def settings(self) -> dict[str, Any]:
        """For the services."""
        return {name: self.cleaned_data[name] for name in self._settings_of(self.fields)}


@dataclass(frozen=True)
class NamespacePages:
    """One service's namespaces. Their pages are called `front`, the list, and `front`-namespace, -edit and -delete.

    noun: "lock namespace". section: what the list is called. right: who may. form: its settings. find(project, name): raises
    NotFound. create, update, delete: the service functions. holds: what such a namespace is for. made: what is true of a
    new one. lost(row): what a deletion takes along, as sentences. first(project): what the form of a new one begins with.
    """

    front: str
    noun: str
    section: str
    right: str
    form: type[NamespaceForm]
    find: Callable[[Project, str], Any]
    create: Callable[..., Any]
    update: Callable[..., Any]
    delete: Callable[..., Any]
    holds: str
    made: str
    lost: Callable[[Any], list[str]]
    first: Callable[[Project], dict[str, Any]] = lambda project: {}

    def views(self) -> tuple[View, View, View]:
        """The pages create, edit and delete."""
        page = project_page(self.right)
        return get_and_post(page(self._create)), get_and_post(page(self._edit)), get_and_post(page(self._delete))

    def _at(self, page: str, row: Any) -> str:
        return reverse(f"{self.front}-{page}", kwargs={"project": row.project.name, "namespace": row.name})

    def _crumbs(self, project: Project, *parts: tuple[str, str]) -> list[tuple[str, str]]:
        return [(self.section, reverse(self.front, kwargs={"project": project.name})), *parts]

    def _create(self, request: HttpRequest, project: Project) -> HttpResponse:
        form = self.form(request.POST if request.method == "POST" else None, initial=self.first(project))
        if request.method == "POST" and form.is_valid():
            made = attempt(form, lambda: self.create(
                actor=request.actor, project=project, name=form.cleaned_data["name"], **form.settings()
            ))
            if made:
                messages.success(request, f"{made.name} is made{self.made}.")
                return redirect(f"{self.front}-namespace", project=project.name, namespace=made.name)
        return form_page(
            request, form, title=f"New {self.noun}", button="Create namespace", template="manage/settings.html",
            back=reverse(self.front, kwargs={"project": project.name}), text=self.holds,
            crumbs=self._crumbs(project, ("New namespace", "")),
        )

    def _edit(self, request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
        row = self.find(project, namespace)
        form = self.form(request.POST if request.method == "POST" else None, row=row)
        if request.method == "POST" and form.is_valid():
            saved = attempt(form, lambda: self.update(
                actor=request.actor, namespace=row, reason=form.cleaned_data["reason"], **form.settings()
            ))
            if saved:
                messages.success(request, f"{saved.name} is saved.")
                return redirect(f"{self.front}-namespace", project=project.name, namespace=saved.name)
        back = self._at("namespace", row)
        return form_page(
            request, form, title=f"Settings of {row.name}", button="Save", template="manage/settings.html",
            delete_url=self._at("delete", row), back=back, crumbs=self._crumbs(project, (row.name, back), ("Settings", "")),
        )

    def _delete(self, request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
        row = self.find(project, namespace)
        form = ReasonForm(request.POST) if request.method == "POST" else ReasonForm()
        if request.method == "POST" and form.is_valid():
            done = attempt(form, lambda: self.delete(
                actor=request.actor, namespace=row, reason=form.cleaned_data["reason"]
            ))
            if done:
                messages.success(request, f"{row.name} is deleted.")
                return redirect(self.front, project=project.name)
        back = self._at("namespace", row)
        return confirm_page(
            request, form, title=f"Delete {row.name}", button="Delete namespace", back=back,
            crumbs=self._crumbs(project, (row.name, back), ("Delete", "")),
            points=[*self.lost(row), "This cannot be taken back."],
        )
