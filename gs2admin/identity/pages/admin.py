"""Data fixes of people, projects, members and credentials."""
from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from gs2admin.adminkit import Calm, ServiceAdmin, ServiceForm, admin_actor
from gs2admin.audit.services import record
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Credential, Membership, Project, User
from gs2admin.identity.services.credentials import revoke_credential
from gs2admin.identity.services.members import add_member, change_member_role, remove_member
from gs2admin.identity.services.projects import create_project, update_project

admin.site.unregister(Group)  # roles are given per project


class PersonForm(UserChangeForm):
    """Keeps one administrator who can get in."""

    def clean(self) -> dict[str, Any]:
        sent = super().clean()
        stays = sent.get("is_active", self.instance.is_active) and sent.get("is_superuser", self.instance.is_superuser)
        others = User.objects.filter(is_active=True, is_superuser=True).exclude(pk=self.instance.pk)
        if self.initial.get("is_superuser") and not stays and not others.exists():
            raise ValidationError("This is the last administrator of the server; make somebody else one first.")
        return sent


@admin.register(User)
class PersonAdmin(Calm, UserAdmin):
    """People are closed and never deleted: their names are in the history."""

    form = PersonForm
    list_display = ("username", "is_active", "is_superuser", "is_staff", "last_login")
    list_filter = ("is_active", "is_superuser", "is_staff")
    search_fields = ("username", "first_name", "last_name", "email")
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser"), "description":
                 "Active: may sign in. Staff: may open these pages. Superuser: may do everything in every project. "
                 "Roles in single projects are given under Members."}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Only administrators make administrators."""
        more = () if request.user.is_superuser else ("is_staff", "is_superuser")
        return (*super().get_readonly_fields(request, obj), *more)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)

    def log_addition(self, request: HttpRequest, obj: User, message: Any) -> Any:
        record(actor=admin_actor(request), action="person.create", obj=obj, after=self._facts(obj))
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        password = request.resolver_match.url_name == "auth_user_password_change"
        action = "person.password" if password else "person.update"
        record(actor=admin_actor(request), action=action, obj=obj, after=None if password else self._facts(obj))
        return super().log_change(request, obj, message)

    @staticmethod
    def _facts(user: User) -> dict[str, Any]:
        return {"active": user.is_active, "staff": user.is_staff, "superuser": user.is_superuser}


class ProjectForm(ServiceForm):
    class Meta:
        model = Project
        fields = ("name", "owner_id", "region")

    def write(self, sent: dict[str, Any]) -> Project:
        facts = {name: sent[name] for name in ("name", "owner_id", "region")}
        if self.instance.pk is None:
            return create_project(actor=self.actor, **facts)
        return update_project(actor=self.actor, project=self.instance, **facts)


@admin.register(Project)
class ProjectAdmin(ServiceAdmin):
    """A project's name, owner id and region are in addresses and GRNs; the service checks them."""

    form = ProjectForm
    fields = ("name", "owner_id", "region", "created_at")
    readonly_fields = ("created_at",)
    list_display = ("name", "id", "owner_id", "region", "created_at")
    search_fields = ("name", "owner_id")


class MembershipForm(ServiceForm):
    class Meta:
        model = Membership
        fields = ("project", "user", "role")

    def write(self, sent: dict[str, Any]) -> Membership:
        if self.instance.pk is None:
            return add_member(
                actor=self.actor, project=sent["project"], username=sent["user"].get_username(), role=sent["role"]
            )
        return change_member_role(
            actor=self.actor, membership=self.instance, role=sent["role"], reason=sent["reason"]
        )


@admin.register(Membership)
class MembershipAdmin(ServiceAdmin):
    """Who may do what in one project; the last admin stays."""

    form = MembershipForm
    fixed = ("project", "user")
    removable = True
    fields = ("project", "user", "role", "reason")
    autocomplete_fields = ("project", "user")
    list_display = ("user", "project", "role", "created_at")
    list_filter = ("role", "project")
    list_select_related = ("user", "project")
    search_fields = ("user__username", "project__name")

    def remove(self, actor: Actor, obj: Membership, reason: str) -> None:
        remove_member(actor=actor, membership=obj, reason=reason)


class CredentialForm(ServiceForm):
    revoke = forms.BooleanField(
        required=False, help_text="Ends it and every token made with it, at once and for good."
    )

    class Meta:
        model = Credential
        fields = ()

    def write(self, sent: dict[str, Any]) -> Credential:
        if sent["revoke"]:
            return revoke_credential(actor=self.actor, credential=self.instance, reason=sent["reason"])
        return self.instance


@admin.register(Credential)
class CredentialAdmin(ServiceAdmin):
    """Made on the project's page, where the secret is shown; here they are found and revoked."""

    form = CredentialForm
    fields = ("name", "client_id", "project", "role", "created_at", "created_by", "revoked_at", "revoke", "reason")
    readonly_fields = ("name", "client_id", "project", "role", "created_at", "created_by", "revoked_at")
    list_display = ("name", "project", "client_id", "role", "created_by", "created_at", "revoked_at")
    list_filter = ("role", ("revoked_at", admin.EmptyFieldListFilter), "project")
    list_select_related = ("project",)
    search_fields = ("name", "client_id", "created_by")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("secret_hash", "sealed_secret")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Credential | None = None) -> bool:
        return (obj is None or obj.revoked_at is None) and super().has_change_permission(request, obj)
