"""People, projects, members, credentials."""
from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IdentityConfig(AppConfig):
    name = "gs2admin.identity"
    label = "identity"
    verbose_name = "People and projects"

    def ready(self) -> None:
        from gs2admin.identity.server_keys import adopt

        post_migrate.connect(adopt, sender=self)
