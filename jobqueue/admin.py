"""Data fixes of queues and scripts, through the services. Jobs, results and versions are read-only."""
from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gs2admin.adminkit import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from gs2admin.errors import Invalid
from gs2admin.identity.actors import Actor
from gs2admin.namespaces import admin as namespaces_admin
from jobqueue.models import (
    GivenUp,
    Job,
    JobResult,
    Namespace,
    Notification,
    Queue,
    Script,
    ScriptNamespace,
    ScriptVersion,
)
from jobqueue.services import delete_job, namespaces
from jobqueue.services import scripts as scripts_services


class NamespaceForm(namespaces_admin.NamespaceForm):
    kind = namespaces.QUEUES
    make, change = staticmethod(namespaces.create_namespace), staticmethod(namespaces.update_namespace)

    class Meta:
        model = Namespace
        fields = ("project", "name", *namespaces.QUEUES.settings)


@admin.register(Namespace)
class NamespaceAdmin(namespaces_admin.NamespaceAdmin):
    """Namespaces of job queues."""

    form = NamespaceForm
    list_display = ("name", "project", "enable_auto_run", "status", "updated_at")
    list_filter = ("enable_auto_run", "status", "project")

    def remove(self, actor: Actor, obj: Namespace, reason: str) -> None:
        namespaces.delete_namespace(actor=actor, namespace=obj, reason=reason)


class ScriptNamespaceForm(namespaces_admin.NamespaceForm):
    kind = namespaces.SCRIPTS
    make, change = staticmethod(namespaces.create_script_namespace), staticmethod(namespaces.update_script_namespace)

    class Meta:
        model = ScriptNamespace
        fields = ("project", "name", *namespaces.SCRIPTS.settings)


@admin.register(ScriptNamespace)
class ScriptNamespaceAdmin(namespaces_admin.NamespaceAdmin):
    """Namespaces of scripts."""

    form = ScriptNamespaceForm

    def remove(self, actor: Actor, obj: ScriptNamespace, reason: str) -> None:
        namespaces.delete_script_namespace(actor=actor, namespace=obj, reason=reason)


class ScriptForm(ServiceForm):
    source = forms.CharField(
        required=False, strip=False, widget=forms.Textarea(attrs={"rows": 24, "cols": 100, "spellcheck": "false"})
    )

    class Meta:
        model = Script
        fields = ("namespace", "name", *scripts_services.FIELDS)

    def clean_source(self) -> str:
        """Line ends as scripts have them."""
        return self.cleaned_data["source"].replace("\r\n", "\n")

    def write(self, sent: dict[str, Any]) -> Script:
        facts = {name: sent[name] for name in scripts_services.FIELDS}
        if self.instance.pk is None:
            return scripts_services.create_script(actor=self.actor, namespace=sent["namespace"], name=sent["name"], **facts)
        stored = Script.objects.select_related("namespace").get(pk=self.instance.pk)
        return scripts_services.update_script(actor=self.actor, script=stored, reason=sent["reason"], **facts)


@admin.register(Script)
class ScriptAdmin(ServiceAdmin):
    """A changed text is a new revision."""

    form = ScriptForm
    fixed = ("namespace", "name")
    removable = True
    fields = ("namespace", "name", *scripts_services.FIELDS, "reason", "revision", "created_at", "updated_at")
    readonly_fields = ("revision", "created_at", "updated_at")
    list_display = ("name", "namespace", "project_name", "revision", "updated_at")
    list_filter = ("namespace__project",)
    list_select_related = ("namespace__project",)
    search_fields = ("name", "namespace__name")

    @admin.display(description="project")
    def project_name(self, obj: Script) -> str:
        return obj.namespace.project.name

    def get_queryset(self, request: HttpRequest) -> QuerySet[Script]:
        rows = super().get_queryset(request)
        match = request.resolver_match
        return rows if match and match.url_name.endswith(("_change", "_delete")) else rows.defer("source")

    def remove(self, actor: Actor, obj: Script, reason: str) -> None:
        scripts_services.delete_script(actor=actor, script=obj, reason=reason)


@admin.register(ScriptVersion)
class ScriptVersionAdmin(ReadOnlyAdmin):
    """Scripts as they were."""

    list_display = ("script", "revision", "by", "at")
    list_select_related = ("script__namespace",)
    search_fields = ("script__name", "by")


@admin.register(Queue)
class QueueAdmin(ReadOnlyAdmin):
    """Read-only: workers write leases and counters, and a lease ends by itself."""

    list_display = ("user_id", "namespace", "waiting", "draining", "lease_until", "next_at", "fence")
    list_select_related = ("namespace",)
    search_fields = ("=user_id",)
    search_help_text = "The whole id of a player"
    show_facets = admin.ShowFacets.NEVER

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By the index on user ids, not by their upper case."""
        return (queryset.filter(user_id=search_term) if search_term else queryset), False


class JobForm(ServiceForm):
    """Nothing of a job can be changed: its state, tries and arguments are what happened."""

    class Meta:
        model = Job
        fields = ()

    def write(self, sent: dict[str, Any]) -> Job:
        raise Invalid("A job cannot be changed. Push it again with changes, or delete it.")


@admin.register(Job)
class JobAdmin(ServiceAdmin):
    """To look at and delete; the services write state, tries and order."""

    form = JobForm
    removable = True
    fields = ("name", "queue", "script_id", "state", "try_count", "max_try_count", "created_at", "updated_at", "replay_of")
    readonly_fields = fields
    list_display = ("name", "script_id", "user", "state", "try_count", "max_try_count", "created_at")
    list_filter = ()
    list_select_related = ("queue__namespace",)
    ordering = ("-id",)
    search_fields = ("name",)
    search_help_text = "The whole name of a job, or the whole id of a player"

    @admin.display(description="player")
    def user(self, obj: Job) -> str:
        return str(obj.queue)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        return super().get_queryset(request).defer("args")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(name=UUID(search_term)), False
        except ValueError:
            return queryset.filter(queue__in=list(Queue.objects.filter(user_id=search_term)[:100])), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def remove(self, actor: Actor, obj: Job, reason: str) -> None:
        job = Job.objects.select_related("queue__namespace__project").get(pk=obj.pk)
        delete_job(actor=actor, namespace=job.queue.namespace, job=job, reason=reason)


@admin.register(JobResult)
class JobResultAdmin(ReadOnlyAdmin):
    """How attempts ended."""

    list_display = ("job", "try_number", "status_code", "tried_at", "took_ms")
    ordering = ("-id",)
    raw_id_fields = ("job",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobResult]:
        rows = super().get_queryset(request).select_related("job").defer("job__args")
        match = request.resolver_match
        return rows if match and match.url_name.endswith("_change") else rows.defer("result", "output")


@admin.register(GivenUp)
class GivenUpAdmin(ReadOnlyAdmin):
    """Given-up jobs; they are replayed on the pages of their namespace."""

    list_display = ("script", "user_id", "namespace", "status_code", "at", "replayed_at")
    list_select_related = ("namespace",)


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """Messages for players' connections."""

    list_display = ("subject", "user_id", "project", "created_at", "delivered_at")
    list_select_related = ("project",)
