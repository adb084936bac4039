"""Addresses of projects, members and credentials."""
from django.urls import path

from gs2admin.identity.pages import account, credentials, members, projects, stamp_keys

urlpatterns = [
    path("account/password", account.password, name="password"),
    path("projects/", projects.projects, name="projects"),
    path("projects/new", projects.create, name="project-new"),
    path("p/<str:project>/settings", projects.settings, name="settings"),
    path("p/<str:project>/credentials/", credentials.credentials, name="credentials"),
    path("p/<str:project>/credentials/new", credentials.create, name="credential-new"),
    path("p/<str:project>/credentials/<int:pk>/revoke", credentials.revoke, name="credential-revoke"),
    path("p/<str:project>/stamp-keys/", stamp_keys.stamp_keys, name="stampkeys"),
    path("p/<str:project>/stamp-keys/new", stamp_keys.create, name="stampkey-new"),
    path("p/<str:project>/stamp-keys/<int:pk>/revoke", stamp_keys.revoke, name="stampkey-revoke"),
    path("p/<str:project>/members/", members.members, name="members"),
    path("p/<str:project>/members/<int:pk>/role", members.role, name="member-role"),
    path("p/<str:project>/members/<int:pk>/remove", members.remove, name="member-remove"),
]
