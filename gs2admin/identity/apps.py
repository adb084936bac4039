"""People, projects, members, credentials."""
from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "gs2admin.identity"
    label = "identity"
    verbose_name = "People and projects"
